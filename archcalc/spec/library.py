"""Finding networks: by name among the shipped specs and the user's own, or by a file's path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from archcalc import words
from archcalc.errors import ArchcalcError, NetworkNotFound, did_you_mean, plain, received
from archcalc.spec import reader, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archcalc.spec.model import Spec

    OnError = Callable[[ArchcalcError], None]

VARIABLE = "ARCHCALC_SPECS"
SUFFIXES = (".yaml", ".yml")


def shipped() -> str:
    """The directory of the specs that come with archcalc."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = os.path.join(package, "specs")  # a wheel holds them; a checkout has them beside it
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "specs")


def directories(extra: Sequence[str] = ()) -> list[str]:
    """Where networks are looked for, in order: `extra`, $ARCHCALC_SPECS, the shipped ones."""
    named = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    for i, directory in enumerate((*extra, *named)):
        if not os.path.isdir(directory):
            of = f"{VARIABLE}: " if i >= len(extra) else ""
            problem = f"{of}expected a directory of specs, received {received(directory)}"
            raise NetworkNotFound(problem)
    return [*extra, *named, shipped()]


def parse(text: str, file: str, name: str | None = None, path: str = "") -> Spec:
    """The Spec of a text; `file` is used in messages. Raises SpecError or SpecErrors."""
    name = name or stem(file) or "network"
    return schema.check(reader.read(text, file), file, text, name)._replace(path=path)


def read(path: str) -> Spec:
    """The Spec in a file, no variant picked."""
    return parse(reader.read_file(path), path, path=path)


def read_listed(path: str) -> Spec:
    """The Spec in a file of a directory of specs; a shipped one is called without where it lies."""
    return parse(reader.read_file(path), told(path), path=path)


def stem(path: str) -> str:
    """A file's name without its suffix, which is the network's where the spec names none."""
    return os.path.splitext(os.path.basename(path))[0]


def find(name: str, specs: Sequence[str] = ()) -> Spec:
    """The Spec a name or a path means, its variant picked.

    Names match without regard to case, `-` and `_`. A path with several variants takes one after
    `#`: `vgg.yaml#vgg16`. Raises NetworkNotFound, with near names.
    """
    path, _, variant = name.partition("#")
    if (other := words.other_source(name)) and not _holds_a_spec(path):
        raise NetworkNotFound(
            f"expected a network's name or a spec, received {received(name)}, {other}",
            hint="only specs are read, YAML files as docs/spec.md describes",
        )
    if is_path(path):
        return pick(read(path), variant, path)
    if found := _named(name, directories(specs)):
        return found
    if os.path.isfile(path):
        return pick(read(path), variant, path)
    known = [spec.network for spec in networks(specs)]
    wanted = f"expected a network, received {received(name)}"
    raise NetworkNotFound(wanted, hint=words.network(name, known))


def matching(requests: Sequence[str], specs: Sequence[str] = ()) -> list[str]:
    """The requests, each pattern of names (`resnet*@resolution=64`) as the networks it matches.

    `*`, `?` and `[...]` are as in a shell; case, `-` and `_` do not matter. Raises NetworkNotFound
    where a pattern matches no network.
    """
    return [one for request in requests for one in _matched(request, specs)]


def _matched(request: str, specs: Sequence[str]) -> list[str]:
    from fnmatch import fnmatchcase

    name, at, settings = request.partition("@")
    if not any(sign in name for sign in "*?[") or is_path(name) or os.path.isfile(request):
        return [request]
    every = networks(specs)
    found = [spec.network for spec in every if fnmatchcase(plain(spec.network), plain(name))]
    if not found:
        raise NetworkNotFound(
            f"expected a pattern that matches networks' names, received {received(name)}, which "
            f"matches none of {len(every)}",
            hint="'archcalc list' shows them",
        )
    return [f"{network}{at}{settings}" for network in found]


def _holds_a_spec(path: str) -> bool:
    """Whether a file that is not called so is one: JSON is YAML as well."""
    return path.lower().endswith(".json") and '"layers"' in (text_of(path) or "")


def is_path(name: str) -> bool:
    """Whether a name means a file."""
    return name.lower().endswith(SUFFIXES) or os.sep in name or "/" in name


