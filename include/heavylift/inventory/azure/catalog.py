"""All types of Azure that are read, each by a listing of Azure Resource Manager."""

from __future__ import annotations

from typing import Any

from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.rows import Extra, Parent, Row

_API = {
    "Microsoft.Storage": "2026-09-01",
    "Microsoft.MachineLearningServices": "2025-12-01",
    "Microsoft.ContainerRegistry": "2025-11-01",
    "Microsoft.ContainerService": "2026-08-01",
    "Microsoft.Compute": "2026-04-01",
    "Microsoft.DBforPostgreSQL": "2026-10-01",
    "Microsoft.DBforMySQL": "2024-12-30",
    "Microsoft.Sql": "2025-01-01",
    "Microsoft.DocumentDB": "2026-03-15",
    "Microsoft.EventHub": "2026-01-01",
    "Microsoft.Web": "2025-05-01",
    "Microsoft.DataFactory": "2018-06-01",
    "Microsoft.Logic": "2019-05-01",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.KeyVault": "2026-05-15",
    "Microsoft.Insights": "2018-03-01",
    "Microsoft.Portal": "2020-09-01-preview",
    "Microsoft.OperationalInsights": "2025-07-01",
    "Microsoft.Network": "2026-03-01",
}
"""The version of each provider's API; those that the vendor's own packages use."""


def _listing(provider: str, plural: str, version: str = "") -> str:
    return (
        f"GET subscriptions/{{account}}/providers/{provider}/{plural}?api-version={version or _API[provider]}"
    )


def _row(provider: str, plural: str, kind: str, means: Kind, **more: Any) -> Row:
    """Return the row of a type that is listed over the whole subscription."""
    version = more.pop("version", "")
    listing = _listing(provider, plural, version)
    return _made(provider, plural, kind, means, listing, more)


def _within(provider: str, above: str, plural: str, kind: str, means: Kind, **more: Any) -> Row:
    """Return the row of a type that lies in resources of another one."""
    parent = Parent(_listing(provider, above), "value", {"id": "id"}, permission=f"{provider}/{above}/read")
    listing = f"GET {{+id}}/{plural}?api-version={_API[provider]}"
    return _made(provider, f"{above}/{plural}", kind, means, listing, {"parent": parent, **more})


def _made(provider: str, path: str, kind: str, means: Kind, listing: str, more: dict[str, Any]) -> Row:
    given: dict[str, Any] = {
        "region": "location", "keep_tags": "tags", "created": "systemData.createdAt",
        "status": "properties.provisioningState", "owner": "", **more,
    }  # fmt: skip
    return Row(
        provider, f"Azure::{kind}", means, listing, "value", "{id}", "name", is_global=True, fold_id=True,
        listing_permission=f"{provider}/{path.replace('/default', '')}/read", **given,
    )  # fmt: skip


def _versions(provider: str, path: str, of: str = "versions") -> Extra:
    """Return the call that lists what lies below a component, and is kept with it."""
    permission = f"{provider}/{path}/{of}/read"
    call = f"GET {{+id}}/{of}?api-version={_API[provider]}"
    return Extra(call, {"id": "id"}, "value", of, permission=permission, paged=True)


_ML, _WS = "Microsoft.MachineLearningServices", "workspaces"
_CHILD: dict[str, Any] = {"keep_tags": "", "region": "_parent.location"}
_KEPT: dict[str, Any] = {**_CHILD, "keep_tags": "properties.tags"}
_PLAIN: dict[str, Any] = {**_CHILD, "created": "", "status": ""}


def _ml(plural: str, kind: str, means: Kind, **more: Any) -> Row:
    below = more.pop("below", "")
    extras = (_versions(_ML, f"{_WS}/{plural}", below),) if below else ()
    given = {**_KEPT, "extras": extras, **more}
    return _within(_ML, _WS, plural, f"MachineLearning::{kind}", means, **given)


