"""What a move would do, thing by thing, and what stands in its way: pure, from two readings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from heavylift.registry.catalogues.capabilities import Capabilities, Holder
from heavylift.registry.catalogues.description import Version
from heavylift.registry.catalogues.fitting import Fitted, FittedModel, fit
from heavylift.registry.catalogues.leaves import Leaves, digest_of, leaves_of
from heavylift.registry.catalogues.marks import Origin, fit_mark, marks_of
from heavylift.registry.catalogues.ports import HeldModel, HeldVersion, Write
from heavylift.registry.uris import UriMap

UNFINISHED = "~"
"""Begins the mark of what several requests change, until the last of them is answered."""
ALIASES, USERS = "aliases/", "metadata/"


class State(StrEnum):
    """How a thing of the target stands to the source's."""

    MISSING = "missing"
    EQUAL = "equal"
    BEHIND = "behind"
    OTHERS = "changed by others"


@dataclass(frozen=True)
class Thing:
    """One model or version: what it shall be, and what it is.

    :param leaves: as the source has them, before anything is fitted.
    :param there: leaves that the target has now.
    :param number: the version's number on the target; empty for a model, or where it is missing.
    """

    fitted: Fitted
    origin: Origin
    holder: Holder
    leaves: Leaves
    there: Leaves = field(default_factory=dict)
    pairs_there: Mapping[str, str] = field(default_factory=dict)
    state: State = State.MISSING
    number: str = ""

    @property
    def is_there(self) -> bool:
        """Tell whether the target has it."""
        return self.state is not State.MISSING

    @property
    def native_there(self) -> Leaves:
        """What has a place of its own on the target now."""
        pairs = self.holder.pairs
        kept = {pairs.path_of(key) for key in self.pairs_there} if pairs else set()
        return {
            path: value
            for path, value in self.there.items()
            if path not in kept and not path.startswith(USERS)
        }

    @property
    def stuck(self) -> tuple[str, ...]:
        """Paths that differ and cannot be changed there."""
        if self.state is State.MISSING:
            return ()
        wanted, there = self.fitted.native, self.native_there
        return tuple(
            each
            for each in sorted({*wanted, *there})
            if wanted.get(each) != there.get(each)
            and self.holder.is_frozen(each)
            and each not in self.fitted.kept
        )

    def making(self) -> tuple[Write, bool]:
        """Return the request that makes it, and whether a second one must follow."""
        late = {each for each in self.fitted.native if self.holder.is_late(each)}
        leaves = {path: value for path, value in self.fitted.leaves.items() if path not in late}
        native = {path: value for path, value in self.fitted.native.items() if path not in late}
        return Write(native, self.fitted.pairs | self._marks(leaves)), bool(late)

    def changing(self, made: Write | None = None) -> Write:
        """Return the request that brings it up to date.

        :param made: what was made just now, where it was missing.
        """
        there = self.native_there
        stuck = {path: there.get(path) for path in self.stuck}

        def settled(wanted: Leaves) -> Leaves:
            found = {path: value for path, value in wanted.items() if path not in stuck}
            return found | {path: value for path, value in stuck.items() if value is not None}

        pairs = self.fitted.pairs | self._marks(settled(self.fitted.leaves))
        native = settled(self.fitted.native)
        if made is not None:
            return Write(native, pairs, made.leaves, made.pairs)
        return Write(native, pairs, there, self.pairs_there)

    def _marks(self, leaves: Leaves) -> dict[str, str]:
        pairs = self.holder.pairs
        if pairs is None:
            return {}
        origin = self.origin
        return marks_of(
            Origin(origin.platform, origin.registry, origin.id, origin.version, digest_of(leaves)), pairs
        )


