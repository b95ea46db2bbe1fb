"""Sections for what surrounds the data: infrastructure, cutover.

They are typed and checked already; :mod:`heavylift.spec.support` says which of them this
version can carry out.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from heavylift.spec.base import ConnectionId, Count, CronSchedule, Name, Number, SpecModel, Text, Url
from heavylift.spec.canary_rules import Analysis
from heavylift.spec.quantities import Seconds
from heavylift.spec.sections_capacity import Capacity
from heavylift.spec.sections_switching import SwitchedSchedule, SwitchedStream
from heavylift.spec.vocabulary import Platform


class AcceptedUntranslated(SpecModel):
    """Components that get no infrastructure, and need none."""

    component: Text = Field(
        min_length=1, description="Id of a component, or a pattern of ids (* stands for any text)."
    )
    reason: Text = Field(min_length=1, description="Why; kept as evidence.")


class Infrastructure(SpecModel):
    """The infrastructure that ``heavylift infra`` and the phase provision make on the target."""

    state: Url | None = Field(
        default=None,
        description="Where Terraform's state is kept: s3://, gs://, az:// or file://; in each folder where"
        " null, which the phase provision refuses.",
    )
    state_connection: ConnectionId | None = Field(
        default=None, description="Connection of that place: its region, or for az:// its storage account."
    )
    regions: tuple[Text, ...] = Field(
        default=(), description="Regions of the target that may be used; any where empty."
    )
    instance_types: dict[str, Text] = Field(
        default={}, description="Instance types chosen by hand: source type to target type."
    )
    labels: dict[str, Text] = Field(default={}, description="Labels that every resource carries.")
    variables: dict[str, Text | tuple[Text, ...]] = Field(
        default={},
        description="Values of variables without a default, for the phase provision; nothing secret.",
    )
    accept_untranslated: tuple[AcceptedUntranslated, ...] = Field(
        default=(), description="Components that get no infrastructure, with the reason why that is right."
    )


class TrafficAdapter(StrEnum):
    """What splits the live traffic."""

    ENVOY = "envoy"
    DNS = "dns"
    GATEWAY_API = "gateway_api"
    ENDPOINT = "endpoint"


class Route(SpecModel):
    """Something that leads requests or connections to one of the two sides."""

    adapter: TrafficAdapter = Field(
        description="envoy, dns, gateway_api or endpoint (the platform's own split)."
    )
    platform: Platform | None = Field(
        default=None, description="Whose service that is, where it is a platform's."
    )
    connection: ConnectionId = Field(description="The Airflow connection of it.")


class Traffic(Route):
    """How live traffic is moved."""

    shadow: Seconds = Field(
        default=600, ge=0, le=7 * 86_400, description="How long mirrored requests are compared first."
    )
    steps: tuple[Count, ...] = Field(
        default=(1, 5, 25, 50, 100),
        min_length=1,
        description="Percentages of traffic on the target, rising to 100.",
    )
    step_duration: Seconds = Field(
        default=600, ge=1, le=7 * 86_400, description="How long each step is watched at most."
    )


class Drills(SpecModel):
    """Fail-over drills: the rehearsal on a schedule, with what it would take and lose."""

    schedule: CronSchedule | None = Field(
        default=None,
        description="Five cron fields or a preset (@daily, @weekly, …), in UTC; by hand where null.",
    )
    overdue_after: Seconds = Field(
        default=8 * 86_400,
        ge=60,
        le=365 * 86_400,
        description="How old the last good drill may be; beyond it the workload is not ready, and people are"
        " told.",
    )
    max_rto: Seconds | None = Field(
        default=None, ge=1, le=30 * 86_400, description="Longest accepted time that a fail-over takes."
    )
    max_rpo: Seconds | None = Field(
        default=None,
        ge=1,
        le=30 * 86_400,
        description="Longest accepted time of changes that would be lost with the source.",
    )
    max_rto_back: Seconds | None = Field(
        default=None, ge=1, le=30 * 86_400, description="Likewise of the way back; null: as max_rto."
    )
    max_rpo_back: Seconds | None = Field(
        default=None,
        ge=1,
        le=30 * 86_400,
        description="Likewise of the way back, once writes are on the target; null: as max_rpo.",
    )

    @property
    def back_bounds(self) -> tuple[float | None, float | None]:
        """The longest accepted RTO and RPO of the way back."""
        return self.max_rto_back or self.max_rto, self.max_rpo_back or self.max_rpo


class Cutover(SpecModel):
    """How the live workload is switched, and when it is switched back."""

    runbook_owner: Text = Field(min_length=1, description="Who answers for it on the day.")
    traffic: Traffic | None = Field(default=None, description="How live traffic is moved.")
    writers: Route | None = Field(
        default=None,
        description="What leads the workload's writers to a database; where left out, people repoint them.",
    )
    streams: tuple[SwitchedStream, ...] = Field(
        default=(), description="Streams that are switched; the others go on being mirrored only."
    )
    registries: tuple[Name, ...] = Field(
        default=(),
        description="Registries whose clients are switched; they are followed by the log of their database.",
    )
    schedules: tuple[SwitchedSchedule, ...] = Field(
        default=(), description="Schedules that are held on one side and let run on the other."
    )
    max_write_pause: Seconds = Field(
        default=5, ge=1, le=86_400, description="Longest accepted pause of writes."
    )
    freeze_within: Seconds = Field(
        default=2,
        ge=1,
        le=3600,
        description="How long transactions under way may keep the freezing of writes waiting.",
    )
    max_lag: Seconds = Field(
        default=5, ge=0, le=86_400, description="Largest accepted lag before writes are frozen."
    )
    max_error_rate: Number = Field(
        default=0.001, ge=0.0, le=1.0, description="Beyond this, everything goes back."
    )
    max_latency_ratio: Number = Field(
        default=1.2, gt=0.0, description="Beyond this ratio of P95, everything goes back."
    )
    rehearsed_within: Seconds | None = Field(
        default=30 * 86_400,
        ge=3600,
        description="How old the last rehearsal may be; null where none is demanded.",
    )
    capacity: Capacity | None = Field(
        default=Capacity(),
        description="What the target must sustain before requests move to it; null where none is demanded.",
    )
    drills: Drills | None = Field(default=None, description="Fail-over drills on a schedule.")
    soak: Seconds = Field(
        default=7 * 86_400, ge=60, le=365 * 86_400, description="How long a rollback stays possible."
    )
    analysis: Analysis = Field(
        default=Analysis(), description="How the target is judged against the source meanwhile."
    )
