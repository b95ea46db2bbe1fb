"""Makes the files: a foundation and one root for each wave, with a module for each area."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heavylift.infra.derived import derived
from heavylift.infra.hcl import Block, Expr, render
from heavylift.infra.names import RULES, Names
from heavylift.infra.networks import Networks, networks_of
from heavylift.infra.states import State
from heavylift.infra.targets.catalog import target_of
from heavylift.infra.targets.target import FOUNDATION, Target, Variable
from heavylift.infra.template import Ask, Filling, Service, Used, places_of, resources
from heavylift.infra.things import Thing, Wanted

FOUNDATION_FOLDER = "foundation"
_NO_CAPABILITY = (
    "the plan names no capability that infrastructure is made for",
    "name its service in the spec",
)


@dataclass(frozen=True)
class Untranslated:
    """A component that gets no infrastructure, why, and what to do."""

    id: str
    capability: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Made:
    """A component that got infrastructure.

    :param defaults: settings that nobody told, for which a default stands.
    """

    id: str
    capability: str
    folder: str
    address: str
    name: str
    defaults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Generated:
    """All files, by path, and what they are made from.

    :param variables: of each root, with the description of those that a person must give; else empty.
    """

    files: Mapping[str, str]
    folders: tuple[str, ...]
    made: tuple[Made, ...]
    untranslated: tuple[Untranslated, ...]
    variables: Mapping[str, Mapping[str, str]]


@dataclass
class _Module:
    blocks: list[Block] = field(default_factory=list)
    outputs: list[Block] = field(default_factory=list)
    used: Used = field(default_factory=Used)


def generate(
    wanted: Wanted, labels: Mapping[str, str] | None = None, state: State | None = None
) -> Generated:
    """Return everything that the plan's components need on the target.

    The same arguments give the same files, to the byte.

    :param labels: of every resource, beside the migration's name.
    :param state: where the state of each root is kept; a file in its folder where None.
    :raises UnsupportedError: there are no tables for the target.
    """
    return _Generator(wanted, {"migration": wanted.migration, **(labels or {})}, state).run()


class _Generator:
    def __init__(self, wanted: Wanted, labels: Mapping[str, str], state: State | None) -> None:
        self._wanted, self._state = wanted, state
        self._target = target_of(wanted.target)
        self._names = Names(wanted.migration)
        self._labels = {_label_text(name): _label_text(text) for name, text in labels.items()}
        self._files: dict[str, str] = {}
        self._made: list[Made] = []
        self._not: list[Untranslated] = []
        self._variables_of: dict[str, dict[str, str]] = {}

    def run(self) -> Generated:
        networks = networks_of(self._wanted.things)
        self._foundation(networks)
        waves: dict[int, list[tuple[str, Service, Thing]]] = defaultdict(list)
        for thing in sorted(self._wanted.things, key=lambda each: each.id):
            if thing.id in networks.taken:
                continue
            found = self._service_of(thing, networks)
            if isinstance(found, Untranslated):
                self._not.append(found)
            else:
                waves[thing.wave].append((*found, thing))
        folders = [FOUNDATION_FOLDER]
        for number in sorted(waves):
            folder = f"wave-{number}"
            folders.append(folder)
            self._wave(folder, waves[number])
        return Generated(self._files, tuple(folders), tuple(self._made), tuple(self._not), self._variables_of)

    def _service_of(self, thing: Thing, networks: Networks) -> tuple[str, Service] | Untranslated:
        if thing.apart is not None:
            return Untranslated(thing.id, thing.capability, *thing.apart)
        if thing.id in networks.overlapping:
            return Untranslated(
                thing.id,
                thing.capability,
                f"its range overlaps that of {networks.overlapping[thing.id]} in the target's network",
                "give one of them another range on the target",
            )
        known = self._target.untranslated.get(thing.capability)
        found = self._target.find(thing.capability)
        if found is None or known is not None:
            reason, remedy = known or _NO_CAPABILITY
            return Untranslated(thing.id, thing.capability, reason, remedy)
        needed = found[1].needs
        if needed and not derived(thing.settings).get(needed):
            reason = f"the source tells no {needed} that could be translated"
            return Untranslated(
                thing.id, thing.capability, reason, "write it by hand beside the generated files"
            )
        return found

    def _foundation(self, networks: Networks) -> None:
        primary = networks.primary
        owner = primary.id if primary else self._wanted.migration
        service = self._target.base
        filling = Filling(
            owner,
            "base",
            primary.name if primary else self._wanted.migration,
            networks.cidrs,
            self._names,
            places_of(service, "base", by_role=True),
        )
        module = _Module(resources(service, filling), used=filling.used)
        outputs = {
            name: Expr(f"{filling.places[role]}.{attribute}")
            for name, (role, attribute) in self._target.outputs.items()
        }
        module.outputs = [Block("output", (name,), {"value": value}) for name, value in outputs.items()]
        values = {name: Expr(f"module.base.{name}") for name in outputs}
        out = Block("output", ("foundation",), {"description": "What the waves stand on.", "value": values})
        self._root(FOUNDATION_FOLDER, {"base": module}, [out])
        for thing in (primary, *networks.subnets):
            if thing:
                self._made.append(
                    Made(thing.id, thing.capability, FOUNDATION_FOLDER, "module.base", thing.name)
                )

    def _wave(self, folder: str, things: Sequence[tuple[str, Service, Thing]]) -> None:
        modules: dict[str, _Module] = defaultdict(_Module)
        ids: dict[str, dict[str, Any]] = defaultdict(dict)
        for area, service, thing in things:
            module = modules[area]
            label = self._names.give(f"{folder}/{area}", thing.name, thing.id, RULES["label"])
            places = places_of(service, label)
            settings = derived(thing.settings)
            filling = Filling(thing.id, label, thing.name, settings, self._names, places, module.used)
            defaults_before = set(module.used.defaults)
            module.used.defaults.clear()
            blocks = resources(service, filling)
            defaults = tuple(sorted(module.used.defaults))
            module.used.defaults |= defaults_before
            comment = _comment(thing, service, defaults)
            first = blocks[0]
            module.blocks += [dataclasses.replace(first, comment=comment), *blocks[1:]]
            ids[area][label] = Expr(f"{service.main.type}.{label}.{service.main.id}")
            address = f"module.{area}.{service.main.type}.{label}"
            name = _shown_name(first.body)
            self._made.append(
                Made(thing.id, thing.capability, folder, address, name, defaults, service.notes)
            )
        for area, module in modules.items():
            module.outputs = [
                Block("output", ("ids",), {"description": "Ids by resource.", "value": ids[area]})
            ]
        outputs = [
            Block("output", (area,), {"description": f"Ids of {area}.", "value": Expr(f"module.{area}.ids")})
            for area in modules
        ]
        self._root(folder, modules, outputs)

    def _root(self, folder: str, modules: Mapping[str, _Module], outputs: Sequence[Block]) -> None:
        shared = self._provider_variables() | {
            name for module in modules.values() for name in module.used.variables
        }
        asks = {name: ask for module in modules.values() for name, ask in module.used.asks.items()}
        calls = [_call(area, module) for area, module in modules.items()]
        self._files[f"{folder}/versions.tf"] = render(self._versions(folder))
        self._files[f"{folder}/main.tf"] = render(calls)
        self._files[f"{folder}/variables.tf"] = render(self._variables(shared, asks, with_defaults=True))
        self._files[f"{folder}/outputs.tf"] = render(outputs)
        for area, module in modules.items():
            inner = f"{folder}/modules/{area}"
            self._files[f"{inner}/main.tf"] = render(module.blocks)
            self._files[f"{inner}/outputs.tf"] = render(module.outputs)
            self._files[f"{inner}/variables.tf"] = render(
                self._variables(module.used.variables, module.used.asks, with_defaults=False)
            )
            self._files[f"{inner}/versions.tf"] = render([_demands(self._target, ())])
        self._variables_of[folder] = {name: ask.description for name, ask in asks.items()} | {
            name: "" if self._given(name) else self._target.variables[name].description for name in shared
        }

    def _versions(self, folder: str) -> list[Block]:
        inner = [self._state(folder)] if self._state else []
        return [
            _demands(self._target, inner),
            Block("provider", (self._target.provider,), self._target.settings),
        ]

    def _provider_variables(self) -> set[str]:
        return {name for name in self._target.variables if _names_variable(self._target.settings, name)}

    def _variables(
        self, shared: Iterable[str], asks: Mapping[str, Ask], *, with_defaults: bool
    ) -> list[Block]:
        found = []
        for name in sorted(shared):
            variable = self._target.variables[name]
            default = self._default(name, variable)
            body: dict[str, Any] = {"description": variable.description, "type": Expr(variable.type)}
            if with_defaults and default is not None:
                body["default"] = default
            found.append(Block("variable", (name,), body))
        for name, ask in sorted(asks.items()):
            kind = "list(string)" if ask.many else "string"
            found.append(
                Block("variable", (name,), {"description": f"{ask.description}.", "type": Expr(kind)})
            )
        return found

    def _given(self, name: str) -> bool:
        """Tell whether a variable needs no person: it has a default, or the foundation tells it."""
        variable = self._target.variables[name]
        return variable is FOUNDATION or self._default(name, variable) is not None

    def _default(self, name: str, variable: Variable) -> Any:
        if name == "labels":
            return self._labels
        if name in ("region", "location") and self._wanted.region:
            return self._wanted.region
        return None if variable is FOUNDATION else variable.default


def _demands(target: Target, inner: Sequence[Block]) -> Block:
    provider = {"source": f"hashicorp/{target.provider}", "version": f"~> {target.version}"}
    body: dict[str, Any] = {"required_version": ">= 1.11"}
    body["required_providers"] = Block("required_providers", body={target.provider: provider})
    if inner:
        body["backend"] = list(inner)
    return Block("terraform", body=body)


def _call(area: str, module: _Module) -> Block:
    names = sorted({*module.used.variables, *module.used.asks})
    body: dict[str, Any] = {"source": f"./modules/{area}"}
    return Block("module", (area,), body | {name: Expr(f"var.{name}") for name in names})


def _comment(thing: Thing, service: Service, defaults: Sequence[str]) -> tuple[str, ...]:
    lines = [f"{thing.id}" + (f" ({thing.native_type})" if thing.native_type else "")]
    if defaults:
        lines.append(f"Not told by the source, so defaults: {', '.join(defaults)}")
    return (*lines, *service.notes)


def _shown_name(body: Mapping[str, Any]) -> str:
    """Return the name that the resource got, where it is plain text."""
    for key, value in body.items():
        if isinstance(value, str) and key in _NAMING:
            return value
    return ""


_NAMING = frozenset(
    {"name", "bucket", "identifier", "repository_id", "secret_id", "display_name", "dataset_id", "cluster_id"}
)


def _names_variable(value: Any, name: str) -> bool:
    if isinstance(value, Expr):
        return value.text == f"var.{name}"
    if isinstance(value, Mapping):
        return any(_names_variable(each, name) for each in value.values())
    if isinstance(value, Block):
        return _names_variable(value.body, name)
    return isinstance(value, list) and any(_names_variable(each, name) for each in value)


def _label_text(text: str) -> str:
    """Return a text that all three clouds accept as a label."""
    return "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "-"
        for letter in text.lower()
    )[:63]
