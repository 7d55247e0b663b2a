"""Requests: what a user writes for a network, parsed and not opened.

`NAME@key=value,key=value` names a network (or a file) and its settings; a list as a value asks for
one network for each of its items.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import SettingError, SpecError, received
from archcalc.spec import reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.spec.model import Setting

MOST_NETWORKS = 1000  # that one request may stand for


class Request(NamedTuple):
    """The network's name or its file's path, and the settings asked for."""

    network: str
    settings: dict[str, Any]


def parse(text: str) -> Request:
    """A request taken apart; the path of a file may hold an `@`. Raises SettingError."""
    name, at, rest = text.partition("@")
    if not at or os.path.isfile(text):
        return Request(text, {})
    if not rest:
        raise SettingError(f"expected key=value after '@', received {received(text)}")
    return Request(name, dict(pairs(rest)))


def pairs(text: str) -> Iterator[tuple[str, Any]]:
    """`key=value,key=value`, with lists in brackets."""
    depth, start = 0, 0
    for i, sign in enumerate(text + ","):
        depth += (sign == "[") - (sign == "]")
        if sign == "," and depth <= 0:
            yield pair(text[start:i])
            start = i + 1
    if depth > 0:
        raise SettingError(f"expected ']' to close the list, received {received(text)}")


def pair(text: str) -> tuple[str, Any]:
    """`key=value`, the value read as a spec would read it."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise SettingError(f"expected key=value, received {received(text)}")
    return key.strip(), value_of(value.strip())


def value_of(text: str) -> Any:
    """A setting's value from text: 0.5, true, a word, [1, 2]."""
    if not text.startswith("["):
        value = reader.scalar(text)
        return text if value is None else value  # null is a word like any other here
    try:
        node = reader.read(f"value: {text}", "value").entries["value"][1]
    except SpecError:
        raise SettingError(f"expected a list such as [1, 2], received {received(text)}") from None
    return _listed(node)


def _listed(node: reader.Marked) -> Any:
    if isinstance(node, reader.Sequence):
        return [_listed(item) for item in node.items]
    if isinstance(node, reader.Scalar):
        return node.value
    raise SettingError("expected numbers and words in a list, received a mapping")


def combinations(declared: Mapping[str, Setting], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the listed values, for settings that are not lists themselves."""
    combined: list[dict[str, Any]] = [{}]
    for name, value in given.items():
        each = value if _asks_for_several(declared.get(name), value) else [value]
        if len(combined) * len(each) > MOST_NETWORKS:
            wanted = f"expected at most {MOST_NETWORKS} combinations of settings, received more"
            raise SettingError(wanted)
        combined = [{**settings, name: item} for settings in combined for item in each]
    return combined


def _asks_for_several(setting: Setting | None, value: Any) -> bool:
    """Whether a value is a list of values; where a setting is a list, it is a list of lists."""
    if setting is None or not isinstance(value, (list, tuple)) or not value:
        return False
    if isinstance(setting.default, list):
        return all(isinstance(item, (list, tuple)) for item in value)
    return True
