"""Amazon EventBridge: schedules of the Scheduler, and rules with a schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.schedules.marks import read_mark, with_mark
from heavylift.cutover.schedules.ports import Seen
from heavylift.cutover.schedules.setting import (
    Looked,
    SetSchedule,
    epoch_in,
    no_such_schedule,
    run_name,
    wrong_schedule_connection,
)
from heavylift.errors import NotFoundError, PermanentError
from heavylift.evidence.records import utc_now
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of

_TAG = "heavylift-epoch"
_SCHEDULER, _EVENTS = "scheduler", "events"
_KEPT = (
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "StartDate",
    "EndDate",
    "KmsKeyArn",
    "ActionAfterCompletion",
)
"""An update replaces all of a schedule: what is not sent again is lost."""
_SOON = timedelta(seconds=60)
_EXISTS = "ConflictException"


class EventBridgeSchedule(SetSchedule):
    """One schedule of EventBridge Scheduler; the epoch ends its description, for a schedule has no tags.

    It tells nothing of its runs. A single run is a schedule of its own, once, that deletes itself.

    :param connection: type ``aws``.
    :param schedule: ``name``, or ``group/name``.
    """

    def __init__(self, connection: Connection, schedule: str) -> None:
        super().__init__(f"schedule {schedule} of EventBridge")
        group, _, name = schedule.rpartition("/")
        self._names = {"GroupName": group or "default", "Name": name}
        self._aws = _Aws(connection, _SCHEDULER, {"UpdateSchedule", "CreateSchedule"})

    async def look(self) -> Looked:
        """Return whether it is enabled."""
        try:
            found = await self._aws.call("GetSchedule", self._names)
        except NotFoundError as error:
            raise no_such_schedule(self.name, "no schedule of that name", "one in that group") from error
        enabled = found.get("State") == "ENABLED"
        return Looked(Seen(enabled, read_mark(str(found.get("Description") or ""))), found)

    async def change(self, seen: Looked, *, enabled: bool, epoch: int) -> None:
        """Send the whole schedule again, with another state and epoch."""
        description = with_mark(str(seen.found.get("Description") or ""), epoch)
        wanted = {"State": "ENABLED" if enabled else "DISABLED", "Description": description}
        await self._aws.change("UpdateSchedule", {**self._names, **_kept(seen.found), **wanted})

    async def run_once(self, due: datetime) -> bool:
        """Make a schedule of the same target that runs once, a minute from now."""
        found = (await self.look()).found
        at = (utc_now() + _SOON).astimezone(UTC)
        once = {
            "GroupName": self._names["GroupName"],
            "Name": f"{self._names['Name'][:30]}-{run_name(due)}",
            "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": found["Target"],
            "ActionAfterCompletion": "DELETE",
            "State": "ENABLED",
            "ClientToken": run_name(due),
        }
        try:
            await self._aws.change("CreateSchedule", once)
        except PermanentError as error:
            if _EXISTS not in str(error):
                raise
        return True


class EventBridgeRule(SetSchedule):
    """One rule of EventBridge with a schedule; the epoch is a tag. No run is told, and none can be started.

    The tag is written first, so that a lower epoch is refused from then on.

    :param connection: type ``aws``.
    :param rule: ``name``, or ``bus/name``.
    """

    def __init__(self, connection: Connection, rule: str) -> None:
        super().__init__(f"rule {rule} of EventBridge")
        bus, _, name = rule.rpartition("/")
        self._names = {"EventBusName": bus or "default", "Name": name}
        self._aws = _Aws(connection, _EVENTS, {"EnableRule", "DisableRule", "TagResource"})

    async def look(self) -> Looked:
        """Return whether it is enabled."""
        try:
            found = await self._aws.call("DescribeRule", self._names)
        except NotFoundError as error:
            raise no_such_schedule(self.name, "no rule of that name", "one on that bus") from error
        if not found.get("ScheduleExpression"):
            raise no_such_schedule(self.name, "a rule of events", "a rule with a schedule")
        tags = await self._aws.call("ListTagsForResource", {"ResourceARN": str(found["Arn"])})
        marks = {str(each["Key"]): str(each["Value"]) for each in tags.get("Tags") or ()}
        return Looked(Seen(found.get("State") != "DISABLED", epoch_in(marks.get(_TAG))), found)

    async def change(self, seen: Looked, *, enabled: bool, epoch: int) -> None:
        """Write the tag, then enable or disable."""
        tags = [{"Key": _TAG, "Value": str(epoch)}]
        await self._aws.change("TagResource", {"ResourceARN": str(seen.found["Arn"]), "Tags": tags})
        if seen.seen.enabled != enabled:
            await self._aws.change("EnableRule" if enabled else "DisableRule", self._names)


class _Aws:
    """One service's reads and the changes that are named."""

    def __init__(self, connection: Connection, service: str, allowed: set[str]) -> None:
        if connection.conn_type != "aws":
            raise wrong_schedule_connection(connection, f"the type {connection.conn_type!r}", "type aws")
        self._service, self._region = service, region_of(connection)
        self._reads = AwsControlPlane(connection)
        self._writes = AwsChanges(connection, self._reads, frozenset(allowed))

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return await asyncio.to_thread(self._reads.call, self._service, operation, self._region, arguments)

    async def change(self, operation: str, arguments: Mapping[str, Any]) -> None:
        await asyncio.to_thread(self._writes.change, self._service, operation, self._region, arguments)


def _kept(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in _KEPT if found.get(name) is not None}
