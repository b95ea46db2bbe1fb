"""All types of Google Cloud that are read, each by the request that its discovery document describes."""

from __future__ import annotations

from typing import Any

from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.gcp.vertex_rows import VERTEX
from heavylift.inventory.rows import Extra, Parent, Row

_P = "projects/{project}"


def _named(service: str, kind: str, means: Kind, path: str, items: str, permission: str, **more: Any) -> Row:
    """Return the row of a type whose ``name`` is its whole path."""
    aliases = ("{name}", *more.pop("aliases", ()))
    given: dict[str, Any] = {
        "created": "createTime", "last_used": "updateTime", "keep_tags": "labels", "is_global": True, **more,
    }  # fmt: skip
    return Row(
        service, f"GCP::{kind}", means, f"GET {path}", items, f"//{service}.googleapis.com/{{name}}", "",
        listing_permission=permission, aliases=aliases, **given,
    )  # fmt: skip


def _linked(service: str, kind: str, means: Kind, path: str, items: str, permission: str, **more: Any) -> Row:
    """Return the row of a type whose ``selfLink`` tells its path."""
    aliases = ("{path}", *more.pop("aliases", ()))
    given: dict[str, Any] = {"created": "creationTimestamp", "keep_tags": "labels", "is_global": True, **more}
    return Row(
        service, f"GCP::{kind}", means, f"GET {path}", items, f"//{service}.googleapis.com/{{path}}", "name",
        listing_permission=permission, aliases=aliases, **given,
    )  # fmt: skip


def _everywhere(version: str, what: str) -> str:
    return f"{version}/{_P}/locations/-/{what}"


def _there(version: str, what: str) -> str:
    return f"{version}/{_P}/locations/{{region}}/{what}"


def _in_each(service: str) -> Parent:
    return Parent(
        f"GET v1/{_P}/locations",
        "locations",
        {"location": "locationId"},
        permission=f"{service}.locations.list",
    )


_HOSTS = ("[ipAddresses[].join('', ['host:', ipAddress])]",)
_LOCAL: dict[str, Any] = {"is_global": False}

DATA = (
    Row(
        "storage", "GCP::Storage::Bucket", Kind.DATASET, "GET storage/v1/b?project={project}", "items",
        "//storage.googleapis.com/{name}", "name", arguments={"projection": "noAcl"},
        listing_permission="storage.buckets.list", is_global=True, region="location",
        created="timeCreated", last_used="updated", keep_tags="labels", aliases=("gs://{name}",),
    ),
    Row(
        "bigquery", "GCP::BigQuery::Dataset", Kind.DATASET, f"GET bigquery/v2/{_P}/datasets", "datasets",
        "//bigquery.googleapis.com/projects/{account}/datasets/{datasetReference.datasetId}",
        "datasetReference.datasetId", listing_permission="bigquery.datasets.get", is_global=True,
        region="location", keep_tags="labels",
        aliases=("projects/{account}/datasets/{datasetReference.datasetId}",),
    ),
    Row(
        "bigquery", "GCP::BigQuery::Table", Kind.DATASET,
        f"GET bigquery/v2/{_P}/datasets/{{dataset}}/tables", "tables",
        "//bigquery.googleapis.com/projects/{account}/datasets/{tableReference.datasetId}"
        "/tables/{tableReference.tableId}",
        "tableReference.tableId", listing_permission="bigquery.tables.list", is_global=True,
        parent=Parent(
            f"GET bigquery/v2/{_P}/datasets", "datasets", {"dataset": "datasetReference.datasetId"},
            permission="bigquery.datasets.get",
        ),
        created="creationTime", keep_tags="labels", framework="type",
        detail=f"GET bigquery/v2/{_P}/datasets/{{dataset}}/tables/{{table}}",
        detail_arguments={"dataset": "tableReference.datasetId", "table": "tableReference.tableId"},
        last_used="lastModifiedTime", size_bytes="numBytes", objects="numRows",
        aliases=("projects/{account}/datasets/{tableReference.datasetId}/tables/{tableReference.tableId}",),
    ),
    _linked(
        "sqladmin", "SQL::Instance", Kind.DATABASE, f"v1/{_P}/instances", "items", "cloudsql.instances.list",
        created="createTime", status="state", framework="databaseVersion", region="region",
        keep_tags="settings.userLabels",
        aliases=(*_HOSTS, "projects/{account}/instances/{name}", "gcp:sql:{connectionName}"),
    ),
    _named(
        "alloydb", "AlloyDB::Cluster", Kind.DATABASE, _everywhere("v1", "clusters"), "clusters",
        "alloydb.clusters.list",
    ),
    _named(
        "redis", "Redis::Instance", Kind.DATABASE, _everywhere("v1", "instances"), "instances",
        "redis.instances.list", aliases=("host:{host}",), last_used="",
    ),
    _named(
        "file", "Filestore::Instance", Kind.VOLUME, _everywhere("v1", "instances"), "instances",
        "file.instances.list", aliases=("[networks[].ipAddresses[].join('', ['host:', @])]",), last_used="",
    ),
    _named(
        "pubsub", "PubSub::Topic", Kind.STREAM, f"v1/{_P}/topics", "topics", "pubsub.topics.list", created="",
        last_used="",
    ),
    _named(
        "pubsub", "PubSub::Subscription", Kind.STREAM, f"v1/{_P}/subscriptions", "subscriptions",
        "pubsub.subscriptions.list", created="", last_used="",
    ),
    _named(
        "managedkafka", "ManagedKafka::Cluster", Kind.STREAM, _there("v1", "clusters"), "clusters",
        "managedkafka.clusters.list", aliases=("host:{bootstrapAddress}",), **_LOCAL,
    ),
)  # fmt: skip
"""What holds data."""

