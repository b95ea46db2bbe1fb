"""What else a cutover switches: streams with their producers, and schedules."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from heavylift.spec.base import ConnectionId, Name, SpecModel, Text
from heavylift.spec.quantities import Seconds


class StreamFence(StrEnum):
    """What keeps a stream's producers from writing to a side."""

    ACL = "acl"
    MARKER = "marker"


class SwitchedStream(SpecModel):
    """A stream whose producers are switched with the workload."""

    stream: Name = Field(description="Its name in streams.")
    fence: StreamFence = Field(
        default=StreamFence.ACL,
        description="acl: the brokers refuse the producers; marker: producers read the fence topic and hold"
        " themselves back.",
    )
    principals: tuple[Text, ...] = Field(
        default=(), description="With acl: the producers, as User:name; never Heavylift's own."
    )
    settle: Seconds = Field(
        default=1, ge=0, le=60, description="How long the stream must be still before it counts as drained."
    )


class ScheduleAdapter(StrEnum):
    """What starts the runs."""

    AIRFLOW = "airflow"
    EVENTBRIDGE_SCHEDULER = "eventbridge_scheduler"
    EVENTBRIDGE_RULE = "eventbridge_rule"
    CLOUD_SCHEDULER = "cloud_scheduler"
    CRONJOB = "cronjob"


class MissedRuns(StrEnum):
    """What becomes of runs that were due while the schedule was held on both sides."""

    RUN = "run"
    TELL = "tell"


class ScheduleSide(SpecModel):
    """One side of a schedule."""

    adapter: ScheduleAdapter = Field(description="The scheduler.")
    connection: ConnectionId = Field(description="The Airflow connection of it.")
    id: Text = Field(
        min_length=1,
        description="airflow: the DAG; eventbridge_scheduler: group/name; eventbridge_rule: bus/name;"
        " cloud_scheduler: location/name; cronjob: namespace/name.",
    )


class SwitchedSchedule(SpecModel):
    """A schedule that runs on one side, and never on both."""

    name: Name = Field(description="Unique in this section.")
    source: ScheduleSide = Field(description="Where it runs before the cutover.")
    target: ScheduleSide = Field(description="Where it runs afterwards; held until then.")
    cron: Text = Field(description="When it is due on both sides: five fields.")
    timezone: Text = Field(default="UTC", description="The time zone of cron.")
    missed: MissedRuns = Field(
        default=MissedRuns.RUN,
        description="Runs that were due while it was held: run one in place of all, or only tell of them.",
    )
