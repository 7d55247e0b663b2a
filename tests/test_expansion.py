"""Blocks that were there before are copied: the graph is as if they were expanded again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from zoo import REPEATED

from archcalc import analyze
from archcalc.errors import SpecError
from archcalc.spec import library
from archcalc.spec.expansion import _Expansion, expand

if TYPE_CHECKING:
    from archcalc.graph import Graph, Node, Scope, Tensor
    from archcalc.spec.model import Spec

GOOD = sorted((Path(__file__).parent / "cases" / "good").glob("*.yaml"))

PARTS = """
input: [4, 8, 8]
settings: {deep: false}
blocks:
  inner:
    arguments: {out: channels, word: plain}
    layers:
      - conv: {name: a, out: out, kernel: 1, label: "{word} {out}"}
      - conv: {name: b, out: out, kernel: 1, weights: a}
  body:
    arguments: {outs: required}
    layers:
      - relu: {name: first}
      - add:
          name: sum
          short: []
          deep:
            - when: {condition: deep, layers: [relu]}
          long:
            - for: {each: {out: outs}, layers: [inner: {out: out}]}
          side:
            - conv: {out: channels, kernel: 1, from: first}
      - concat: {from: [input, sum]}
      - conv: {out: 4, kernel: 1}
  nothing:
    layers:
      - when: {condition: deep, layers: [relu]}
  outward:
    layers:
      - add: {from: [input, stem]}
layers:
  - conv: {name: stem, out: 4, kernel: 1}
  - repeat: {times: 3, layers: [{body: {outs: [4, 4, 4], survival: 0.5}}, nothing, outward]}
  - body: {outs: [4, 4, 4], weights: body1}
  - body: {outs: [4, 4]}
  - conv: {name: stem2, out: 4, kernel: 1}
  - body: {outs: [4, 4, 4]}
"""


def told(graph: Graph) -> list[Any]:
    """All that a graph says, but for the builder that made its tensors."""
    scopes = [told_of_scope(scope) for scope in graph.root.walk()]
    outputs = [(one.name, told_of_tensor(one.tensor), one.auxiliary) for one in graph.outputs]
    return [*map(told_of_node, graph.nodes), *scopes, *outputs]


def told_of_tensor(tensor: Tensor | None) -> tuple[Any, ...] | None:
    return tensor and (tensor.node, tensor.port, tensor.shape)


def told_of_node(node: Node) -> tuple[Any, ...]:
    shared = node.shared_with and node.shared_with.index
    where = (node.index, node.path, node.source, node.label, node.times, shared)
    return (*where, node.op, *map(told_of_tensor, node.inputs), node.facts)


def told_of_scope(scope: Scope) -> tuple[Any, ...]:
    said = (scope.path, scope.kind, scope.source, scope.label, scope.times, scope.survival)
    children = {name: (type(child), child.path) for name, child in scope.children.items()}
    branches = {name: told_of_scope(branch) for name, branch in scope.branches.items()}
    ends = (told_of_tensor(scope.entry), told_of_tensor(scope.exit))
    return (*said, scope.arguments, list(children.items()), branches, *ends)


def expanded_whole(spec: Spec) -> Graph:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Expansion, "has_room", lambda *_: False)
        return expand(spec)


def copies(graph: Graph) -> int:
    """Scopes that share their arguments with another: those inside a copied block."""
    blocks = [scope.arguments for scope in graph.root.walk() if scope.arguments]
    return len(blocks) - len(set(map(id, blocks)))


def test_copied_blocks_are_as_if_expanded() -> None:
    spec = library.parse(PARTS, "parts.yaml")
    graph = expand(spec)
    assert told(graph) == told(expanded_whole(spec))
    assert copies(graph) == 9  # inner blocks, in three copies of body
    assert not copies(expanded_whole(spec))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_specs_are_as_if_expanded(path: Path) -> None:
    for spec in library.variants(library.read(str(path))):
        assert told(expand(spec)) == told(expanded_whole(spec))


@pytest.mark.slow
def test_all_networks_are_as_if_expanded() -> None:
    for spec in library.networks():
        assert told(expand(spec)) == told(expanded_whole(spec)), spec.network


@pytest.mark.slow
@pytest.mark.parametrize("name", REPEATED)
def test_a_repeated_network_has_the_layers_of_the_shorter_one(name: str) -> None:
    deep, short = (
        {(repr(node.op), node.facts.inputs) for node in analyze(network).graph.layers}
        for network in (name, REPEATED[name])
    )
    assert deep == short


def test_names_may_not_grow_too_long_in_a_copy() -> None:
    longest = "y" * 199
    blocks = (
        f"blocks: {{b: {{layers: [{{c: {{name: {longest}}}}}]}}, "
        f"c: {{layers: [{{relu: {{name: {longest}}}}}]}}}}"
    )
    head = f"input: [3]\n{blocks}\nlayers: [{{b: {{name: x}}}}, "
    fits, wider = (head + f"{{b: {{name: {'z' * length}}}}}]" for length in (100, 101))
    assert len(expand(library.parse(fits, "fits.yaml")).layers) == 2
    with pytest.raises(SpecError, match="at most 500 characters"):
        expand(library.parse(wider, "wider.yaml"))