COMPUTE = (
    _named(
        "artifactregistry", "ArtifactRegistry::Repository", Kind.IMAGE,
        f"v1/{_P}/locations/{{location}}/repositories", "repositories", "artifactregistry.repositories.list",
        parent=_in_each("artifactregistry"), size_bytes="sizeBytes", region="_parent.locationId",
        aliases=("image:{_parent.locationId}-docker.pkg.dev/{account}/{_short}",),
    ),
    _linked(
        "container", "GKE::Cluster", Kind.CLUSTER, _everywhere("v1", "clusters"), "clusters",
        "container.clusters.list", created="createTime", status="status", region="location",
        framework="currentMasterVersion", keep_tags="resourceLabels", aliases=("host:{endpoint}",),
    ),
    _linked(
        "compute", "Compute::Instance", Kind.INSTANCE, f"compute/v1/{_P}/aggregated/instances",
        "items.*.instances[]", "compute.instances.list", status="status", last_used="lastStartTimestamp",
        aliases=("[networkInterfaces[].join('', ['host:', networkIP])]",),
    ),
    _linked(
        "compute", "Compute::Disk", Kind.VOLUME, f"compute/v1/{_P}/aggregated/disks", "items.*.disks[]",
        "compute.disks.list", status="status", size_bytes="sizeGb", size_unit=2**30,
    ),
    _linked(
        "compute", "Compute::Network", Kind.NETWORK, f"compute/v1/{_P}/global/networks", "items",
        "compute.networks.list", keep_tags="",
    ),
    _linked(
        "compute", "Compute::Subnetwork", Kind.NETWORK, f"compute/v1/{_P}/aggregated/subnetworks",
        "items.*.subnetworks[]", "compute.subnetworks.list", keep_tags="",
    ),
    _linked(
        "compute", "Compute::Firewall", Kind.NETWORK, f"compute/v1/{_P}/global/firewalls", "items",
        "compute.firewalls.list", keep_tags="",
    ),
    _named(
        "cloudfunctions", "Functions::Function", Kind.FUNCTION, _everywhere("v2", "functions"), "functions",
        "cloudfunctions.functions.list", status="state", framework="buildConfig.runtime",
    ),
    _named(
        "run", "Run::Service", Kind.FUNCTION, _everywhere("v2", "services"), "services", "run.services.list",
        owner="creator",
    ),
    _named("run", "Run::Job", Kind.JOB, _everywhere("v2", "jobs"), "jobs", "run.jobs.list", owner="creator"),
    _named(
        "workflows", "Workflows::Workflow", Kind.WORKFLOW, _everywhere("v1", "workflows"), "workflows",
        "workflows.workflows.list", status="state",
        detail="GET v1/{+name}", detail_arguments={"name": "name"},
    ),
    _named(
        "composer", "Composer::Environment", Kind.WORKFLOW, _there("v1", "environments"), "environments",
        "composer.environments.list", status="state", framework="config.softwareConfig.imageVersion",
        **_LOCAL,
    ),
    _named(
        "cloudscheduler", "Scheduler::Job", Kind.WORKFLOW, _there("v1", "jobs"), "jobs",
        "cloudscheduler.jobs.list", created="", last_used="lastAttemptTime", status="state", keep_tags="",
        **_LOCAL,
    ),
    _named(
        "eventarc", "Eventarc::Trigger", Kind.WORKFLOW, _everywhere("v1", "triggers"), "triggers",
        "eventarc.triggers.list",
    ),
    Row(
        "dataproc", "GCP::Dataproc::Cluster", Kind.CLUSTER, f"GET v1/{_P}/regions/{{region}}/clusters",
        "clusters", "//dataproc.googleapis.com/projects/{account}/regions/{region}/clusters/{clusterName}",
        "clusterName", listing_permission="dataproc.clusters.list", status="status.state", keep_tags="labels",
    ),
    Row(
        "dataflow", "GCP::Dataflow::Job", Kind.JOB, f"GET v1b3/{_P}/jobs:aggregated", "jobs",
        "//dataflow.googleapis.com/projects/{account}/locations/{location}/jobs/{id}", "name",
        listing_permission="dataflow.jobs.list", is_global=True, region="location", created="createTime",
        status="currentState", keep_tags="labels",
    ),
    _named(
        "notebooks", "Notebooks::Instance", Kind.NOTEBOOK, _everywhere("v2", "instances"), "instances",
        "notebooks.instances.list", status="state",
    ),
)  # fmt: skip
"""What computes, and what it runs in."""

