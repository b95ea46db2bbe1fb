"""The types of Azure of which their kind alone tells too little."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from heavylift.assess.translate.groups import Groups, Several
from heavylift.assess.translate.rows import (
    GIB,
    HELD,
    LONGEST_QUEUE_HOURS,
    Attributes,
    Row,
    first_at,
    follows_time,
    number_at,
)

_ENDED = frozenset({"Completed", "Failed", "Canceled"})


def _server_size(found: Attributes) -> int | None:
    allocated = number_at("properties.storage.storageSizeGB", found)
    return allocated * GIB if allocated else None


def _is_primary(found: Attributes) -> bool:
    """Tell whether a server is no copy of another one, whose data is counted there."""
    role = str(first_at("properties.replicationRole", found) or "")
    return role not in ("AsyncReplica", "GeoAsyncReplica", "Replica")


def _zones(found: Attributes) -> int | None:
    mode = str(first_at("properties.highAvailability.mode", found) or "")
    return {"ZoneRedundant": 2, "SameZone": 2, "Disabled": 1}.get(mode)


def _is_own(found: Attributes) -> bool:
    """Tell whether a database is the user's: each server has one that is the platform's."""
    return found.get("name") != "master"


def _keeps_history(found: Attributes) -> bool:
    hours = number_at("properties.retentionDescription.retentionTimeInHours", found)
    if hours is None:
        hours = 24 * (number_at("properties.messageRetentionInDays", found) or 0)
    return hours > LONGEST_QUEUE_HOURS


_INSIDE = "properties.properties"
_COMPUTE = Several(
    (
        Groups(_INSIDE, "vmSize", machines="scaleSettings.maxNodeCount"),
        Groups(_INSIDE, "virtualMachineSize"),
        Groups(_INSIDE, "agentVmSize", machines="agentCount"),
    )
)
_JOB = Several(
    tuple(
        Groups(f"properties.{at}resources", "instanceType", machines="instanceCount") for at in ("", "trial.")
    )
)

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "Azure::MachineLearning::Workspace": Row("ML workspace"),
        "Azure::MachineLearning::Compute": Row("training cluster", uses=_COMPUTE),
        # Both only point to storage, which is counted itself.
        "Azure::MachineLearning::Datastore": Row("data catalogue"),
        "Azure::MachineLearning::DataAsset": Row("data catalogue"),
        # Its image lies in a registry.
        "Azure::MachineLearning::Environment": Row("container registry"),
        "Azure::MachineLearning::OnlineEndpoint": Row(
            "real-time endpoint",
            uses=Groups("deployments[]", "properties.instanceType", machines="sku.capacity"),
        ),
        # It runs on a compute, whose machines are counted there.
        "Azure::MachineLearning::BatchEndpoint": Row("batch inference"),
        "Azure::MachineLearning::ServerlessEndpoint": Row("serverless inference"),
        "Azure::MachineLearning::Job": Row(
            "managed training job",
            instance="properties.resources.instanceType",
            machines="properties.resources.instanceCount",
            uses=_JOB,
            ends=_ENDED,
        ),
        "Azure::MachineLearning::Schedule": Row("scheduler"),
        # Its containers and shares are counted themselves.
        "Azure::Storage::Account": Row("object storage"),
        "Azure::Storage::Share": Row("shared file system", HELD),
        "Azure::PostgreSQL::Server": Row(
            "relational", HELD, holds=_is_primary, size=_server_size, replicas=_zones
        ),
        "Azure::MySQL::Server": Row(
            "relational", HELD, holds=_is_primary, size=_server_size, replicas=_zones
        ),
        # Its databases are counted themselves; what they may grow to is no size.
        "Azure::SQL::Server": Row("relational"),
        "Azure::SQL::Database": Row("relational", HELD, holds=_is_own),
        "Azure::Cosmos::Account": Row("key-value", HELD),
        "Azure::EventHub::Namespace": Row("stream"),
        "Azure::EventHub::Hub": Row("stream", HELD, holds=_keeps_history),
        "Azure::Kubernetes::Cluster": Row(
            "Kubernetes", uses=Groups("properties.agentPoolProfiles[]", "vmSize", machines="count")
        ),
        "Azure::Compute::VirtualMachine": Row(
            "virtual machine", uses=Groups("", "properties.hardwareProfile.vmSize")
        ),
        "Azure::Compute::ScaleSet": Row(
            "virtual machine", uses=Groups("sku", "name", machines="capacity")
        ),
        "Azure::DataFactory::Factory": Row("ETL"),
        "Azure::DataFactory::Pipeline": Row("ETL"),
        "Azure::DataFactory::Dataset": Row("data catalogue"),
        "Azure::DataFactory::Trigger": Row("scheduler"),
        "Azure::Monitor::LogWorkspace": Row("logs", HELD, more=follows_time),
        "Azure::Network::PrivateEndpoint": Row("private connectivity"),
    }
)  # fmt: skip
"""Native type → what it means to a plan."""