MACHINE_LEARNING = (
    _row(_ML, _WS, "MachineLearning::Workspace", Kind.EXPERIMENT_STORE, framework="kind"),
    _ml(
        "computes", "Compute", Kind.CLUSTER, keep_tags="tags", region="location",
        status="properties.provisioningState",
    ),
    _ml("datastores", "Datastore", Kind.DATASET, status=""),
    _ml("data", "DataAsset", Kind.DATASET, status="", below="versions"),
    _ml("models", "Model", Kind.MODEL_REGISTRY, below="versions"),
    _ml("environments", "Environment", Kind.IMAGE, below="versions"),
    _ml("components", "Component", Kind.TRAINING_PIPELINE, below="versions"),
    _ml(
        "onlineEndpoints", "OnlineEndpoint", Kind.ENDPOINT, keep_tags="tags", region="location",
        below="deployments",
    ),
    _ml(
        "batchEndpoints", "BatchEndpoint", Kind.ENDPOINT, keep_tags="tags", region="location",
        below="deployments",
    ),
    _ml("serverlessEndpoints", "ServerlessEndpoint", Kind.ENDPOINT, keep_tags="tags", region="location"),
    _ml("jobs", "Job", Kind.JOB, status="properties.status", framework="properties.jobType"),
    _ml("schedules", "Schedule", Kind.WORKFLOW),
    _ml("featuresets", "FeatureSet", Kind.FEATURE_STORE, below="versions"),
    _ml("featurestoreEntities", "FeatureStoreEntity", Kind.FEATURE_STORE, below="versions"),
    _row(_ML, "registries", "MachineLearning::Registry", Kind.MODEL_REGISTRY, status=""),
)  # fmt: skip
"""Azure ML; a feature store is a workspace of that kind."""

_STORE = "Microsoft.Storage"
DATA = (
    _row(
        _STORE, "storageAccounts", "Storage::Account", Kind.DATASET, created="properties.creationTime",
        aliases=("host:{name}.blob.core.windows.net", "host:{name}.dfs.core.windows.net"),
    ),
    _within(
        _STORE, "storageAccounts", "blobServices/default/containers", "Storage::Container", Kind.DATASET,
        last_used="properties.lastModifiedTime", aliases=("az://{_parent.name}/{name}",), **_PLAIN,
    ),
    _within(
        _STORE, "storageAccounts", "fileServices/default/shares", "Storage::Share", Kind.VOLUME,
        last_used="properties.lastModifiedTime", size_bytes="properties.shareUsageBytes", **_PLAIN,
    ),
    _row(
        "Microsoft.DBforPostgreSQL", "flexibleServers", "PostgreSQL::Server", Kind.DATABASE,
        framework="properties.version", status="properties.state",
        aliases=("host:{properties.fullyQualifiedDomainName}:5432",),
    ),
    _row(
        "Microsoft.DBforMySQL", "flexibleServers", "MySQL::Server", Kind.DATABASE,
        framework="properties.version", status="properties.state",
        aliases=("host:{properties.fullyQualifiedDomainName}:3306",),
    ),
    _row(
        "Microsoft.Sql", "servers", "SQL::Server", Kind.DATABASE, created="", status="properties.state",
        framework="properties.version", aliases=("host:{properties.fullyQualifiedDomainName}",),
    ),
    _within(
        "Microsoft.Sql", "servers", "databases", "SQL::Database", Kind.DATABASE, keep_tags="tags",
        region="location", created="properties.creationDate", status="properties.status",
    ),
    _row(
        "Microsoft.DocumentDB", "databaseAccounts", "Cosmos::Account", Kind.DATABASE,
        aliases=("host:{name}.documents.azure.com",),
    ),
    _row(
        "Microsoft.EventHub", "namespaces", "EventHub::Namespace", Kind.STREAM,
        created="properties.createdAt", aliases=("host:{name}.servicebus.windows.net",),
    ),
    _within(
        "Microsoft.EventHub", "namespaces", "eventhubs", "EventHub::Hub", Kind.STREAM, keep_tags="",
        region="_parent.location", created="properties.createdAt", status="properties.status",
    ),
)  # fmt: skip
"""What holds or moves data."""

