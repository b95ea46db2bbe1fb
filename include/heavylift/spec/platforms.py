"""The top sections that say where the workload is, where it goes and how tasks behave."""

from __future__ import annotations

from pydantic import Field

from heavylift.spec.base import ConnectionId, Count, CronSchedule, SpecModel, Text, Url
from heavylift.spec.quantities import Seconds
from heavylift.spec.sections_datasets import LimitOverrides
from heavylift.spec.vocabulary import Occasion, Phase, Platform


class Side(SpecModel):
    """One side of the migration."""

    platform: Platform = Field(description="aws, gcp, azure or kubernetes (also on-premises).")
    connection: ConnectionId = Field(
        description="The Airflow connection that is used unless a dataset names its own."
    )
    region: Text | None = Field(default=None, description="Region, for people and for the report.")


class EvidenceStore(SpecModel):
    """Where manifests, gate results, the report and the audit trail are kept."""

    connection: ConnectionId = Field(
        default="evidence", description="The Airflow connection of the evidence store."
    )
    url: Url | None = Field(
        default=None, description="Where in it; by default where the connection itself points."
    )


class Schedule(SpecModel):
    """When the phases that repeat are started."""

    sync: CronSchedule | None = Field(
        default=None,
        description="Five cron fields or a preset (@hourly, @daily, …), in UTC; by hand where null.",
    )
    registry: CronSchedule | None = Field(
        default=None, description="When registries are brought up to date, written likewise."
    )
    drift: CronSchedule | None = Field(
        default=None, description="When infrastructure is looked at for drift, written likewise."
    )
    monitor: CronSchedule | None = Field(
        default=None, description="When what the section monitor names is looked at, written likewise."
    )


class PhaseDeadline(SpecModel):
    """How long a run of one phase may take before somebody is told."""

    phase: Phase = Field(description="The phase.")
    within: Seconds = Field(ge=60, le=90 * 86_400, description="From the moment that the run was queued.")


class Notify(SpecModel):
    """Whom to tell of what."""

    connection: ConnectionId = Field(
        description="Connection of the channel: type http (a web hook), slackwebhook, or smtp."
    )
    recipients: tuple[Text, ...] = Field(default=(), description="Addresses or channel names.")
    on: tuple[Occasion, ...] = Field(
        default=(Occasion.FAILURE, Occasion.APPROVAL), description="What is told; each thing once."
    )
    late_syncs: Count = Field(
        default=3,
        ge=1,
        le=5,
        description="With deadline: syncs in a row beyond max_lag after which it is told.",
    )
    deadlines: tuple[PhaseDeadline, ...] = Field(
        default=(), description="With deadline: how long runs of a phase may take."
    )


class Defaults(SpecModel):
    """What holds for every dataset and task unless it says otherwise."""

    retries: Count = Field(default=5, ge=0, le=50, description="Retries of a task after a transient error.")
    retry_delay: Seconds = Field(
        default=30, ge=1, le=3600, description="Wait before the first retry; it doubles with each one."
    )
    max_retry_delay: Seconds = Field(
        default=600, ge=1, le=86_400, description="The longest wait between two retries."
    )
    limits: LimitOverrides = Field(default=LimitOverrides(), description="Limits of every dataset.")
    prices: Text | None = Field(
        default=None,
        description="CSV file with prices of your own, beside this file or with its whole path.",
    )