def pick(spec: Spec, variant: str, path: str) -> Spec:
    """A file's network: the variant asked for, or the only one."""
    every = variants(spec)
    if variant:
        for one in every:
            if plain(variant) in names(one):
                return one
        raise NetworkNotFound(
            f"expected a variant of {path}, received {received(variant)}",
            hint=_listed(path, every, variant),
        )
    if len(every) > 1:
        named = [one for one in every if plain(spec.name) in names(one)]
        if named:
            return named[0]
        raise NetworkNotFound(
            f"expected one network, received {path} with {len(every)}",
            hint=_listed(path, every, None),
        )
    return every[0]


def _listed(path: str, every: list[Spec], variant: str | None) -> str:
    known = [one.network for one in every]
    near = did_you_mean(variant, known) if variant else None
    return near or f"name one, such as {path}#{known[0]}: {', '.join(known)}"


def variants(spec: Spec) -> list[Spec]:
    """The networks of a file: its variants, or the spec itself where it has none."""
    if not spec.variants:
        return [spec]
    return [
        spec._replace(variant=variant, title=variant.title) for variant in spec.variants.values()
    ]


def names(spec: Spec) -> list[str]:
    """A network's name and its aliases, in plain letters."""
    aliases = spec.variant.aliases if spec.variant else spec.aliases
    return [plain(spec.network), *map(plain, aliases)]


def _named(name: str, places: list[str]) -> Spec | None:
    """The network of that name: only files whose text holds the name are read."""
    wanted = plain(name)
    problem: ArchcalcError | None = None
    for directory in places:
        for path, text in _candidates(wanted, directory):
            try:
                spec = parse(text, told(path), path=path)
            except ArchcalcError as error:
                if wanted == plain(stem(path)):
                    raise  # the file is named so: a namesake elsewhere would not be meant
                problem = problem or error
                continue
            for one in variants(spec):
                if wanted in names(one):
                    return one
            if wanted == plain(spec.name):
                problem = problem or _several(spec)
    if problem:
        raise problem
    return None


def _several(spec: Spec) -> NetworkNotFound:
    names = ", ".join(spec.variants)
    return NetworkNotFound(
        f"expected one network, received {spec.name}, which names {len(spec.variants)}",
        hint=f"name one: {names}",
    )


def told(path: str) -> str:
    """How a file is called in messages and documents: shipped ones without where they lie."""
    inside = os.path.dirname(path) == shipped()
    return f"specs/{os.path.basename(path)}" if inside else path


def _candidates(wanted: str, directory: str) -> Iterator[tuple[str, str]]:
    """Files that may declare the name, the likeliest first."""
    paths = sorted(files(directory), key=lambda path: (-_likeness(wanted, path), path))
    for path in paths:
        named = wanted == plain(stem(path))
        text = reader.read_file(path) if named else text_of(path)
        if text is not None and (named or wanted in plain(text)):
            yield path, text


def _likeness(wanted: str, path: str) -> int:
    """How much of the file's name and the wanted one are the same from the start."""
    name = plain(stem(path))
    pairs = zip(wanted, name, strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(wanted), len(name)))
    return same + (wanted == name)


def text_of(path: str) -> str | None:
    """A file's text; none where it can't be read."""
    try:
        return reader.read_file(path)
    except ArchcalcError:
        return None


def files(directory: str) -> list[str]:
    """The specs in a directory; a pipe or a directory of that name is none."""
    try:
        with os.scandir(directory) as entries:
            paths = [
                os.path.join(directory, entry.name)
                for entry in entries
                if entry.name.lower().endswith(SUFFIXES) and _may_be_read(entry)
            ]
    except OSError as error:
        place = received(directory, 1000)
        raise NetworkNotFound(f"can't read the directory {place}: {error.strerror}") from None
    return sorted(paths)


def _may_be_read(entry: os.DirEntry[str]) -> bool:
    if not entry.is_symlink():
        return entry.is_file()
    return os.path.isfile(entry.path) or not os.path.exists(entry.path)  # to nothing: an error


def networks(
    specs: Sequence[str] = (),
    on_error: OnError | None = None,
) -> list[Spec]:
    """Every network, the user's before the shipped ones.

    Files that can't be read are left out; `on_error` is told of each.
    """
    found: dict[str, Spec] = {}
    for directory in directories(specs):
        for path in files(directory):
            try:
                spec = read_listed(path)
            except ArchcalcError as error:
                if on_error is not None:
                    on_error(error)
                continue
            for one in variants(spec):
                found.setdefault(plain(one.network), one)
    return list(found.values())
