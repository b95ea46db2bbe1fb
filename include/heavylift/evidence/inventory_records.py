"""What an inventory is made of: components, references, edges, and the records that sum them up.

The rows (components, references, edges) can be many: they are small frozen objects that lie as Parquet
beside their record (:mod:`heavylift.evidence.inventory_files`), never in a record and never in an XCom.
No secret is in any of them: see :mod:`heavylift.inventory.scrub`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, Severity, utc_now


class Kind(StrEnum):
    """What a component is, whatever its platform calls it."""

    DATASET = "dataset"
    DATABASE = "database"
    STREAM = "stream"
    MODEL = "model"
    MODEL_REGISTRY = "model_registry"
    EXPERIMENT_STORE = "experiment_store"
    FEATURE_STORE = "feature_store"
    TRAINING_PIPELINE = "training_pipeline"
    ENDPOINT = "endpoint"
    IMAGE = "image"
    CLUSTER = "cluster"
    ROLE = "role"
    SECRET = "secret"  # noqa: S105  (a kind of component)
    KEY = "key"
    NETWORK = "network"
    DASHBOARD = "dashboard"
    ALERT = "alert"
    LOG_GROUP = "log_group"
    JOB = "job"
    NOTEBOOK = "notebook"
    FUNCTION = "function"
    WORKFLOW = "workflow"
    INSTANCE = "instance"
    VOLUME = "volume"
    WORKLOAD = "workload"
    MONITOR = "monitor"


@dataclass(frozen=True, slots=True)
class Component:
    """One thing on a platform.

    :param id: the platform's own, such as an ARN; the same in every run.
    :param native_type: what the platform calls it, such as ``AWS::SageMaker::Model``.
    :param created_at: ISO 8601, UTC; empty where the platform does not tell.
    :param last_used_at: likewise; what the platform calls last used, last modified or last invoked.
    :param size_bytes: None where it is not known.
    :param attributes_json: what else the platform tells of it, without secret values.
    """

    id: str
    platform: str
    service: str
    kind: Kind
    native_type: str
    name: str
    region: str = ""
    account: str = ""
    owner: str = ""
    created_at: str = ""
    last_used_at: str = ""
    size_bytes: int | None = None
    objects: int | None = None
    framework: str = ""
    status: str = ""
    tags_json: str = "{}"
    attributes_json: str = "{}"

    @property
    def tags(self) -> dict[str, str]:
        """The platform's tags or labels."""
        tags: dict[str, str] = json.loads(self.tags_json)
        return tags

    @property
    def attributes(self) -> dict[str, Any]:
        """What else the platform tells of it; parsed at each call."""
        attributes: dict[str, Any] = json.loads(self.attributes_json)
        return attributes


class How(StrEnum):
    """How a reference was found."""

    API_FIELD = "api_field"
    """A field of the platform's API that holds an id or a URI."""
    API_NAME = "api_name"
    """A field of the platform's API that holds the name of something of a known type."""
    EVENT_SOURCE = "event_source"
    """What triggers something."""
    DEFINITION = "definition"
    """The text of a workflow, pipeline or dashboard."""
    POLICY = "policy"
    """A grant in a policy."""
    ENVIRONMENT = "environment"
    """An environment variable, hyperparameter or job argument."""
    ARGUMENT = "argument"
    """The command line of a container."""
    CONNECTION_STRING = "connection_string"
    """A database's or broker's address."""
    LINEAGE = "lineage"
    """The same artefact as an output here and an input there."""
    TEXT = "text"
    """A tag or description."""


EXPLICIT = frozenset({How.API_FIELD, How.API_NAME, How.EVENT_SOURCE})
"""Ways that the platform itself vouches for; all others are inferred."""


