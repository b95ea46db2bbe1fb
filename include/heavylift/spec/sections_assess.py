"""The ``assess`` section: what is looked at on the source, and what the plan must keep to."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from heavylift.spec.base import ConnectionId, Count, Flag, Number, SpecModel, Text, Url, wrong
from heavylift.spec.quantities import BytesPerSecond, Seconds, SizeBytes
from heavylift.spec.sections_models import ModelMetric
from heavylift.spec.vocabulary import Platform, System

DAY = 86_400
TB = 10**12

_ShortText = Annotated[Text, Field(min_length=1, max_length=1000)]
_Money = Annotated[Number, Field(ge=0.0, le=1e12)]
_Weight = Annotated[Number, Field(ge=0.0, le=1000.0)]


def _check_target(value: str) -> str:
    if not value.strip("*").strip():
        raise wrong("pattern", "a reference's target; '*' stands for any text, but not alone")
    return value


class BucketSizes(StrEnum):
    """Where the sizes of buckets come from."""

    METRICS = "metrics"
    LISTINGS = "listings"
    NONE = "none"


class Resource(StrEnum):
    """What a machine has and work uses."""

    CPU = "cpu"
    MEMORY = "memory"
    GPU = "gpu"
    GPU_MEMORY = "gpu_memory"


class UseUnit(StrEnum):
    """How a query tells a use."""

    SHARE = "share"
    PERCENT = "percent"


class AssessTarget(SpecModel):
    """One place that the workload may move to."""

    platform: Platform | None = Field(default=None, description="By default the spec's target.")
    region: Text | None = Field(default=None, description="By default the region of the spec's target.")
    missing: tuple[Text, ...] = Field(
        default=(), description="Capabilities, services or instance types that the region does not offer."
    )
    quotas: dict[str, _Money] = Field(default={}, description="What may be used there, by name.")
    monthly_usd: _Money | None = Field(
        default=None, description="What the workload costs there, where somebody has reckoned it."
    )
    certifications: tuple[Text, ...] = Field(default=(), description="What the place is certified for.")


class AssessLine(SpecModel):
    """A line between source and target that can be used or ordered."""

    name: _ShortText = Field(description="For people.")
    bandwidth: BytesPerSecond = Field(ge=1, le=10**15, description="Its rate.")
    measured: Flag = Field(
        default=False, description="Whether a transfer got that rate; otherwise it is what the line can do."
    )
    usd_per_month: _Money = Field(default=0.0, description="What it costs.")
    setup: Seconds = Field(default=0, le=3650 * DAY, description="How long until it can be used.")


class Drivers(SpecModel):
    """How much each driver weighs in the choice between targets."""

    cost: _Weight | None = Field(default=None, description="What egress and the target cost.")
    performance: _Weight | None = Field(default=None, description="How well accelerators fit.")
    compliance: _Weight | None = Field(default=None, description="Residency and certifications.")
    hardware: _Weight | None = Field(default=None, description="Whether the accelerators are there.")
    effort: _Weight | None = Field(default=None, description="How much has to be redesigned.")


class AssessComponent(SpecModel):
    """What people know of some components that no platform tells."""

    match: _ShortText = Field(
        description="Id or name of a component, or a pattern of them (* stands for any text); later entries"
        " win."
    )
    owner: Text | None = Field(default=None, description="Who decides about it.")
    service: Text | None = Field(
        default=None, description="Its service, where the inventory's is not what counts."
    )
    size: SizeBytes | None = Field(default=None, le=10**18, description="How large it is.")
    objects: Count | None = Field(default=None, ge=0, description="How many objects it has.")
    largest_object: SizeBytes | None = Field(default=None, description="How large its largest object is.")
    change_per_day: SizeBytes | None = Field(
        default=None, le=10**18, description="How much of it is written anew in a day; 0 where it rests."
    )
    downtime: Seconds | None = Field(default=None, description="Longest pause of writes that it bears.")
    rpo: Seconds | None = Field(default=None, description="How much may be lost at the switch, in time.")
    rto: Seconds | None = Field(default=None, description="How soon it must be back after a failed switch.")
    reverse_sync: Flag | None = Field(default=None, description="Whether changes are carried back.")
    sync_key: Flag | None = Field(default=None, description="Whether changes are found by a key or a time.")
    hard_deletes: Flag | None = Field(default=None, description="Whether rows are deleted without a trace.")
    log_access: Flag | None = Field(default=None, description="Whether its log of changes can be read.")
    log_retention: Seconds | None = Field(default=None, description="How long the source keeps that log.")
    partitions: Count | None = Field(
        default=None, ge=1, le=10**6, description="Parts that can be switched one at a time."
    )
    residency: tuple[Text, ...] = Field(
        default=(), description="Jurisdictions or regions where it may lie; anywhere where empty."
    )
    formats: tuple[Text, ...] = Field(default=(), description="Of artifacts: pickle, neuron, safetensors, …")
    replicas: Count | None = Field(default=None, ge=0, description="How many run at once.")
    monthly_usd: _Money | None = Field(default=None, description="What it costs on the source.")
    instance_type: Text | None = Field(default=None, description="The instance type that it runs on today.")
    memory_gib: _Money | None = Field(
        default=None, description="What its work needs of each accelerator, as measured."
    )


class AcceptedReference(SpecModel):
    """References to something outside the inventory that are all right as they are."""

    target: Annotated[_ShortText, AfterValidator(_check_target)] = Field(
        description="What is referred to; '*' stands for any text, but not alone."
    )
    reason: _ShortText = Field(description="Why; kept as evidence.")


class AcceptedFinding(SpecModel):
    """Findings that somebody accepts."""

    rule: Annotated[str, Field(pattern=r"^AS-[0-9]{3}$")] = Field(
        description="The rule's id, such as AS-242."
    )
    component: _ShortText = Field(
        default="*", description="Id of a component, or a pattern of ids (* stands for any text)."
    )
    reason: _ShortText = Field(description="Why; kept as evidence.")


class AcceptedGap(SpecModel):
    """Something that the inventory could not read, and need not."""

    subject: _ShortText = Field(
        description="The finding's subject, type or permission, or a pattern of them (* stands for any text)."
    )
    reason: _ShortText = Field(description="Why; kept as evidence.")


class AcceptedStay(SpecModel):
    """Components that hold data and stay where they are, or move by other means."""

    match: _ShortText = Field(
        description="Id or name of a component, or a pattern of them (* stands for any text)."
    )
    reason: _ShortText = Field(description="Why; kept as evidence.")


class AssessAlso(SpecModel):
    """A server, store or further account whose components belong to the workload."""

    system: System = Field(description="What it is.")
    connection: ConnectionId = Field(description="Connection with which it is read.")
    account: Text | None = Field(
        default=None, description="The account that must answer; another one is refused."
    )
    regions: tuple[Text, ...] = Field(
        default=(),
        description="Only these (of kubernetes namespaces, of postgresql databases); all where empty.",
    )
    skip: tuple[Text, ...] = Field(default=(), description="Types that are not read; each is a gap.")


def _check_rates(values: tuple[float, ...]) -> tuple[float, ...]:
    if not values or not all(0 < rate < 1e6 for rate in values) or list(values) != sorted(set(values)):
        raise wrong("rates", "numbers above 0, ascending, such as [5, 10, 20]")
    return values


class BaselineGolden(SpecModel):
    """Golden rows with labels, by which an endpoint's predictions are judged. Each row is asked twice."""

    inputs: Url = Field(description="Rows with their labels: Parquet, CSV or JSON.")
    connection: ConnectionId | None = Field(
        default=None, description="Connection of inputs; by default the source's."
    )
    label: _ShortText = Field(description="Column with the truth; it is not sent.")
    drop: tuple[Text, ...] = Field(default=(), description="Further columns that are no inputs.")
    slices: tuple[Text, ...] = Field(
        default=(), description="Columns by whose values metrics are told apart."
    )
    metrics: tuple[ModelMetric, ...] = Field(
        default=(),
        description="What is measured; where empty accuracy and f1 of labels, auc and log_loss of scores,"
        " rmse, mae and r2 of numbers.",
    )
    threshold: Number | None = Field(
        default=None,
        description="Where scores of two classes are answered: from here on it is the larger label.",
    )
    rows_per_request: Count = Field(default=100, ge=1, le=10_000, description="Rows of one request.")


