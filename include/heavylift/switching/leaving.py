"""What routes and fences tell of a source's use: what databases and stores can't tell by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.cutover.world import observe
from heavylift.evidence.decommission_records import UnusedItem
from heavylift.fencing import Side
from heavylift.switching.parts import open_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heavylift.cutover.ports import Split
    from heavylift.cutover.world import World
    from heavylift.evidence.records import RunKey
    from heavylift.spec.model import MigrationSpec
    from heavylift.switching.parts import Connections


async def leaving_items(
    spec: MigrationSpec, run: RunKey, connections: Connections, *, aside: bool
) -> list[UnusedItem]:
    """Look whether any route still leads to the source, and whether its databases refuse writes.

    :param aside: the tables were set aside already, so that no fence on them can be asked for.
    :raises SpecError: the spec has no section cutover.
    """
    seen = spec.model_copy(update={"databases": (), "streams": ()}) if aside else spec
    async with open_parts(seen, run, connections) as parts:
        world = await observe(parts)
    return [*_routes(world), *_fences(world), *_schedules(world)]


def _routes(world: World) -> Iterator[UnusedItem]:
    for name, split in (("requests", world.requests), ("writers", world.writers)):
        if split is None:
            detail = "the spec names nothing that leads them: people have to know that nobody comes here"
            yield UnusedItem(item="route", subject=name, verdict="unknown", detail=detail)
        else:
            yield _route(name, split)


def _route(name: str, split: Split) -> UnusedItem:
    away = split.target_percent == 100
    told = f"{split.target_percent} % lead to the target, {split.mirror_percent} % are mirrored"
    return UnusedItem(item="route", subject=name, verdict="passed" if away else "failed", detail=told)


def _schedules(world: World) -> Iterator[UnusedItem]:
    for name, seen in world.schedules.items():
        held = not seen[Side.SOURCE].enabled
        told = "held on the source" if held else "the source starts runs"
        yield UnusedItem(item="schedule", subject=name, verdict="passed" if held else "failed", detail=told)


def _fences(world: World) -> Iterator[UnusedItem]:
    for name, stand in world.databases.items():
        frozen = stand.is_at(Side.TARGET)
        told = "the source refuses writes, the target takes them" if frozen else (
            f"source {stand.source.writes.value}, target {stand.target.writes.value}"
        )  # fmt: skip
        yield UnusedItem(item="fence", subject=name, verdict="passed" if frozen else "failed", detail=told)
