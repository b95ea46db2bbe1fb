"""Sections for state other than objects: databases, streams, registries, feature stores.

They are typed and checked already; :mod:`heavylift.spec.support` says which of them this
version can carry out.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from heavylift.spec.base import (
    ConnectionId,
    Count,
    Flag,
    HistoryUrl,
    Name,
    Pattern,
    SpecModel,
    Text,
    Url,
)
from heavylift.spec.quantities import Seconds, SizeBytes
from heavylift.spec.sections_datasets import LimitOverrides
from heavylift.spec.vocabulary import Deletes, VerifyMode


class DatabaseEngine(StrEnum):
    """Database products."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    MARIADB = "mariadb"
    SQLSERVER = "sqlserver"
    ORACLE = "oracle"
    DB2 = "db2"


class CaptureMethod(StrEnum):
    """How changes are read from a source database."""

    AUTO = "auto"
    CHANGES = "changes"
    NATIVE = "native"
    DEBEZIUM = "debezium"


class OnSchemaChange(StrEnum):
    """What to do when the source's schema changes during a sync."""

    APPLY_SAFE = "apply_safe"
    STOP = "stop"


class DatabaseSide(SpecModel):
    """A database on one side."""

    engine: DatabaseEngine = Field(default=DatabaseEngine.POSTGRESQL, description="The product.")
    connection: ConnectionId = Field(
        description="The Airflow connection of the database; with method debezium, of the topics' broker."
    )


class Database(SpecModel):
    """Tables that move while they are written to."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    source: DatabaseSide = Field(description="The database that is moved.")
    target: DatabaseSide = Field(description="The database that it moves to.")
    tables: tuple[Pattern, ...] = Field(default=("*.*",), description="Tables, as schema.table patterns.")
    exclude: tuple[Pattern, ...] = Field(
        default=(), description="Tables that stay, as schema.table patterns."
    )
    method: CaptureMethod = Field(
        default=CaptureMethod.AUTO, description="How changes are read; auto explains its choice."
    )
    on_schema_change: OnSchemaChange = Field(
        default=OnSchemaChange.APPLY_SAFE,
        description="apply_safe: apply what cannot lose data, else stop; stop: always.",
    )
    max_retained_wal: SizeBytes = Field(
        default=10 * 2**30,
        description="Most log that the source may keep for us before the sync gives up its slot.",
    )
    max_lag: Seconds = Field(default=60, description="Lag under which the sync counts as caught up.")
    parallel_ranges: Count = Field(
        default=4, ge=1, le=256, description="Key ranges that the snapshot copies at once."
    )
    reverse: Flag = Field(
        default=True, description="After cutover, let changes flow back until the soak ends."
    )
    verify: VerifyMode = Field(
        default=VerifyMode.FULL, description="full: every row; sample: some, with a bound."
    )


class StreamEngine(StrEnum):
    """Stream products."""

    KAFKA = "kafka"
    KINESIS = "kinesis"
    PUBSUB = "pubsub"
    EVENT_HUBS = "event_hubs"


class StreamSide(SpecModel):
    """A broker or stream service on one side."""

    engine: StreamEngine = Field(description="The product.")
    connection: ConnectionId = Field(description="The Airflow connection of the broker.")


class Stream(SpecModel):
    """Topics that are mirrored, with their consumers' positions."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    source: StreamSide = Field(description="The broker that is mirrored.")
    target: StreamSide = Field(description="The broker that receives.")
    topics: tuple[Pattern, ...] = Field(default=("*",), description="Topics, as patterns.")
    consumer_groups: tuple[Pattern, ...] = Field(
        default=("*",), description="Groups whose positions are translated."
    )
    max_lag: Seconds = Field(default=60, description="Lag under which the mirror counts as caught up.")


class RegistryKind(StrEnum):
    """Products that keep experiments and models."""

    MLFLOW = "mlflow"
    SAGEMAKER = "sagemaker"
    VERTEX = "vertex"
    AZURE_ML = "azure_ml"


class RegistryPath(StrEnum):
    """How a registry is copied."""

    AUTO = "auto"
    STORE = "store"
    API = "api"


class OnNameConflict(StrEnum):
    """What to do where the target already has a thing of the same name."""

    FAIL = "fail"
    MAP = "map"


