"""Settings and variants of a spec."""

from __future__ import annotations

from typing import Any

from archcalc.errors import did_you_mean, plain, received, shown
from archcalc.spec import model as m
from archcalc.spec.checker import Checker
from archcalc.spec.expressions import typed
from archcalc.spec.reader import Mapping, Marked, Scalar


class SettingsChecker(Checker):
    """Settings with their defaults, and the variants that set them."""

    def settings(self, node: Marked | None) -> dict[str, m.Setting]:
        found: dict[str, m.Setting] = {}
        for name, (key, value) in self.few(node, "settings", "with their defaults").items():
            if self.identifier(key, "a setting"):
                found[name] = self._setting(name, key, value)
        return found

    def _setting(self, name: str, key: Scalar, node: Marked) -> m.Setting:
        place = self.place(key)
        if not isinstance(node, Mapping):
            return m.Setting(name, self.value(node), None, None, "", place)
        self.keys(node, ("default", "choices", "minimum", "doc"), f"setting {name}")
        if "default" not in node.entries:
            self.error(node, f"setting {name}: expected 'default', received none")
        default, choices = node.get("default"), node.get("choices")
        before = len(self.errors)
        value = self.value(default) if default else 0
        allowed = tuple(map(self.value, self.sequence(choices, "a list"))) if choices else None
        least = self._minimum(node.get("minimum"))
        doc = self.text(node.get("doc"), "text")
        setting = m.Setting(name, value, allowed, least, doc, place)
        right = len(self.errors) == before
        if default and right and (problem := setting_problem(setting, value)):
            self.error(default, problem)
        return setting

    def _minimum(self, node: Marked | None) -> Any:
        if node is None:
            return None
        value = self.value(node)
        if typed(value) != "a number":
            self.expected(node, "minimum: a number")
            return None
        return value

    def variants(self, node: Marked | None, settings: dict[str, m.Setting]) -> dict[str, m.Variant]:
        mapping = self.mapping(node, "variants: names with their settings")
        if mapping is None:
            return {}
        if not mapping.entries:
            self.expected(mapping, "at least one variant")
        first: dict[str, str] = {}
        for name, (key, _) in mapping.entries.items():
            other = first.setdefault(plain(name), name)
            if other != name:
                self.error(
                    key,
                    f"expected variants with different names, received {name} after {other}",
                    "case, - and _ don't count",
                )
        return {
            name: self._variant(name, key, value, settings)
            for name, (key, value) in mapping.entries.items()
        }

    def _variant(
        self, name: str, key: Scalar, node: Marked, settings: dict[str, m.Setting]
    ) -> m.Variant:
        self.check_name(key, name)
        mapping = self.mapping(node, "title, aliases and settings of a variant") or Mapping(0, 0)
        self.keys(mapping, ("title", "aliases", "settings"), f"variant {name}")
        own = self.mapping(mapping.get("settings"), "settings with their values") or Mapping(0, 0)
        values = {}
        for setting, (setting_key, value) in own.entries.items():
            if setting not in settings:
                hint = did_you_mean(setting, settings)
                what = f"variant {name}: expected a setting, received {received(setting)}"
                self.error(setting_key, what, hint)
                continue
            values[setting] = self.value(value)
            problem = setting_problem(settings[setting], values[setting])
            if problem:
                self.error(value, f"variant {name}: {problem}")
        return m.Variant(
            name,
            self.text(mapping.get("title"), "a title") or name,
            self.words(mapping.get("aliases"), "a list of names"),
            values,
            self.place(key),
        )


def setting_problem(setting: m.Setting, value: Any) -> str | None:
    """Why a setting can't have this value; None where it can."""
    kind, wanted = typed(value), typed(setting.default)
    if setting.choices is not None and not any(_same(value, one) for one in setting.choices):
        choices = ", ".join(map(shown, setting.choices))
        wanted, kind = f"one of {choices}", ""
    if kind != wanted:
        return f"setting {setting.name}: expected {wanted}, received {received(shown(value))}"
    if setting.minimum is not None and (kind != "a number" or value < setting.minimum):
        least = shown(setting.minimum)
        return f"setting {setting.name}: expected at least {least}, received {shown(value)}"
    return None


def _same(value: Any, other: Any) -> bool:
    return typed(value) == typed(other) and bool(value == other)
