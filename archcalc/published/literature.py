"""Reading what papers print: `published/NAME.yaml` beside a spec, and the same keys inside one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import ArchcalcError, Place, SpecErrors, plain
from archcalc.published import entries
from archcalc.published.printed import Figure
from archcalc.spec import library, reader
from archcalc.spec.checker import Checker, TooMany
from archcalc.spec.schema import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from archcalc.published.printed import Claim, Published
    from archcalc.spec.model import Spec

    OnError = Callable[[ArchcalcError], None]
    Entries = tuple[tuple[Published, ...], tuple[Claim, ...]]

FOLDER = "published"  # beside the specs
WANTED = "a mapping with 'published' or 'claims'"


class Literature(NamedTuple):
    """What is printed of a family of networks: tables of figures, and claims.

    Entries mean the networks of `spec` first. It is None where a directory has printed figures of
    a network and no spec of that name.
    """

    name: str
    spec: Spec | None
    tables: tuple[Published, ...]
    claims: tuple[Claim, ...]

    @property
    def networks(self) -> list[Spec]:
        """The networks of its own spec."""
        return library.variants(self.spec) if self.spec else []


def literature(
    specs: Sequence[str] = (),
    *,
    on_error: OnError | None = None,
    mentioning: Collection[str] | None = None,
) -> Iterator[Literature]:
    """What is printed of every family, the user's before the shipped ones.

    With `mentioning` only that of files whose text holds one of these (plain) names. A file with
    an error is left out if `on_error` is given, which gets the error.
    """
    for directory in library.directories(specs):
        for spec, printed in _families(directory):
            if mentioning is not None and not _mention((spec, printed), mentioning):
                continue
            try:
                yield of_spec(library.read_listed(spec)) if spec else _alone(printed)
            except ArchcalcError as error:
                if on_error is None:
                    raise
                on_error(error)


def of_spec(spec: Spec) -> Literature:
    """What is printed of a spec's networks, in its own file and in the one beside it."""
    tables: tuple[Published, ...] = ()
    claims: tuple[Claim, ...] = ()
    if any(key in spec.text for key in ELSEWHERE):
        tables, claims = _parsed(reader.read(spec.text, spec.file), spec.file)
    if printed := spec.path and _beside(spec.path):
        more_tables, more_claims = _read(printed)
        tables, claims = tables + more_tables, claims + more_claims
    return Literature(spec.name, spec, tables, claims)


def is_alone(path: str) -> bool:
    """Whether a file has printed figures alone: it lies where these do, and is no spec."""
    if os.path.basename(os.path.dirname(os.path.abspath(path))) != FOLDER:
        return False
    root = reader.read(reader.read_file(path), path, WANTED)
    return not root.entries.keys() & {"input", "layers"}


def of_path(path: str) -> Literature:
    """What is printed in a file: a spec, or one of printed figures alone."""
    if not is_alone(path):
        return of_spec(library.read(path))
    directory = os.path.dirname(os.path.dirname(path)) or os.path.join(os.path.dirname(path), "..")
    specs = [one for one in library.files(directory) if library.stem(one) == library.stem(path)]
    if not specs:
        return _alone(path)
    return Literature(library.stem(path), library.read_listed(specs[0]), *_read(path, path))


def _alone(path: str) -> Literature:
    """A file of printed figures without a spec: entries that name no network mean its name's."""
    name, (tables, claims) = library.stem(path), _read(path)
    named_tables = tuple(
        table._replace(cells=tuple(_of_network(name, cell) for cell in table.cells))
        for table in tables
    )
    named_claims = tuple(
        claim._replace(
            where={
                letter: _of_network(name, figure) if isinstance(figure, Figure) else figure
                for letter, figure in claim.where.items()
            }
        )
        for claim in claims
    )
    return Literature(name, None, named_tables, named_claims)


def _of_network(name: str, entry: Any) -> Any:
    """A cell or a figure of a claim; one that names settings alone is of the network `name`."""
    is_named = entry.network and not entry.network.startswith("@")
    return entry if is_named else entry._replace(network=name + entry.network)


def _families(directory: str) -> Iterator[tuple[str, str]]:
    """Each family's spec and file of printed figures; either may be missing, and is then empty."""
    printed = {library.stem(path): path for path in _printed_files(directory)}
    for path in library.files(directory):
        yield path, printed.pop(library.stem(path), "")
    for path in printed.values():
        yield "", path


def _printed_files(directory: str) -> list[str]:
    """The files of printed figures beside the specs in a directory."""
    folder = os.path.join(directory, FOLDER)
    return library.files(folder) if os.path.isdir(folder) else []


def _beside(path: str) -> str:
    """The file of printed figures beside a spec; empty where there is none."""
    beside = _printed_files(os.path.dirname(path))
    return next((one for one in beside if library.stem(one) == library.stem(path)), "")


def _mention(paths: Sequence[str], names: Collection[str]) -> bool:
    texts = [plain(library.stem(path) + (library.text_of(path) or "")) for path in paths if path]
    return any(name in text for text in texts for name in names)


def _read(path: str, file: str = "") -> Entries:
    """The tables and claims of a file that has nothing else; `file` is used in messages."""
    directory, name = os.path.split(path)
    shipped = directory == os.path.join(library.shipped(), FOLDER)
    file = file or (f"specs/{FOLDER}/{name}" if shipped else path)
    return _parsed(reader.read(reader.read_file(path), file, WANTED), file, only=True)


def _parsed(root: reader.Mapping, file: str, *, only: bool = False) -> Entries:
    """The tables and claims of a file's tree; raises SpecErrors with everything that is wrong.

    With `only` other keys are wrong.
    """
    checker = Checker(file)
    tables: tuple[Published, ...] = ()
    claims: tuple[Claim, ...] = ()
    try:
        if only:
            checker.keys(root, ELSEWHERE, "a file of printed figures")
        tables = entries.tables(checker, root.get("published"))
        claims = entries.claims(checker, root.get("claims"))
    except TooMany:
        pass
    if checker.errors:
        raise SpecErrors(sorted(checker.errors, key=lambda error: error.place or Place(file, 0, 0)))
    return tables, claims
