"""Verdicts on what is printed: of a file, of a network by all files, of everything."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from archcalc.errors import ArchcalcError, SpecError, SpecErrors, plain
from archcalc.published.literature import Literature, literature, of_spec
from archcalc.published.printed import QUOTED
from archcalc.published.verdicts import Subject, about, of_network, refusals, verdicts
from archcalc.spec import library
from archcalc.spec.checker import MOST_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.published.literature import OnError
    from archcalc.published.printed import Published
    from archcalc.published.verdicts import Resolve, Verdict
    from archcalc.spec.model import Spec

# What `compare` and others show of what is printed of a whole network.
WHOLE = frozenset({"params", "mult_adds", "flops", "depth", *QUOTED})


class Open(Protocol):
    """A function that opens a network, by its name or its spec, at settings: `alpha=0.5`."""

    def __call__(self, network: str | Spec, settings: str, /) -> Subject: ...


def resolver(family: Literature, opened: Open) -> Resolve:
    """What a request in a family's entries means: one of its own networks first."""
    own = {plain(spec.network): spec for spec in family.networks}

    def resolve(request: str) -> Subject:
        name, _, settings = request.partition("@")
        network = own.get(plain(name)) if name else family.spec
        return opened(network or name, settings)

    return resolve


def of_family(family: Literature, opened: Open) -> list[Verdict]:
    """The verdicts on everything in a family's files."""
    resolve = resolver(family, opened)
    return list(verdicts(family.tables, family.claims, resolve, family.tables))


def of_everything(
    opened: Open, specs: Sequence[str] = (), on_error: OnError | None = None
) -> dict[str, list[Verdict]]:
    """The verdicts on all that is printed, by the family's name.

    A family with an error is left out if `on_error` is given, which gets the error. Of two specs
    of one name only the first counts, as it does for everything else.
    """
    found: dict[str, list[Verdict]] = {}
    taken: set[str] = set()
    for family in literature(specs, on_error=on_error):
        if family.spec and family.name in taken:
            continue
        taken |= {family.name} if family.spec else set()
        if not family.tables and not family.claims:
            continue
        try:
            found.setdefault(family.name, []).extend(of_family(family, opened))
        except ArchcalcError as error:
            if on_error is None:
                raise
            on_error(error)
    return {name: found[name] for name in sorted(found) if found[name]}


def check(family: Literature, opened: Open) -> None:
    """Raise SpecError or SpecErrors for a family's figures and claims that can't be judged."""
    wrong = refusals(family.tables, family.claims, resolver(family, opened))
    errors = [error for error in islice(wrong, MOST_ERRORS) if isinstance(error, SpecError)]
    if errors:
        raise errors[0] if len(errors) == 1 else SpecErrors(errors)


def of_spec_network(
    spec: Spec, opened: Open, specs: Sequence[str] = (), on_error: OnError | None = None
) -> Iterator[Verdict]:
    """The verdicts about one network: of its own files, then of the others."""
    names = set(library.names(spec))
    own = of_spec(spec)
    entries: tuple[Any, Any] = (own.tables, own.claims)
    if spec.variant is not None:
        entries = about(names, *entries)
    yield from verdicts(*entries, resolver(own, opened), own.tables)
    for other in _others(spec, specs, on_error):
        try:
            said = about(names, other.tables, other.claims)
            yield from list(verdicts(*said, resolver(other, opened), other.tables))
        except ArchcalcError as error:
            if on_error is None:
                raise
            on_error(error)


def of_whole_network(
    spec: Spec,
    label: str,
    opened: Open,
    specs: Sequence[str] = (),
    on_error: OnError | None = None,
) -> list[Verdict]:
    """The verdicts on costs and accuracies of a whole network, at the settings of its label."""
    names = set(library.names(spec))
    found: list[Verdict] = []
    for family in (of_spec(spec), *_others(spec, specs, on_error)):
        tables, _ = about(names, family.tables, ())
        found += of_network(label, WHOLE, tables, resolver(family, opened))
    return found


def tables_of(spec: Spec) -> Sequence[Published]:
    """The tables of a network's own files that are about it."""
    names = library.names(spec)
    if spec.variant is None:
        names.append("")  # the one network of a file need not be named in it
    tables, _ = about(names, of_spec(spec).tables, ())
    return tables


def _others(spec: Spec, specs: Sequence[str], on_error: OnError | None) -> Iterator[Literature]:
    """What other families' files print of a network."""
    names = library.names(spec)
    for family in literature(specs, on_error=on_error, mentioning=names):
        if family.spec is None or family.spec.home != spec.home:
            yield family
