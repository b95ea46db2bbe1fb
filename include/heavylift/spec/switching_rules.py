"""Rules about what else a cutover switches: streams, registries and schedules."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from heavylift.spec.cron import check_cron
from heavylift.spec.model import MigrationSpec
from heavylift.spec.rule import Broken
from heavylift.spec.sections_data import Registry, RegistryKind, RegistryPath, StreamEngine
from heavylift.spec.sections_platform import Cutover
from heavylift.spec.sections_switching import MissedRuns, ScheduleAdapter, StreamFence, SwitchedStream
from heavylift.spec.vocabulary import Deletes

_PRINCIPAL = "User:"


def switching_rules(spec: MigrationSpec, cutover: Cutover) -> Iterator[Broken]:
    """Yield what is wrong with the streams and schedules that a cutover switches."""
    yield from _streams_are_there(spec, cutover)
    for index, each in enumerate(cutover.streams):
        yield from _fence_fits(spec, index, each)
    yield from _registries_are_there(spec, cutover)
    yield from _schedules_can_be_read(cutover)
    yield from _schedules_have_two_sides(cutover)


def _streams_are_there(spec: MigrationSpec, cutover: Cutover) -> Iterator[Broken]:
    names = [stream.name for stream in spec.streams]
    seen: set[str] = set()
    for index, each in enumerate(cutover.streams):
        if each.stream not in names or each.stream in seen:
            why = "twice" if each.stream in seen else "which is no stream of this spec"
            yield Broken(
                "9640",
                ("cutover", "streams", index, "stream"),
                f"{each.stream!r}, {why}",
                " or ".join(names) or "a stream of the section streams",
            )
        seen.add(each.stream)


def _registries_are_there(spec: MigrationSpec, cutover: Cutover) -> Iterator[Broken]:
    known = {each.name: (index, each) for index, each in enumerate(spec.registries)}
    seen: set[str] = set()
    for index, name in enumerate(cutover.registries):
        if name not in known or name in seen:
            why = "twice" if name in seen else "which is no registry of this spec"
            wanted = " or ".join(known) or "a registry of the section registries"
            yield Broken("9551", ("cutover", "registries", index), f"{name!r}, {why}", wanted)
        elif name not in seen:
            yield from _registry_can_follow(*known[name])
        seen.add(name)


def _registry_can_follow(index: int, each: Registry) -> Iterator[Broken]:
    if each.deletes is not Deletes.PROPAGATE:
        yield Broken(
            "9552",
            ("registries", index, "deletes"),
            f"{each.deletes.value}, of a registry that a cutover switches",
            "propagate: its log is followed whole, so that either side can take over",
        )
    kinds = {each.source.kind, each.target.kind}
    if kinds != {RegistryKind.MLFLOW} or each.path is RegistryPath.API:
        told = " and ".join(sorted(kind.value for kind in kinds)) + f", path {each.path.value}"
        yield Broken(
            "9553",
            ("cutover", "registries"),
            f"{each.name!r}: {told}",
            "registries of MLflow that move by their databases, which are PostgreSQL",
        )


def _fence_fits(spec: MigrationSpec, index: int, each: SwitchedStream) -> Iterator[Broken]:
    path = ("cutover", "streams", index, "principals")
    if each.fence is StreamFence.MARKER:
        if each.principals:
            yield Broken("9641", path, "principals with the fence marker", "none: producers hold back")
        return
    wrong = [name for name in each.principals if not name.startswith(_PRINCIPAL) or name[5:] in ("", "*")]
    if wrong or not each.principals:
        yield Broken(
            "9641",
            path,
            ", ".join(wrong) or "no principals, so that nobody would be refused",
            "the producers by name, as User:orders; not User:*, which would refuse the mirror, too",
        )
    stream = next((stream for stream in spec.streams if stream.name == each.stream), None)
    for side in ("source", "target"):
        if stream is not None and getattr(stream, side).engine is StreamEngine.EVENT_HUBS:
            yield Broken(
                "9642",
                ("cutover", "streams", index, "fence"),
                f"acl, where the {side} is event_hubs",
                "marker: Event Hubs has no ACLs of Kafka's",
            )


def _schedules_can_be_read(cutover: Cutover) -> Iterator[Broken]:
    names: set[str] = set()
    for index, each in enumerate(cutover.schedules):
        at = ("cutover", "schedules", index)
        problem = check_cron(each.cron)
        if problem is not None:
            yield Broken("9643", (*at, "cron"), f"{each.cron!r} {problem.hint}".strip(), problem.expected)
        try:
            ZoneInfo(each.timezone)
        except (ValueError, OSError, KeyError):
            yield Broken("9644", (*at, "timezone"), repr(each.timezone), "a time zone: Europe/Berlin")
        if each.name in names:
            yield Broken("9645", (*at, "name"), f"{each.name!r}, twice", "a name of its own")
        names.add(each.name)


def _schedules_have_two_sides(cutover: Cutover) -> Iterator[Broken]:
    for index, each in enumerate(cutover.schedules):
        at = ("cutover", "schedules", index)
        if each.source == each.target:
            yield Broken("9646", (*at, "target"), "the schedule of the source", "another one")
        adapters = (each.source.adapter, each.target.adapter)
        if each.missed is MissedRuns.RUN and ScheduleAdapter.EVENTBRIDGE_RULE in adapters:
            yield Broken(
                "9647",
                (*at, "missed"),
                "run, with eventbridge_rule, which starts no single run",
                "tell",
            )
