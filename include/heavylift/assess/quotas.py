"""What components take of a target's quotas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from heavylift.assess.advice import Fate
from heavylift.evidence.assess_input import Component, QuotaLimit, QuotaRule, Target
from heavylift.facts.accelerators import Need

_GIB = 2**30


class Quotas:
    """One target's quotas: those that it told itself, and those that somebody looked up.

    :param target: where the components go.
    :param need: tells what accelerators a component needs.
    """

    def __init__(self, target: Target, need: Callable[[Component], Need | None]) -> None:
        self._need = need
        self.stated = target.quotas
        self.limits: Mapping[str, QuotaLimit] = {each.key: each for each in target.limits}
        self._rules: dict[tuple[str, str], list[QuotaRule]] = defaultdict(list)
        self._vendors: dict[str, list[QuotaRule]] = defaultdict(list)
        for rule in target.rules:
            if rule.vendor:
                self._vendors[rule.vendor].append(rule)
                continue
            self._rules[rule.instance_type, rule.capability].append(rule)

    def needed(self, component: Component, fate: Fate) -> dict[str, float]:
        """Return what a component takes of which quota; its machines by their type where none is known."""
        needed: dict[str, float] = dict(component.quotas)
        for rule in self._rules.get(("", fate.capability or ""), ()):
            times = 1.0 if not rule.per else (component.size_bytes or 0) / _GIB
            needed[rule.key] = needed.get(rule.key, 0.0) + rule.amount * times
        self._devices(component, needed)
        use, match = component.accelerator, fate.accelerator
        if use is None or match is None or match.instance is None:
            return needed
        name, machines = match.instance.name, float(use.machines)
        rules = self._of(name, fate.capability or "")
        for rule in rules:
            needed[rule.key] = needed.get(rule.key, 0.0) + rule.amount * machines
        if not rules or name in self.stated:
            needed.setdefault(name, machines)
        return needed

    def _devices(self, component: Component, needed: dict[str, float]) -> None:
        """Add the devices that a component needs; of what holds for each machine, those of one."""
        use = component.accelerator
        need = self._need(component) if use and self._vendors else None
        if use is None or need is None:
            return
        for rule in self._vendors.get(need.vendor, ()):
            machines = 1 if self.each(rule.key) else use.machines
            needed[rule.key] = needed.get(rule.key, 0.0) + rule.amount * need.count * machines

    def each(self, name: str) -> bool:
        """Tell whether a quota holds for each component by itself."""
        return name in self.limits and self.limits[name].each and name not in self.stated

    def _of(self, instance: str, capability: str) -> Sequence[QuotaRule]:
        """Return the rules of a type for a capability; a managed service has quotas of its own."""
        own = self._rules.get((instance, capability), ()) if capability else ()
        return own or self._rules.get((instance, ""), ())

    def knows(self, name: str) -> bool:
        """Tell whether there is a figure for a quota."""
        return name in self.stated or name in self.limits

    def short(self, name: str, needed: float) -> str:
        """Return what is wrong with a quota, and how to ask for more; empty where it suffices."""
        if name in self.stated:
            there = self.stated[name]
            return f"{name}: {needed:g} needed by all together, {there:g} there" if there < needed else ""
        limit = self.limits.get(name)
        if limit is None or limit.limit is None or limit.limit - (limit.used or 0.0) >= needed:
            return ""
        unit = f" {limit.unit}" if limit.unit else ""
        used = "of which nobody tells what is used" if limit.used is None else f"{limit.used:g} used"
        ask = limit.ask.replace("{value}", f"{needed + (limit.used or 0.0):g}")
        if limit.each:
            said = f"{limit.name}: {needed:g}{unit} needed at once, {limit.limit:g} allowed"
            return f"{said}. To ask for more: {ask}"
        return (
            f"{limit.name}: {needed:g}{unit} needed by all together, {limit.limit:g} allowed, {used}."
            f" To ask for more: {ask}"
        )
