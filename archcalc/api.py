"""The Python API: load, analyze, tabulate, explain. `archcalc` itself exports it, lazily."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from archcalc import values
from archcalc.analysis import Analysis
from archcalc.errors import (
    ArchcalcError,
    InputWarning,
    NetworkNotFound,
    SettingError,
    one_line,
    received,
)
from archcalc.frontends import requests
from archcalc.graph import Graph, collector_paused
from archcalc.packages import imported, require
from archcalc.spec import expansion, library
from archcalc.spec.model import Spec

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from archcalc.analysis.explain import Explanation
    from archcalc.analysis.memory import Memory
    from archcalc.analysis.paths import Paths
    from archcalc.analysis.tools.accounts import Reconciliation
    from archcalc.published.literature import Literature
    from archcalc.published.printed import Published
    from archcalc.published.reproduction import Open
    from archcalc.published.verdicts import Verdict
    from archcalc.pytorch.model import Device, Dtype
    from archcalc.pytorch.model import Network as Model
    from archcalc.pytorch.verify import Verification
    from archcalc.report.model import Table
    from archcalc.spec.library import OnError

    Name = str | os.PathLike[str]  # of a network, or the path of its file
    Network = Name | Spec | Graph | Analysis
    Directories = Name | Sequence[Name]
    Shape = str | Sequence[int] | None


def load(network: Name | Spec, *, specs: Directories = ()) -> Spec:
    """The spec of a network's name or a file's path (`vgg.yaml#vgg16` where a file holds several).

    `specs` are directories (or one) to look in before $ARCHCALC_SPECS and the shipped ones. Raises
    NetworkNotFound, SpecError or SpecErrors.
    """
    where = values.paths("specs", specs)
    return network if isinstance(network, Spec) else library.find(_name(network), where)


def networks(*, specs: Directories = ()) -> list[str]:
    """The names of all networks, the user's before the shipped ones."""
    return [spec.network for spec in library.networks(values.paths("specs", specs))]


def expand(
    spec: Name | Spec,
    settings: Mapping[str, Any] | None = None,
    input: Shape = None,  # noqa: A002 - the option's name
) -> Graph:
    """The graph of a spec at these settings; `input` overrides its input shape.

    Raises SettingError for settings that can't be, SpecError for what the spec gets wrong.
    """
    return expansion.expand(load(spec), values.exact_settings(settings), _shape(input))


def opened(request: str, specs: Sequence[str] = ()) -> tuple[Spec, dict[str, Any]]:
    """The spec and the settings that a request such as `mobilenet@alpha=0.5` asks for."""
    name, settings = requests.parse(request)
    return library.find(name, specs), settings