class AssessBaseline(SpecModel):
    """An endpoint that is asked, at stepped rates, what it does today. It is a load on the live endpoint."""

    connection: ConnectionId = Field(description="Connection of the endpoint, type http.")
    requests: Url = Field(
        description="File or object with the bodies of requests, one JSON document a line: golden or recorded"
        " ones."
    )
    requests_connection: ConnectionId | None = Field(
        default=None, description="Connection of requests; by default the source's."
    )
    path: Text = Field(default="", description="In place of the path of the connection's URL.")
    rates: Annotated[tuple[Number, ...], AfterValidator(_check_rates)] = Field(
        default=(1.0, 2.0, 5.0, 10.0, 20.0),
        description="Requests a second, ascending; the first that is not sustained ends it.",
    )
    step: Seconds = Field(default=10, ge=1, le=DAY, description="How long at each rate.")
    warm_up: Seconds = Field(default=3, le=DAY, description="Before that, not counted.")
    connections: Count = Field(default=64, ge=1, le=4096, description="Open at once, at most.")
    timeout: Seconds = Field(
        default=30, ge=1, le=3600, description="From the moment a request is due; then it is an error."
    )
    max_error_rate: Annotated[Number, Field(ge=0.0, le=1.0)] = Field(
        default=0.01, description="Share of errors of a rate that still counts as sustained."
    )
    usd_per_hour: _Money | None = Field(
        default=None, description="Price of the endpoint, for the cost of 1,000 predictions."
    )
    golden: BaselineGolden | None = Field(
        default=None, description="Rows with labels, by which its predictions are judged as well."
    )