RUNS_ON = "runs_on"
"""The relation between a server and what its platform lists it as."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One place in which a component names something.

    :param component: id of the component that holds it.
    :param field: where: the path in the platform's answer.
    :param target: what is named: an id, a URI without credentials, a host, or ``type|region|name``.
    :param relation: what it means, such as ``runs_as``; also of an edge.
    :param confidence: from 0 to 1.
    """

    component: str
    field: str
    target: str
    relation: str
    how: How
    confidence: float


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` depends on ``target``.

    :param fields: where that was found, at most a few.
    """

    source: str
    target: str
    relation: str
    how: How
    confidence: float
    fields: tuple[str, ...] = ()

    @property
    def explicit(self) -> bool:
        """Tell whether the platform itself vouches for it."""
        return self.how in EXPLICIT


class Outside(StrEnum):
    """Why a reference points outside the inventory."""

    PLATFORM = "platform"
    """Belongs to the platform itself: explained."""
    OTHER_ACCOUNT = "other_account"
    OTHER_REGION = "other_region"
    """In a region that was not read."""
    NOT_READ = "not_read"
    """Of a type that the inventory does not read, or might not (see its findings)."""
    MISSING = "missing"
    """Of a type and place that was read, and it was not there."""
    HOST = "host"
    """A host that belongs to no component."""


@dataclass(frozen=True, slots=True)
class OutsideReference:
    """A reference that no component answers to.

    :param explained: why that is all right; empty where nobody said.
    """

    reference: Reference
    why: Outside
    explained: str = ""


class InventoryFinding(Record):
    """Why an inventory may be shorter than the platform.

    :param permission: the permission that is missing, where that is it.
    """

    rule: Literal[
        "permission_missing",
        "no_answer",
        "region_not_readable",
        "not_supported",
        "type_not_read",
        "truncated",
        "id_twice",
    ]
    severity: Severity
    subject: str
    detail: str
    remedy: str
    permission: str = ""
    region: str = ""
    native_type: str = ""
    components: int = 0


class UnitRecord(Record):
    """What came of reading one type in one region.

    Adds up: ``listed = components + vanished``.

    :param vanished: listed, and gone before they could be described.
    """

    native_type: str
    region: str
    listed: int
    components: int
    vanished: int = 0
    findings: tuple[InventoryFinding, ...] = ()


class Change(Record):
    """One component that differs from the previous inventory."""

    id: str
    kind: Kind
    fields: tuple[str, ...]


class InventoryDiff(Record):
    """What a new inventory has that the previous one had not; lists are cut, counts are not.

    Adds up: previous + appeared = now + gone.

    :param previous: path of the previous record.
    """

    previous: str
    appeared: int
    gone: int
    changed: int
    unchanged: int
    appeared_ids: tuple[str, ...] = ()
    gone_ids: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


class InventoryRecord(Record):
    """The components of one platform, seen through one connection.

    :param counts: components by kind; they add up to ``component_count``.
    :param complete: False where a finding tells that something could not be read.
    """

    schema_version: Literal["heavylift/inventory/v1"] = "heavylift/inventory/v1"
    run: RunKey
    platform: str
    connection: str
    account: str
    regions: tuple[str, ...]
    began_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    counts: dict[str, int]
    types: dict[str, int]
    component_count: int
    reference_count: int
    vanished: int = 0
    components: EvidenceRef
    references: EvidenceRef
    units: int
    units_kept: int = 0
    """Units that an earlier, interrupted process of the same run had read."""
    findings: tuple[InventoryFinding, ...] = ()
    complete: bool
    diff: InventoryDiff | None = None
    requests: int = 0
    seconds: float


class Acceptance(Record):
    """What somebody accepted: references to ``target`` (``*`` stands for any text) may stay unanswered."""

    target: str
    reason: str = Field(min_length=1)


class GraphRecord(Record):
    """What depends on what, and the coverage gate: whether every reference is answered or explained.

    Adds up: ``outside = explained + unexplained``.

    :param cycles: components that depend on each other, ids sorted; the first ones.
    :param whys: references that point outside, by :class:`Outside`.
    """

    schema_version: Literal["heavylift/graph/v1"] = "heavylift/graph/v1"
    run: RunKey
    inventory: str
    also: tuple[str, ...] = ()
    """Further inventories that it was joined with."""
    made_at: datetime = Field(default_factory=utc_now)
    components: int
    edges: int
    explicit_edges: int
    inferred_edges: int
    relations: dict[str, int]
    cycle_count: int
    cycles: tuple[tuple[str, ...], ...] = ()
    outside: int
    explained: int
    unexplained: int
    whys: dict[str, int]
    accepted: tuple[Acceptance, ...] = ()
    unused_acceptances: tuple[str, ...] = ()
    edge_rows: EvidenceRef
    outside_rows: EvidenceRef
    picture: EvidenceRef
    passed: bool
    seconds: float


INVENTORY_FOLDER, ASSESS_FOLDER = "~inventory", "~assess"
ASSESS_FOLDERS = frozenset({INVENTORY_FOLDER, ASSESS_FOLDER})
"""Where inventories and assessments of a run lie."""


def inventory_folder(run: RunKey, connection: str) -> str:
    """Return the folder of one connection's inventory in a run."""
    # A dataset may have the same name; none can be called ~inventory, since ~ is encoded in its name.
    return f"{run.folder}/{INVENTORY_FOLDER}/{safe_segment(connection)}"


def inventory_path(run: RunKey, connection: str, number: int) -> str:
    """Return the path of a connection's ``number``-th :class:`InventoryRecord`, from 1."""
    return f"{inventory_folder(run, connection)}/inventory-{number}.json"


def graph_path(run: RunKey, connection: str, number: int) -> str:
    """Return the path of a connection's ``number``-th :class:`GraphRecord`, from 1."""
    return f"{inventory_folder(run, connection)}/graph-{number}.json"
