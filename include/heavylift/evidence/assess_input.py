"""What a plan is made from: components, what they need of each other, and what must be kept to.

A neutral form: an inventory is mapped to it, and a person can write it by hand. Nothing in it is a
default that somebody measured: where a number is not known it is None, and the plan says so.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from heavylift.evidence.base import Record

Platform = Literal["aws", "gcp", "azure", "kubernetes"]
Driver = Literal["cost", "performance", "compliance", "hardware", "effort"]
Bytes = Annotated[int, Field(ge=0, le=10**20)]
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=1, le=1e18, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=1, le=10**9)]
# Bounds far beyond anything real: within them no sum of the plan overflows.


def _a_day(text: str) -> str:
    date.fromisoformat(text)
    return text


class AcceleratorUse(Record):
    """The accelerators that a component runs on, or what it needs of others.

    :param instance_type: today's; its facts fill in what is left out here.
    :param memory_gib_each: what the work needs, as measured or known; without it all that today's has.
    :param network_gbps: what it needs between machines.
    :param machines: how many of them at once.
    """

    instance_type: str = ""
    vendor: str = ""
    model: str = ""
    count: Number | None = None
    memory_gib_each: Amount | None = None
    network_gbps: Amount | None = None
    machines: Number = 1


class Licence(Record):
    """A licence that a component needs.

    :param platforms: where it may be used; None where nobody has looked.
    """

    name: str
    platforms: tuple[Platform, ...] | None = None


class Component(Record):
    """One thing that has to move.

    :param kind: a word of the inventory, such as ``dataset``, ``database``, ``model`` or ``endpoint``.
    :param service: the platform's own name of the service, its Terraform type, or a capability of
        service_map.csv.
    :param change_bytes_per_day: how much of it is written anew in a day.
    :param sync_key: changes can be found by a key or time (object listings can); ``log_access``: by
        the database's log.
    :param partitions: parts that can be switched one at a time.
    :param log_retention_seconds: how long the source keeps its log.
    :param residency: jurisdictions or regions where it may lie; empty for anywhere.
    :param formats: of artifacts: ``pickle``, ``neuron``, ``tensorrt``, ``safetensors`` and the like.
    :param pickle_scan: what a scanner said of its pickles.
    :param uses: libraries and features found in its code, such as ``DynamicFrame``.
    :param requirements: lines of its requirements file.
    :param links: addresses in its settings.
    :param keys: names that a target might not hold, such as the longest ones.
    :param replicas: how many run at once; None where that makes no sense.
    :param quotas: what it needs of a target's quotas, by name.
    :param monthly_usd: what it costs on the source, for the time in which both sides run.
    :param unknown: of its numbers, those that nobody knows and that therefore stand for nothing.
    """

    id: str = Field(min_length=1)
    kind: str = ""
    service: str = ""
    owner: str = ""
    region: str = ""
    size_bytes: Bytes = 0
    objects: Bytes = 0
    largest_object_bytes: Bytes = 0
    change_bytes_per_day: Bytes = 0
    sync_key: bool | None = None
    hard_deletes: bool | None = None
    log_access: bool | None = None
    log_retention_seconds: Amount | None = None
    partitions: Number = 1
    downtime_seconds: Amount | None = None
    rpo_seconds: Amount | None = None
    rto_seconds: Amount | None = None
    reverse_sync: bool | None = None
    accelerator: AcceleratorUse | None = None
    residency: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    pickle_scan: Literal["safe", "unsafe"] | None = None
    uses: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    licences: tuple[Licence, ...] = ()
    links: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    replicas: int | None = Field(default=None, ge=0)
    quotas: dict[str, Amount] = Field(default_factory=dict)
    monthly_usd: Amount = 0.0
    unknown: tuple[Literal["size_bytes", "change_bytes_per_day"], ...] = ()

    @property
    def is_measured(self) -> bool:
        """Tell whether its size is known."""
        return "size_bytes" not in self.unknown


class Dependency(Record):
    """``component`` needs ``needs``: both by id."""

    component: str
    needs: str


class Line(Record):
    """A line between source and target that can be used or ordered.

    :param bits_per_second: its nominal rate, or with ``measured`` what a transfer got.
    :param setup_days: until it can be used.
    """

    name: str
    bits_per_second: Rate
    measured: bool = False
    usd_per_month: Amount = 0.0
    setup_days: Amount = 0.0


class Devices(Record):
    """Devices that are shipped, as somebody has an offer for.

    :param model: an id of devices.csv; by default the first that the target ingests and offers.
    :param usd_per_round: fee and shipping of all devices together; None where it is not known.
    """

    model: str = ""
    at_once: Number = 1
    owned: bool = False
    copy_bytes_per_second: Rate = 900e6
    turnaround_days: tuple[Amount, Amount, Amount] = (7.0, 8.5, 10.0)
    usd_per_round: Amount | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Devices:
        if list(self.turnaround_days) != sorted(self.turnaround_days):
            raise ValueError("turnaround_days are fewest, likely and most, in this order")
        return self


class QuotaLimit(Record):
    """One quota, as the platform tells it.

    :param key: by which :class:`QuotaRule` names it; ``name`` is for people.
    :param limit: None where there is none.
    :param used: of it, by whatever runs there already; None where nobody tells.
    :param ask: how to have it raised; ``{value}`` stands for what to ask for.
    :param each: it holds for each component by itself, and not for all of them together.
    """

    key: str
    name: str
    limit: Amount | None
    used: Amount | None = None
    unit: str = ""
    ask: str = ""
    each: bool = False


Per = Literal["", "gib"]


class QuotaRule(Record):
    """What takes how much of a quota.

    :param instance_type: each machine of this type; of all types where empty, then each component.
    :param capability: only of components of this capability; rules without are for all others.
    :param vendor: each accelerator by this maker that a component needs.
    :param per: ``gib``: each GiB of the component's size.
    """

    key: str
    instance_type: str = ""
    capability: str = ""
    vendor: str = ""
    per: Per = ""
    amount: Amount


class Target(Record):
    """One place to move to.

    :param missing: capabilities, services or instance types that its region does not offer.
    :param quotas: what may be used there, by name, as somebody has looked it up.
    :param limits: its quotas as the platform tells them, and ``rules`` what takes how much of them.
    :param monthly_usd: what the workload costs there, where somebody has reckoned it.
    :param certifications: what the place is certified for.
    """

    platform: Platform
    region: str = ""
    missing: tuple[str, ...] = ()
    quotas: dict[str, Amount] = Field(default_factory=dict)
    limits: tuple[QuotaLimit, ...] = ()
    rules: tuple[QuotaRule, ...] = ()
    monthly_usd: Amount | None = None
    certifications: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Platform and region."""
        return f"{self.platform}/{self.region}" if self.region else self.platform