class UtilisationQuery(SpecModel):
    """A query of one's own to Prometheus, for what no platform publishes."""

    component: _ShortText = Field(description="Id of a component of the inventory.")
    use: Resource = Field(description="What it tells the use of: cpu, memory, gpu or gpu_memory.")
    query: _ShortText = Field(description="PromQL that gives one series, from 0 on.")
    unit: UseUnit = Field(default=UseUnit.SHARE, description="share (from 0 to 1) or percent.")


class AssessUtilisation(SpecModel):
    """What the source's machines use, as its monitoring tells. Only read."""

    period: Seconds = Field(default=14 * DAY, ge=3600, le=400 * DAY, description="How far it looks back.")
    resolution: Seconds = Field(
        default=3600, ge=60, le=DAY, description="Between two values; whole minutes. Jobs are read finer."
    )
    prometheus_connection: ConnectionId | None = Field(
        default=None, description="Connection of Prometheus, type http: for Kubernetes, and for queries."
    )
    queries: tuple[UtilisationQuery, ...] = Field(
        default=(), max_length=500, description="Queries of your own, for what no platform publishes."
    )
    max_components: Count = Field(
        default=500, ge=1, le=20_000, description="Components that are read, at most."
    )
    max_jobs: Count = Field(default=100, ge=0, le=5000, description="Jobs, the newest ones, at most.")


class AssessQuotas(SpecModel):
    """A region whose quotas are read; a target with that platform and region is judged by them."""

    platform: Platform = Field(description="aws, gcp, azure or kubernetes.")
    region: _ShortText = Field(
        description="Its name on the platform; of kubernetes the namespace, or cluster for its nodes alone."
    )
    connection: ConnectionId = Field(description="Connection with which they are read.")