@dataclass(frozen=True)
class ModelPlan:
    """What becomes of one model.

    :param strangers: numbers of versions of a model of ours that Heavylift did not make.
    :param gone: numbers of ours that the source no longer has; they stay.
    :param taken: the name belongs to a model that is not ours.
    :param numbers: the source's number of each version of ours, those that are gone too, to the target's.
    """

    fitted: FittedModel
    name: str
    itself: Thing
    versions: tuple[Thing, ...]
    strangers: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    taken: bool = False
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What becomes of everything.

    :param gone: models of ours that the source no longer has.
    :param copied: something of ours is there.
    """

    models: tuple[ModelPlan, ...]
    gone: tuple[str, ...] = ()
    copied: bool = False

    def things(self) -> Iterator[Thing]:
        """Yield all models and versions."""
        for each in self.models:
            yield each.itself
            yield from each.versions


@dataclass(frozen=True)
class Planner:
    """Compares two readings.

    :param registry: under which name the move is known.
    :param map_names: a name that is taken is no conflict: another one is found.
    """

    source: str
    registry: str
    target: Capabilities
    uris: UriMap
    map_names: bool = False

    def plan(self, ours: Iterable[HeldModel], theirs: Iterable[HeldModel]) -> Plan:
        """Return what would be done."""
        there = list(theirs)
        by_id = {each.origin.id: each for each in there if each.origin and self._is_ours(each.origin)}
        names = {each.model.name for each in there}
        models, seen = [], set()
        for model in ours:
            key = self._mark(model.model.name)
            seen.add(key)
            models.append(self._model(model, by_id.get(key), names))
        gone = tuple(each.model.name for key, each in by_id.items() if key not in seen)
        return Plan(tuple(models), gone, bool(by_id))

    def _is_ours(self, origin: Origin) -> bool:
        return origin.registry == self._mark(self.registry)

    def _mark(self, value: str) -> str:
        pairs = self.target.version.pairs
        return value if pairs is None else fit_mark(value, pairs)

    def _model(self, held: HeldModel, there: HeldModel | None, names: set[str]) -> ModelPlan:
        model = held.model
        fitted = fit(model, self.target, self.uris)
        name, taken = fitted.target_name, False
        if there is not None:
            name = there.model.name
        elif name in names:
            taken = not self.map_names
            name = self._other(name, names)
        own = {
            each.origin.version: each
            for each in (there.versions if there else ())
            if each.origin and self._is_ours(each.origin)
        }
        versions = tuple(
            self._version(model.name, each, fitted.versions[each.number], own.get(self._mark(each.number)))
            for each in model.versions
        )
        marks = {self._mark(each.number) for each in model.versions}
        return ModelPlan(
            fitted,
            name,
            self._itself(model.name, fitted.itself, leaves_of(model), there),
            versions,
            strangers=tuple(
                each.version.number
                for each in (there.versions if there else ())
                if not each.origin or not self._is_ours(each.origin)
            ),
            gone=tuple(each.version.number for mark, each in own.items() if mark not in marks),
            taken=taken,
            numbers={mark: each.version.number for mark, each in own.items()},
        )

    def _other(self, name: str, names: set[str]) -> str:
        end = digest_of({"registry": self.registry})[:6]
        longest = self.target.name_longest or 10**6
        other = f"{name[: longest - len(end) - 1]}-{end}"
        return other if other not in names else name

    def _itself(self, name: str, fitted: Fitted, leaves: Leaves, there: HeldModel | None) -> Thing:
        origin = Origin(self.source, self.registry, name)
        if there is None:
            return Thing(fitted, origin, self.target.model, leaves)
        held = in_source_numbers(there)
        if self.target.model.pairs is None:
            # It bears no mark of its own: who changed it cannot be told, and the source wins.
            state = State.EQUAL if fitted.leaves == held else State.BEHIND
        else:
            state = state_of(fitted.leaves, held, there.origin)
        return Thing(fitted, origin, self.target.model, leaves, held, there.pairs, state)

    def _version(self, name: str, version: Version, fitted: Fitted, there: HeldVersion | None) -> Thing:
        origin, leaves = Origin(self.source, self.registry, name, version.number), leaves_of(version)
        if there is None:
            return Thing(fitted, origin, self.target.version, leaves)
        held = leaves_of(there.version)
        state = state_of(fitted.leaves, held, there.origin)
        return Thing(
            fitted, origin, self.target.version, leaves, held, there.pairs, state, there.version.number
        )


def in_source_numbers(there: HeldModel) -> Leaves:
    """Return a model's leaves with its aliases naming the source's numbers, as its versions' marks tell."""
    numbers = {each.version.number: each.origin.version for each in there.versions if each.origin}
    leaves = leaves_of(there.model)
    return {
        path: numbers.get(value, value) if path.startswith(ALIASES) else value
        for path, value in leaves.items()
    }


def state_of(wanted: Leaves, there: Leaves, origin: Origin | None) -> State:
    """Return how a thing that is there stands to what it shall be."""
    written = origin.digest if origin else ""
    if wanted == there:
        return State.EQUAL if written == digest_of(wanted) else State.BEHIND
    if written.startswith(UNFINISHED) or written == digest_of(there):
        return State.BEHIND
    return State.OTHERS