PLATFORM = (
    _named(
        "iam", "IAM::ServiceAccount", Kind.ROLE, f"v1/{_P}/serviceAccounts", "accounts",
        "iam.serviceAccounts.list", created="", last_used="", keep_tags="",
        aliases=("gcp:serviceAccount:{email}",),
    ),
    _named(
        "iam", "IAM::Role", Kind.ROLE, f"v1/{_P}/roles", "roles", "iam.roles.list", created="", last_used="",
        keep_tags="",
    ),
    Row(
        "cloudresourcemanager", "GCP::IAM::Policy", Kind.ROLE, f"POST v3/{_P}:getIamPolicy", "[@]",
        "//cloudresourcemanager.googleapis.com/projects/{account}/policy", "",
        listing_permission="resourcemanager.projects.getIamPolicy", is_global=True,
    ),
    _named(
        "cloudkms", "KMS::KeyRing", Kind.KEY, f"v1/{_P}/locations/{{location}}/keyRings", "keyRings",
        "cloudkms.keyRings.list", parent=_in_each("cloudkms"), last_used="", keep_tags="",
        region="_parent.locationId",
        extras=(
            Extra(
                "GET v1/{+name}/cryptoKeys", {"name": "name"}, "cryptoKeys", "keys", paged=True,
                permission="cloudkms.cryptoKeys.list",
            ),
        ),
    ),
    _named(
        "secretmanager", "SecretManager::Secret", Kind.SECRET, f"v1/{_P}/secrets", "secrets",
        "secretmanager.secrets.list", last_used="",
    ),
    _named(
        "monitoring", "Monitoring::AlertPolicy", Kind.ALERT, f"v3/{_P}/alertPolicies", "alertPolicies",
        "monitoring.alertPolicies.list", created="creationRecord.mutateTime", last_used="",
        keep_tags="userLabels",
    ),
    _named(
        "monitoring", "Monitoring::Dashboard", Kind.DASHBOARD, f"v1/{_P}/dashboards", "dashboards",
        "monitoring.dashboards.list", created="", last_used="",
    ),
    Row(
        "logging", "GCP::Logging::Sink", Kind.LOG_GROUP, f"GET v2/{_P}/sinks", "sinks",
        "//logging.googleapis.com/projects/{account}/sinks/{name}", "name",
        listing_permission="logging.sinks.list", is_global=True, created="createTime", last_used="updateTime",
        aliases=("projects/{account}/sinks/{name}",),
    ),
    _named(
        "logging", "Logging::Bucket", Kind.LOG_GROUP, _everywhere("v2", "buckets"), "buckets",
        "logging.buckets.list", keep_tags="",
    ),
)  # fmt: skip
"""Identity, keys, secrets, and what watches."""

ROWS: tuple[Row, ...] = (*VERTEX, *DATA, *COMPUTE, *PLATFORM)
"""Every type of Google Cloud that is read."""