class Assess(SpecModel):
    """What is looked at on the source, and what the plan must keep to."""

    connection: ConnectionId | None = Field(
        default=None, description="Connection with which the source is read; by default the source's."
    )
    account: Text | None = Field(
        default=None, description="The account, subscription or project; another one is refused."
    )
    regions: tuple[Text, ...] = Field(
        default=(), description="Regions that are read; all that are enabled where empty."
    )
    skip: tuple[Text, ...] = Field(
        default=(), description="Types that are not read, such as AWS::EC2::Volume; each is a gap."
    )
    also: tuple[AssessAlso, ...] = Field(
        default=(),
        max_length=50,
        description="What is listed beside the source: databases, brokers, tracking servers, stores.",
    )
    baselines: tuple[AssessBaseline, ...] = Field(
        default=(), max_length=100, description="Live endpoints that are measured; a load on each of them."
    )
    utilisation: AssessUtilisation | None = Field(
        default=None, description="Whether and how it is read what machines use; not read where left out."
    )
    quotas: tuple[AssessQuotas, ...] = Field(
        default=(), max_length=40, description="Regions whose quotas are read, of targets and of the source."
    )
    max_requests: Number = Field(default=50.0, ge=0.1, le=10_000.0, description="Requests a second, at most.")
    bucket_sizes: BucketSizes = Field(
        default=BucketSizes.METRICS,
        description="Where sizes of buckets come from: metrics, listings (of larger ones metrics), or none.",
    )
    listing_limit: Count = Field(
        default=1_000_000,
        ge=1,
        le=10**9,
        description="Objects of one bucket that are listed at most; a larger one's size is its metric's.",
    )
    targets: tuple[AssessTarget, ...] = Field(
        default=(), max_length=20, description="Places to choose from; by default the spec's target."
    )
    lines: tuple[AssessLine, ...] = Field(
        min_length=1, max_length=20, description="Lines that can be used or ordered."
    )
    start: date | None = Field(
        default=None, description="First day of the move, as YYYY-MM-DD; by default the day of the inventory."
    )
    deadline: Seconds | None = Field(
        default=None, ge=3600, le=3650 * DAY, description="Until everything has moved, nine times in ten."
    )
    downtime: Seconds = Field(default=4 * 3600, description="Longest pause of writes of one wave.")
    rpo: Seconds | None = Field(default=None, description="How much may be lost at a switch, in time.")
    rto: Seconds | None = Field(default=None, description="How soon it must be back after a failed switch.")
    workers: Count = Field(default=32, ge=1, le=100_000, description="Tasks that copy at once.")
    wave_size: SizeBytes = Field(default=200 * TB, ge=1, description="Bytes of one wave, at most.")
    wave_components: Count = Field(
        default=500, ge=1, le=10**6, description="Components of one wave, at most."
    )
    keep: Seconds = Field(default=14 * DAY, description="How long the source is kept after the last wave.")
    residency: tuple[Text, ...] = Field(
        default=(), description="Jurisdictions or regions where data may lie; anywhere where empty."
    )
    certifications: tuple[Text, ...] = Field(default=(), description="What the target must be certified for.")
    customer: Text = Field(
        default="", description="Jurisdiction of who signed the source's contract: EU, UK, US."
    )
    leaving: Flag = Field(default=True, description="Whether the source is left, or both are used on.")
    claims: tuple[Text, ...] = Field(
        default=(), description="Egress offers that the provider has granted in writing, by id."
    )
    drivers: Drivers = Field(default=Drivers(), description="How much each driver weighs.")
    owner_tags: tuple[Text, ...] = Field(
        default=("owner", "team"), description="Tags that name a component's owner, the first that is there."
    )
    components: tuple[AssessComponent, ...] = Field(
        default=(), max_length=10_000, description="What people know of components."
    )
    references: tuple[AcceptedReference, ...] = Field(
        default=(), description="References to outside the inventory that are explained."
    )
    accept: tuple[AcceptedFinding, ...] = Field(default=(), description="Findings that are accepted.")
    gaps: tuple[AcceptedGap, ...] = Field(
        default=(), description="What the inventory could not read, and need not."
    )
    facts: Text | None = Field(
        default=None,
        description="Folder with tables of your own, such as refreshed prices, beside this file or with its"
        " whole path.",
    )
    stays: tuple[AcceptedStay, ...] = Field(
        default=(), description="What holds data and no section moves, and need not (everything_carried)."
    )