class Constraints(Record):
    """What the plan must keep to.

    :param start: first day of the move, ISO date. Prices and laws are those of that day.
    :param downtime_seconds: of one wave, and of each component that says nothing else.
    :param deadline_days: until everything has moved, with nine chances in ten; None for no deadline.
    :param customer: jurisdiction of who signed the source's contract: ``EU``, ``UK``, ``US``.
    :param purpose: ``leave`` the source, or go on using both.
    :param claims: ids of egress regimes that the provider has granted in writing.
    :param keep_days: how long the source is kept after the last wave.
    :param certifications: what the target must be certified for.
    :param accepted_references: ids outside the list that somebody has looked at and accepts.
    """

    start: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_a_day)]
    downtime_seconds: Amount = 4 * 3600.0
    rpo_seconds: Amount | None = None
    rto_seconds: Amount | None = None
    deadline_days: Annotated[Amount, Field(gt=0)] | None = None
    lines: tuple[Line, ...] = Field(min_length=1)
    devices: Devices | None = None
    workers: Number = 32
    wave_bytes: Annotated[Bytes, Field(gt=0)] = 200 * 10**12
    wave_components: Number = 500
    residency: tuple[str, ...] = ()
    customer: str = ""
    purpose: Literal["leave", "in-parallel"] = "leave"
    claims: tuple[str, ...] = ()
    keep_days: Amount = 14.0
    certifications: tuple[str, ...] = ()
    accepted_references: tuple[str, ...] = ()
    weights: dict[Driver, Amount] = Field(default_factory=dict)


class PlanInput(Record):
    """All that a plan is made from.

    :param carried: digest of what a spec moves; whoever approves the plan approves that.
    """

    format: Literal[1] = 1
    migration: str = Field(min_length=1)
    carried: str = ""
    source: Platform
    targets: tuple[Target, ...] = Field(min_length=1)
    constraints: Constraints
    components: tuple[Component, ...] = Field(min_length=1)
    dependencies: tuple[Dependency, ...] = ()
