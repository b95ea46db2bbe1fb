"""Opening schedules of a spec: the one place that knows which adapter is which."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heavylift.cutover.schedules.ports import Schedule, SchedulePort
from heavylift.fencing import Side
from heavylift.spec.sections_switching import ScheduleAdapter

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.spec.sections_switching import ScheduleSide, SwitchedSchedule


async def open_schedule(
    stack: AsyncExitStack, wanted: SwitchedSchedule, connections: Callable[[str], Connection]
) -> Schedule:
    """Open both sides of one schedule, and have ``stack`` close them; asks nobody yet.

    :raises ConnectionConfigError: a connection is of another kind, or lacks a field.
    """
    sides = {}
    for side, place in ((Side.SOURCE, wanted.source), (Side.TARGET, wanted.target)):
        sides[side] = _opened(place, connections(place.connection))
        stack.push_async_callback(sides[side].close)
    return Schedule(wanted.name, sides, wanted.cron, ZoneInfo(wanted.timezone), wanted.missed.value)


def _opened(place: ScheduleSide, connection: Connection) -> SchedulePort:
    if place.adapter is ScheduleAdapter.AIRFLOW:
        from heavylift.cutover.schedules.airflow import AirflowDag

        return AirflowDag(connection, place.id)
    if place.adapter is ScheduleAdapter.EVENTBRIDGE_SCHEDULER:
        from heavylift.cutover.schedules.eventbridge import EventBridgeSchedule

        return EventBridgeSchedule(connection, place.id)
    if place.adapter is ScheduleAdapter.EVENTBRIDGE_RULE:
        from heavylift.cutover.schedules.eventbridge import EventBridgeRule

        return EventBridgeRule(connection, place.id)
    if place.adapter is ScheduleAdapter.CLOUD_SCHEDULER:
        from heavylift.cutover.schedules.cloud_scheduler import CloudSchedulerJob

        return CloudSchedulerJob(connection, place.id)
    from heavylift.cutover.schedules.cronjob import CronJob

    return CronJob(connection, place.id)