_ADF = "Microsoft.DataFactory"
COMPUTE = (
    _row(
        "Microsoft.ContainerRegistry", "registries", "ContainerRegistry::Registry", Kind.IMAGE,
        aliases=("image:{properties.loginServer}",),
    ),
    _row(
        "Microsoft.ContainerService", "managedClusters", "Kubernetes::Cluster", Kind.CLUSTER,
        framework="properties.kubernetesVersion", aliases=("host:{properties.fqdn}",),
    ),
    _row(
        "Microsoft.Compute", "virtualMachines", "Compute::VirtualMachine", Kind.INSTANCE,
        created="properties.timeCreated", framework="properties.hardwareProfile.vmSize",
    ),
    _row(
        "Microsoft.Compute", "virtualMachineScaleSets", "Compute::ScaleSet", Kind.INSTANCE,
        created="properties.timeCreated", framework="sku.name", objects="sku.capacity",
    ),
    _row(
        "Microsoft.Compute", "disks", "Compute::Disk", Kind.VOLUME, version="2026-03-02",
        created="properties.timeCreated", size_bytes="properties.diskSizeBytes",
    ),
    _row(
        "Microsoft.Web", "sites", "Web::Site", Kind.FUNCTION, created="", status="properties.state",
        framework="kind", aliases=("host:{properties.defaultHostName}",),
    ),
    _row(_ADF, "factories", "DataFactory::Factory", Kind.WORKFLOW, created="properties.createTime"),
    _within(_ADF, "factories", "pipelines", "DataFactory::Pipeline", Kind.TRAINING_PIPELINE, **_PLAIN),
    _within(_ADF, "factories", "linkedservices", "DataFactory::LinkedService", Kind.NETWORK, **_PLAIN),
    _within(_ADF, "factories", "datasets", "DataFactory::Dataset", Kind.DATASET, **_PLAIN),
    _within(_ADF, "factories", "triggers", "DataFactory::Trigger", Kind.WORKFLOW, **_PLAIN),
    _row(
        "Microsoft.Logic", "workflows", "Logic::Workflow", Kind.WORKFLOW, created="properties.createdTime",
        last_used="properties.changedTime", status="properties.state",
    ),
)  # fmt: skip
"""What computes, and what it runs in."""

_VAULT, _WATCH, _NET = "Microsoft.KeyVault", "Microsoft.Insights", "Microsoft.Network"
PLATFORM = (
    _row(
        "Microsoft.Authorization", "roleAssignments", "Authorization::RoleAssignment", Kind.ROLE,
        created="properties.createdOn", status="", keep_tags="", region="",
    ),
    _row(
        "Microsoft.ManagedIdentity", "userAssignedIdentities", "ManagedIdentity", Kind.ROLE, status="",
        aliases=("azure:principal:{properties.principalId}", "azure:client:{properties.clientId}"),
    ),
    _row(
        _VAULT, "vaults", "KeyVault::Vault", Kind.SECRET, aliases=("host:{name}.vault.azure.net",),
    ),
    _within(_VAULT, "vaults", "secrets", "KeyVault::Secret", Kind.SECRET, **{**_PLAIN, "keep_tags": "tags"}),
    _within(_VAULT, "vaults", "keys", "KeyVault::Key", Kind.KEY, **{**_PLAIN, "keep_tags": "tags"}),
    _row(_WATCH, "metricAlerts", "Monitor::MetricAlert", Kind.ALERT, created="", status=""),
    _row(
        _WATCH, "scheduledQueryRules", "Monitor::QueryRule", Kind.ALERT, version="2023-12-01", status="",
    ),
    _row(
        _WATCH, "actionGroups", "Monitor::ActionGroup", Kind.ALERT, version="2023-01-01", created="",
        status="",
    ),
    _row("Microsoft.Portal", "dashboards", "Portal::Dashboard", Kind.DASHBOARD, created="", status=""),
    _row(
        "Microsoft.OperationalInsights", "workspaces", "Monitor::LogWorkspace", Kind.LOG_GROUP,
        created="properties.createdDate",
    ),
    _row(_NET, "virtualNetworks", "Network::VirtualNetwork", Kind.NETWORK, created=""),
    _row(_NET, "networkSecurityGroups", "Network::SecurityGroup", Kind.NETWORK, created=""),
    _row(_NET, "networkInterfaces", "Network::Interface", Kind.NETWORK, created=""),
    _row(_NET, "privateEndpoints", "Network::PrivateEndpoint", Kind.NETWORK, created=""),
)  # fmt: skip
"""Identity, keys, secrets, networks, and what watches."""

ROWS: tuple[Row, ...] = (*MACHINE_LEARNING, *DATA, *COMPUTE, *PLATFORM)
"""Every type of Azure that is read."""