def analyze(
    network: Name | Spec | Graph,
    *,
    batch: int = 1,
    dtype: str = "float32",
    input: Shape = None,  # noqa: A002 - the option's name
    specs: Directories = (),
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> Analysis:
    """What a network costs: rows for its layers and blocks, and totals.

    `network` is a name, a path, `NAME@key=value,key=value`, a Spec or a Graph; settings come from
    there, from `settings` and from keywords: `analyze("mobilenet", alpha=0.5)`. `input` overrides
    the input shape (channels first, without the batch): `(3, 224, 224)` or `"3x224x224"`.
    Mult-Adds, FLOPs and bytes are for the whole batch. NumPy's numbers and arrays may stand for
    Python's. Raises ArchcalcError's subclasses.
    """
    given = {**values.exact_settings(settings), **values.exact_settings(more)}
    where = values.paths("specs", specs)
    if isinstance(network, Graph):
        if given or input is not None:
            raise SettingError("a graph has no settings: expected none, received some")
        return Analysis(network, batch=batch, dtype=dtype)
    if not isinstance(network, Spec):
        network, asked = opened(_name(network), where)
        every = requests.combinations(network.settings, {**asked, **given})
        if len(every) > 1:
            raise SettingError(
                f"expected one value for each setting, received {len(every)} networks"
            )
        [given] = every
    with collector_paused():
        graph = expansion.expand(network, given, _shape(input))
        return Analysis(graph, batch=batch, dtype=dtype)


def analysis_of(network: Network, **more: Any) -> Analysis:
    """An Analysis as it is; of all else that names or is a network, what `analyze` gives."""
    if not isinstance(network, Analysis):
        return analyze(network, **more)
    if given := sorted(more.keys() - {"specs"}):
        raise SettingError(
            f"an Analysis has its settings, batch and input: expected none, received "
            f"{', '.join(given)}"
        )
    return network


def _spec_of(network: object) -> Spec | None:
    """The spec that a graph or an analysis is from, where it is from one."""
    graph = network.graph if isinstance(network, Analysis) else network
    origin = graph.about.origin if isinstance(graph, Graph) else None
    return origin if isinstance(origin, Spec) else None


def _name(network: object) -> str:
    """A network's name or path as text; raises NetworkNotFound for what is neither."""
    text = values.path_text(network)
    if text is None:
        raise NetworkNotFound(
            "expected a network (a name, a path, a Spec, a Graph), received " + received(network),
            hint="it is analyzed already" if isinstance(network, Analysis) else None,
        )
    return text


def _shape(given: object) -> Sequence[int] | None:
    """An input shape; raises SettingError for what is no list of sizes."""
    shape = None if given is None else values.shape(given)
    if shape is None or (isinstance(shape, tuple) and all(type(size) is int for size in shape)):
        return shape
    raise SettingError(
        f"input: expected sizes such as (3, 224, 224) or '3x224x224', received {received(given)}"
    )


def analyze_all(
    asked: Name,
    *,
    batch: int = 1,
    dtype: str = "float32",
    input: Sequence[int] | None = None,  # noqa: A002 - the option's name
    specs: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> list[Analysis]:
    """The analyses a request stands for: a list as a setting's value is one network for each item.

    `mobilenet@alpha=[1.0,0.75,0.5,0.25]` is four.
    """
    spec, own = opened(_name(asked), values.paths("specs", specs))
    given = {**own, **values.exact_settings(settings)}
    return [
        analyze(spec, batch=batch, dtype=dtype, input=input, settings=one)
        for one in requests.combinations(spec.settings, given)
    ]


def build(
    network: Network,
    *,
    device: str | Device = "cpu",
    dtype: str | Dtype = "float32",
    seed: int = 0,
    **more: Any,
) -> Model:
    """A network as a PyTorch model in training mode, its first weights drawn from `seed`.

    It takes (batch, channels, *spatial) and gives the output, or a dictionary of outputs where
    there are several. Its `state_dict` has the spec's names, with `.` for `/`. On the device
    "meta" it has shapes and no memory. `network` and `more` (settings, input) are as for `analyze`.
    Raises ArchcalcError's subclasses; imports torch.
    """
    from archcalc.analysis.costs import DTYPES, built_bytes
    from archcalc.machine import check_memory

    require("torch", "build")
    analysis = analysis_of(network, **more)
    kind = values.dtype_name(dtype)
    if isinstance(device, str) and device == "cpu" and kind in DTYPES:
        check_memory(analysis.label, "its model", built_bytes(analysis.graph.layers, kind))
    imported("torch", "build")
    from archcalc.pytorch.model import build as built

    return built(analysis.graph, device=device, dtype=dtype, seed=seed)


def tabulate(  # noqa: PLR0913 - options, by name
    network: Network,
    *,
    columns: str | Sequence[str] | None = None,
    depth: int | None = None,
    fold: bool = False,
    sort: str | None = None,
    top: int | None = None,
    counting: str | None = None,
    **more: Any,
) -> Table:
    """The table of a network, as `archcalc table` prints it.

    `columns` are keys in a list or as text (`"name,params"`), `"all"`, or the name of a table that
    the spec declares (`"paper"`); `depth` shows that many levels and sums what is below; `fold`
    merges norms and activations into the layer they follow; `sort` is a numeric column's key,
    largest first; `top` how many; `counting` a tool's name, or `"paper"`, by which Mult-Adds and
    params are counted. `network` and `more` (settings, batch, input) are as for `analyze`. Raises
    ArchcalcError's subclasses.
    """
    from archcalc.report.table import tabulate as tabulated

    analysis = analysis_of(network, **more)
    return tabulated(
        analysis, columns=columns, depth=depth, fold=fold, sort=sort, top=top,
        counting=counting, printed=partial(_printed_tables, analysis),
    )  # fmt: skip


def _printed_tables(analysis: Analysis) -> Sequence[Published]:
    """The tables that are published of a network itself, in the files of its spec."""
    from archcalc.published.reproduction import tables_of

    spec = _spec_of(analysis)
    return () if spec is None else tables_of(spec)


def explain(network: Network, layer: str | None = None, **more: Any) -> list[Explanation]:
    """The derivation of every number of a layer or block, or of all layers and the network.

    `network` and `more` (settings, batch, input) are as for `analyze`.
    """
    from archcalc.analysis.explain import explain as explained

    return list(explained(analysis_of(network, **more), layer))


# Printed figures, and paths.


def reproduce(
    network: Network | None = None, *, specs: Directories = (), on_error: OnError | None = None
) -> list[Verdict]:
    """Verdicts on what papers print of a network, each cell and each claim.

    Those of its spec (of a file with several networks those about this one, unless the file itself
    is asked for), then what other specs have about it; of all networks if none is given. Raises
    NetworkNotFound, or SpecError where a cell names what is not there; errors of specs that were
    not asked for go to `on_error` if it is given, and these specs are left out.
    """
    from archcalc.published import literature, reproduction

    where = values.paths("specs", specs)
    if network is None:
        every = reproduce_all(specs=where, on_error=on_error)
        return [one for found in every.values() for one in found]
    spec = network if isinstance(network, Spec) else _spec_of(network)
    if spec is None and isinstance(network, (Graph, Analysis)):
        raise NetworkNotFound("expected a network with a spec, received a graph of one's own")
    name = "" if spec else _name(network)
    if library.is_path(name) and "#" not in name:
        return reproduction.of_family(literature.of_path(name), opener(where))
    spec = spec or library.find(name, where)
    return list(reproduction.of_spec_network(spec, opener(where), where, on_error))


def reproduce_all(
    *, specs: Directories = (), on_error: OnError | None = None
) -> dict[str, list[Verdict]]:
    """The verdicts of every family of networks that has printed figures, by its name.

    One with an error is left out if `on_error` is given, which gets the error.
    """
    from archcalc.published import reproduction

    where = values.paths("specs", specs)
    with collector_paused():
        return reproduction.of_everything(opener(where), where, on_error)


def check_printed(family: Literature, *, specs: Sequence[str] = ()) -> None:
    """Raise SpecError or SpecErrors for a family's figures and claims that can't be judged."""
    from archcalc.published import reproduction

    reproduction.check(family, opener(specs))


def printed_of(
    analysis: Analysis, *, specs: Sequence[str] = (), on_error: OnError | None = None
) -> list[Verdict]:
    """Verdicts on what is printed of a whole network: its costs and accuracies, by all specs."""
    from archcalc.published.reproduction import of_whole_network

    spec = _spec_of(analysis)
    if spec is None:
        return []
    return of_whole_network(spec, analysis.label, opener(specs), specs, on_error)


class _Asked:
    """A network at some settings, analyzed when its analysis is asked for."""

    def __init__(self, spec: Spec, settings: Mapping[str, Any]) -> None:
        self.spec = spec
        self.settings = expansion.settled(spec, settings)
        self.label = spec.label(self.settings)

    @cached_property
    def analysis(self) -> Analysis:
        return analyze(self.spec, settings=self.settings)


def opener(specs: Sequence[str] = ()) -> Open:
    """A function that opens each network of printed figures, and analyzes it once."""
    by_request: dict[tuple[str, str], _Asked] = {}
    by_label: dict[tuple[str, str], _Asked] = {}  # by file and settings

    def opened(network: str | Spec, settings: str) -> _Asked:
        named = network if isinstance(network, str) else f"{network.home}#{network.network}"
        key = named, settings
        if key not in by_request:
            spec = library.find(network, specs) if isinstance(network, str) else network
            asked = _Asked(spec, dict(requests.pairs(settings)) if settings else {})
            by_request[key] = by_label.setdefault((spec.home, asked.label), asked)
        return by_request[key]

    return opened


def paths(network: Network, output: str | None = None, **more: Any) -> Paths:
    """The paths from the input to an output, by how many deeper branches of sums they go through.

    In a residual network these are its residual bodies. Where several outputs are not auxiliary,
    `output` must name one; `paths_by_output` takes each in turn. `network` and `more` (settings,
    input) are as for `analyze`. Raises ArchcalcError's subclasses.
    """
    from archcalc.analysis.paths import paths as followed

    return followed(analysis_of(network, **more), output)


def paths_by_output(network: Network, **more: Any) -> dict[str, Paths]:
    """The paths to each output that is not auxiliary, by the output's name."""
    from archcalc.analysis.paths import main_outputs

    analysis = analysis_of(network, **more)
    names = [output.name for output in main_outputs(analysis.graph)]
    return {name: paths(analysis, name) for name in names}


def memory(network: Network, *, in_place: bool = False, **more: Any) -> Memory:
    """What a network keeps in memory, at inference and in training, in bytes for the whole batch.

    With `in_place` activations are written over their input, where nobody else needs it. `network`
    and `more` (settings, batch, dtype, input) are as for `analyze`.
    """
    from archcalc.analysis.memory import Memory

    in_place = values.flag("in_place", in_place)
    return Memory(analysis_of(network, **more), in_place=in_place)


# The second witness.


def verify(network: Network, **more: Any) -> Verification:
    """A network's shapes, tensors, Mult-Adds and receptive fields against other witnesses.

    They are the model that `build` makes, other people's counters, and back-propagation.
    `network` and `more` (settings, input) are as for `analyze`. Raises ArchcalcError's subclasses;
    imports torch.
    """
    require("torch", "verify")
    analysis = analysis_of(network, **more)
    imported("torch", "verify")
    from archcalc.pytorch.verify import verify as verified

    return verified(analysis)


def reconcile(network: Network, *, tools: str | Sequence[str] = (), **more: Any) -> Reconciliation:
    """What other counters count of a network, and the named terms by which they differ.

    `tools` are those wanted (`archcalc.analysis.tools.TOOLS` has them all); all that are installed
    if none is named. Counts are for one input. `network` and `more` (settings, input) are as for
    `analyze`. Raises ArchcalcError's subclasses; imports torch.
    """
    require("torch", "reconcile")
    chosen = values.words("tools", tools, "tools' names, such as 'fvcore,thop'")
    check_tools(chosen)
    analysis = analysis_of(network, **more)
    imported("torch", "reconcile")
    from archcalc.pytorch.reconcile import reconcile as reconciled

    return reconciled(analysis, chosen)


def check_tools(tools: Sequence[str]) -> None:
    """Refuse tools that aren't known (SettingError) or not installed (PackageError)."""
    from archcalc.analysis.tools import named

    for name in tools:
        require(named(name).name, f"reconcile --tool {name}")


def verify_all(
    asked: Sequence[str],
    *,
    processes: int = 1,
    input: Sequence[int] | None = None,  # noqa: A002 - the option's name
    specs: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    on_error: OnError | None = None,
) -> tuple[int, Iterator[Verification | ArchcalcError]]:
    """How many networks some requests stand for, and their verifications as they come.

    An error comes in place of a network that can't be verified. In several `processes` a network
    is verified in one of them, and is such an error where that is killed; a script that asks for
    more than one must be guarded by `if __name__ == "__main__"`. What can't be analyzed is raised
    before anything is verified, or left out if `on_error` is given, which gets each error.
    """
    if processes < 1:
        raise SettingError(f"processes: expected at least 1, received {received(processes)}")
    analyses: list[Analysis] = []
    for text in asked:
        try:
            analyses += analyze_all(text, input=input, specs=specs, settings=settings)
        except ArchcalcError as error:
            if on_error is None:
                raise
            on_error(error)
    if processes == 1 or len(analyses) == 1:
        return len(analyses), map(_verified, analyses)
    return len(analyses), _in_processes(processes, analyses, input)


def _verified(analysis: Analysis) -> Verification | ArchcalcError:
    try:
        return verify(analysis)
    except ArchcalcError as error:
        return error


def _in_processes(
    processes: int, analyses: Sequence[Analysis], shape: Sequence[int] | None
) -> Iterator[Verification | ArchcalcError]:
    """The verifications in their order, each found in one of several new processes."""
    from archcalc.workers import Killed, spread

    # A file that is a pipe can be read once only, so that a process gets its text.
    tasks = [
        (spec.text, spec.file, spec.name, spec.network, one.settings, shape)
        for one in analyses
        for spec in [_spec_of(one)]
        if spec
    ]
    found = spread(_verified_apart, tasks, processes)
    for analysis, result in zip(analyses, found, strict=True):
        if isinstance(result, Killed):
            yield ArchcalcError(f"{one_line(analysis.label)} is not verified: {result}")
        else:
            yield result


def _verified_apart(
    task: tuple[str, str, str, str, Mapping[str, Any], Sequence[int] | None],
) -> Verification | ArchcalcError:
    import warnings

    text, file, stem, name, settings, shape = task
    warnings.simplefilter("ignore", InputWarning)  # the process that asks has said it
    every = library.variants(library.parse(text, file, stem))
    spec = next(one for one in every if one.network == name)
    return _verified(analyze(spec, input=shape, settings=settings))
