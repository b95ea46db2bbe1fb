"""Which metric is whose counterpart: data, and the factors between their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heavylift.alerts.model import Metric, Platform
from heavylift.alerts.problems import untranslatable

UNITS: Mapping[str, tuple[str, float]] = {
    "s": ("time", 1.0),
    "ms": ("time", 1e-3),
    "us": ("time", 1e-6),
    "bytes": ("size", 1.0),
    "kib": ("size", 1024.0),
    "mib": ("size", 1024.0**2),
    "gib": ("size", 1024.0**3),
    "ratio": ("share", 1.0),
    "percent": ("share", 0.01),
    "count": ("count", 1.0),
}
"""A unit → what it measures, and how much of that quantity's base unit it is."""


@dataclass(frozen=True)
class Same:
    """One quantity under its four names.

    :param key: in Heavylift's words.
    :param names: platform → namespace, name and unit. A platform that has no such metric is left out.
    """

    key: str
    names: Mapping[Platform, tuple[str, str, str]]


def _row(
    key: str,
    cloudwatch: tuple[str, str, str] | None,
    google: tuple[str, str, str] | None,
    azure: tuple[str, str, str] | None,
    prometheus: tuple[str, str] | None,
) -> Same:
    named = {Platform.CLOUDWATCH: cloudwatch, Platform.GOOGLE: google, Platform.AZURE: azure}
    found = {platform: each for platform, each in named.items() if each is not None}
    if prometheus is not None:
        found[Platform.PROMETHEUS] = ("", *prometheus)
    return Same(key, found)


_SM, _RDS, _SQS, _S3 = "AWS/SageMaker", "AWS/RDS", "AWS/SQS", "AWS/S3"
_SM_HOST = "/aws/sagemaker/Endpoints"
_VERTEX, _SQL, _SUB = "aiplatform.googleapis.com/Endpoint", "cloudsql_database", "pubsub_subscription"
_PREDICTION = "aiplatform.googleapis.com/prediction/online"
_DB = "cloudsql.googleapis.com/database"
_ML = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
_ML_HOST = f"{_ML}/deployments"
_PG = "Microsoft.DBforPostgreSQL/flexibleServers"
_BLOB = "Microsoft.Storage/storageAccounts/blobServices"

TABLE: Sequence[Same] = (
    _row("endpoint_latency", (_SM, "ModelLatency", "us"),
         (_VERTEX, f"{_PREDICTION}/prediction_latencies", "ms"),
         (_ML, "RequestLatency", "ms"), ("heavylift:endpoint_latency_seconds", "s")),
    _row("endpoint_requests", (_SM, "Invocations", "count"),
         (_VERTEX, f"{_PREDICTION}/prediction_count", "count"),
         None, ("heavylift:endpoint_requests", "count")),
    _row("endpoint_errors", (_SM, "Invocation5XXErrors", "count"),
         (_VERTEX, f"{_PREDICTION}/error_count", "count"),
         None, ("heavylift:endpoint_errors", "count")),
    _row("endpoint_cpu", (_SM_HOST, "CPUUtilization", "percent"),
         (_VERTEX, f"{_PREDICTION}/cpu/utilization", "ratio"),
         (_ML_HOST, "CpuUtilizationPercentage", "percent"), ("heavylift:endpoint_cpu_ratio", "ratio")),
    _row("endpoint_memory", (_SM_HOST, "MemoryUtilization", "percent"),
         None, (_ML_HOST, "CpuMemoryUtilizationPercentage", "percent"),
         ("heavylift:endpoint_memory_ratio", "ratio")),
    _row("gpu_utilisation", (_SM_HOST, "GPUUtilization", "percent"),
         (_VERTEX, f"{_PREDICTION}/accelerator/duty_cycle", "ratio"),
         (_ML_HOST, "GpuUtilizationPercentage", "percent"), ("DCGM_FI_DEV_GPU_UTIL", "percent")),
    _row("gpu_memory", (_SM_HOST, "GPUMemoryUtilization", "percent"),
         None, (_ML_HOST, "GpuMemoryUtilizationPercentage", "percent"),
         ("heavylift:gpu_memory_ratio", "ratio")),
    _row("database_cpu", (_RDS, "CPUUtilization", "percent"), (_SQL, f"{_DB}/cpu/utilization", "ratio"),
         (_PG, "cpu_percent", "percent"), ("heavylift:database_cpu_ratio", "ratio")),
    _row("database_connections", (_RDS, "DatabaseConnections", "count"),
         (_SQL, f"{_DB}/postgresql/num_backends", "count"),
         (_PG, "active_connections", "count"), ("heavylift:database_connections", "count")),
    _row("database_lag", (_RDS, "ReplicaLag", "s"), (_SQL, f"{_DB}/replication/replica_lag", "s"),
         (_PG, "physical_replication_delay_in_seconds", "s"), ("pg_replication_lag_seconds", "s")),
    _row("database_storage_used", None, (_SQL, f"{_DB}/disk/bytes_used", "bytes"),
         (_PG, "storage_used", "bytes"), ("heavylift:database_storage_used_bytes", "bytes")),
    _row("queue_depth", (_SQS, "ApproximateNumberOfMessagesVisible", "count"),
         (_SUB, "pubsub.googleapis.com/subscription/num_undelivered_messages", "count"),
         ("Microsoft.ServiceBus/namespaces", "ActiveMessages", "count"),
         ("heavylift:queue_messages", "count")),
    _row("bucket_requests", (_S3, "AllRequests", "count"),
         ("gcs_bucket", "storage.googleapis.com/api/request_count", "count"),
         (_BLOB, "Transactions", "count"), ("heavylift:bucket_requests", "count")),
)  # fmt: skip
"""The metrics that matter. Names that begin with ``heavylift:`` are of recording rules that the target must
have: exporters name these things in many ways."""

RECORDED = "heavylift:"


def factor(unit: str, other: str) -> float | None:
    """Return what makes a number of one unit one of another; ``None`` where nothing does."""
    if unit == other:
        return 1.0
    if unit not in UNITS or other not in UNITS or UNITS[unit][0] != UNITS[other][0]:
        return None
    # Told as a division where that is exact: 0.8 of 1 must be 80 %, not 80.00000000000001 %.
    mine, theirs = UNITS[unit][1], UNITS[other][1]
    return mine / theirs if mine >= theirs else 1 / round(theirs / mine)


def known(platform: Platform, namespace: str, name: str) -> Metric:
    """Return a metric with its unit, where the table knows it."""
    for row in TABLE:
        found = row.names.get(platform)
        if found is not None and found[1] == name and (not namespace or found[0] in ("", namespace)):
            return Metric(platform, namespace or found[0], name, found[2])
    return Metric(platform, namespace, name)


def counterpart(rule: str, metric: Metric, target: Platform, own: Mapping[str, Metric]) -> Metric:
    """Return what a metric is called on another platform.

    :param own: the user's names, by ``namespace/name`` of the source; they come before the table's.
    :raises UntranslatableError: nobody knows it.
    """
    if target is metric.platform:
        return metric
    mine = own.get(f"{metric.namespace}/{metric.name}" if metric.namespace else metric.name)
    if mine is not None:
        return mine
    for row in TABLE:
        if row.names.get(metric.platform, ())[:2] == (metric.namespace, metric.name):
            there = row.names.get(target)
            if there is not None:
                return Metric(target, *there)
    raise untranslatable(
        rule,
        f"the metric {metric.namespace}/{metric.name}, which has no counterpart on {target}",
        "name it in the file of --metrics",
    )