class RegistrySide(SpecModel):
    """A registry on one side."""

    kind: RegistryKind = Field(
        default=RegistryKind.MLFLOW,
        description="The product; where one side is not mlflow, registered models move, and nothing else.",
    )
    connection: ConnectionId = Field(description="The Airflow connection of the server, or of the account.")
    store_connection: ConnectionId | None = Field(
        default=None, description="Connection of its database, where that may be used."
    )
    artifacts: Url | None = Field(
        default=None,
        description="Where its artifacts lie, if that may be used; named on both sides, they are moved.",
    )
    artifacts_connection: ConnectionId | None = Field(
        default=None, description="Connection of that object store; by default the side's own."
    )
    artifact_uri: Text | None = Field(
        default=None,
        description="How the server writes that place, where it is not as in artifacts: wasbs://…, or"
        " mlflow-artifacts: for a server that passes artifacts on.",
    )


class ArtifactPrefix(SpecModel):
    """A further place in which a registry's artifacts lie."""

    source: Text = Field(description="The prefix of artifact locations on the source.")
    target: Text = Field(description="What it becomes on the target; itself where the objects stay.")
    move: Flag = Field(
        default=True, description="Move the objects below it, too; false where they stay, or go otherwise."
    )


class Registry(SpecModel):
    """Experiments, runs, registered models and their history."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    source: RegistrySide = Field(description="The registry that is copied.")
    target: RegistrySide = Field(description="The registry that receives.")
    more_artifacts: tuple[ArtifactPrefix, ...] = Field(
        default=(), description="Further prefixes of artifact locations, in the same object stores."
    )
    experiments: tuple[Pattern, ...] = Field(
        default=("*",), description="Experiments, as patterns of names; at store level all of them."
    )
    models: tuple[Pattern, ...] = Field(
        default=("*",), description="Registered models and prompts, as patterns of names; at store level all."
    )
    path: RegistryPath = Field(default=RegistryPath.AUTO, description="auto explains its choice.")
    on_name_conflict: OnNameConflict = Field(
        default=OnNameConflict.FAIL, description="fail, or map to a free name."
    )
    deletes: Deletes = Field(
        default=Deletes.KEEP,
        description="When a thing has gone from the source for good: keep or propagate; artifacts stay.",
    )
    overwrite: Flag = Field(
        default=False,
        description="What others have written to the target's rows since the last run gives way.",
    )
    make_tables: Flag = Field(
        default=False,
        description="At store level: where the target's database is empty, make MLflow's tables as the"
        " source's are.",
    )
    accept_losses: Flag = Field(
        default=False,
        description="Through the interface, or between registries of two kinds: move although the target"
        " cannot hold everything; the losses are listed.",
    )
    back: Flag = Field(
        default=False,
        description="Through the interface, after a switch: each run brings back to the source what was"
        " written on the target since.",
    )
    contents: Flag = Field(
        default=True,
        description="A verification reads artifacts on both sides; false compares their names and sizes.",
    )
    parallel: Count = Field(
        default=4, ge=1, le=64, description="Tables that are copied at once, and requests to a server."
    )
    limits: LimitOverrides = Field(
        default=LimitOverrides(), description="Limits of the artifacts; by default from defaults.limits."
    )


class FeatureStoreSide(SpecModel):
    """A feature store on one side."""

    connection: ConnectionId = Field(
        description="The Airflow connection of the store, of type aws, google_cloud_platform, azure or feast."
    )
    history_connection: ConnectionId | None = Field(
        default=None,
        description="Connection of the object store of its histories; by default of SageMaker and Vertex AI"
        " their own.",
    )


class HistoryPrefix(SpecModel):
    """A place in which histories lie."""

    source: HistoryUrl = Field(
        description="The prefix of histories on the source; of Vertex AI bq://PROJECT/DATASET."
    )
    target: HistoryUrl = Field(description="What it becomes on the target; itself where the files stay.")


class FeatureStore(SpecModel):
    """Feature views with their histories, and what is served of them."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    source: FeatureStoreSide = Field(description="The store that is copied.")
    target: FeatureStoreSide = Field(description="The store that receives.")
    history: tuple[HistoryPrefix, ...] = Field(
        min_length=1, description="What becomes of each prefix of offline histories."
    )
    accept_losses: Flag = Field(
        default=False, description="Move although the target cannot hold everything; the losses are listed."
    )
    overwrite: Flag = Field(
        default=False, description="What others have changed on the target since the last run gives way."
    )
    sample: Count = Field(
        default=1000, ge=1, le=100_000, description="Keys to read online, and rows of a frame to join."
    )
    parallel: Count = Field(default=4, ge=1, le=64, description="Requests at once.")
