"""The types of Google Cloud of which their kind alone tells too little."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from heavylift.assess.translate.groups import Groups, Several, device_of
from heavylift.assess.translate.rows import (
    GIB,
    HELD,
    LONGEST_QUEUE_HOURS,
    Attributes,
    Row,
    first_at,
    follows_time,
    number_at,
    number_of,
    values_at,
)
from heavylift.evidence.assess_input import AcceleratorUse

_ENDS = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
_ENDED = frozenset(f"{of}_STATE_{end}" for of in ("JOB", "PIPELINE") for end in _ENDS) | frozenset(
    f"JOB_STATE_{end}" for end in ("DONE", "UPDATED", "DRAINED")
)


def _sql_size(found: Attributes) -> int | None:
    return _gib(number_at("settings.dataDiskSizeGb", found))


def _is_primary(found: Attributes) -> bool:
    """Tell whether a database is no copy of another one, whose data is counted there."""
    return found.get("instanceType") != "READ_REPLICA_INSTANCE" and found.get("clusterType") != "SECONDARY"


def _zones(found: Attributes) -> int | None:
    kind = first_at("settings.availabilityType", found)
    return {"REGIONAL": 2, "ZONAL": 1}.get(str(kind))


def _cache_size(found: Attributes) -> int | None:
    return _gib(number_at("memorySizeGb", found))


def _share_size(found: Attributes) -> int | None:
    shares = [number_at("capacityGb", each) for each in values_at("fileShares[]", found)]
    return _gib(sum(each or 0 for each in shares)) if shares and all(shares) else None


def _disk_size(found: Attributes) -> int | None:
    return _gib(number_at("dataPersistentDiskSpec.diskSizeGb", found))


def _gib(number: int | None) -> int | None:
    return number * GIB if number else None


def _is_table(found: Attributes) -> bool:
    """Tell whether a table holds rows itself: a view and an external table show those of others."""
    return found.get("type") not in ("VIEW", "MATERIALIZED_VIEW", "EXTERNAL")


def _keeps_images(found: Attributes) -> bool:
    return found.get("mode") not in ("VIRTUAL_REPOSITORY", "REMOTE_REPOSITORY")


def _keeps_history(found: Attributes) -> bool:
    kept = str(found.get("messageRetentionDuration") or "").removesuffix("s")
    return kept.replace(".", "", 1).isdigit() and float(kept) > LONGEST_QUEUE_HOURS * 3600


def _compiled(found: Attributes) -> tuple[str, ...]:
    image = str(first_at("containerSpec.imageUri", found) or "").lower()
    return ("tensorrt",) if "tensorrt" in image else ()


def _fewest(found: Attributes) -> int | None:
    paths = ("dedicatedResources", "automaticResources")
    counts = [values_at(f"deployedModels[].{path}.minReplicaCount", found) for path in paths]
    whole = [each for some in counts for each in some if isinstance(each, int)]
    return sum(whole) if whole else None


def _specs(at: str, machines: str) -> Groups:
    """Return groups in the form of Vertex AI: a ``machineSpec`` beside their number."""
    spec = "machineSpec"
    return Groups(at, f"{spec}.machineType", f"{spec}.acceleratorType", f"{spec}.acceleratorCount", machines)


def _run_service(found: Attributes) -> tuple[AcceleratorUse, ...]:
    return _cloud_run(first_at("template", found), number_at("template.scaling.minInstanceCount", found))


def _run_job(found: Attributes) -> tuple[AcceleratorUse, ...]:
    return _cloud_run(first_at("template.template", found), number_at("template.parallelism", found))


def _cloud_run(template: Any, machines: int | None) -> tuple[AcceleratorUse, ...]:
    """Return what one instance asks for: the device by its selector, the number by its containers' limits."""
    name = str(first_at("nodeSelector.accelerator", template) or "")
    limits = [dict(each) for each in values_at("containers[].resources.limits", template)]
    count = sum(number_of(each.get("nvidia.com/gpu")) or 0 for each in limits)
    if not (name or count):
        return ()
    vendor, model = device_of(name) if name else ("nvidia", "")
    return (AcceleratorUse(vendor=vendor, model=model, count=max(1, count), machines=max(1, machines or 1)),)


_DATAPROC = tuple(
    Groups(
        f"config.{part}",
        "machineTypeUri",
        "accelerators[].acceleratorTypeUri",
        "accelerators[].acceleratorCount",
        "numInstances",
    )
    for part in ("masterConfig", "workerConfig", "secondaryWorkerConfig")
)
_POOLS = "workerPoolSpecs[]"
_FIRST_POOL = f"{_POOLS}.machineSpec.machineType"

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        # What a dataset of Vertex AI describes lies in buckets and tables, which are counted themselves.
        "GCP::VertexAI::Dataset": Row("data catalogue"),
        "GCP::VertexAI::Model": Row("model registry", formats=_compiled),
        "GCP::VertexAI::Endpoint": Row(
            "real-time endpoint",
            uses=_specs("deployedModels[].dedicatedResources", "minReplicaCount"),
            replicas=_fewest,
        ),
        "GCP::VertexAI::DeploymentResourcePool": Row(
            "real-time endpoint", uses=_specs("dedicatedResources", "minReplicaCount")
        ),
        "GCP::VertexAI::CustomJob": Row(
            "managed training job",
            instance=f"jobSpec.{_FIRST_POOL}",
            machines=f"jobSpec.{_POOLS}.replicaCount",
            uses=_specs(f"jobSpec.{_POOLS}", "replicaCount"),
            ends=_ENDED,
        ),
        "GCP::VertexAI::HyperparameterTuningJob": Row(
            "hyper-parameter tuning",
            instance=f"trialJobSpec.{_FIRST_POOL}",
            machines=f"trialJobSpec.{_POOLS}.replicaCount",
            uses=_specs(f"trialJobSpec.{_POOLS}", "replicaCount"),
            ends=_ENDED,
        ),
        "GCP::VertexAI::TuningJob": Row("foundation models custom", ends=_ENDED),
        "GCP::VertexAI::BatchPredictionJob": Row(
            "batch inference",
            instance="dedicatedResources.machineSpec.machineType",
            machines="dedicatedResources.startingReplicaCount",
            uses=_specs("dedicatedResources", "startingReplicaCount"),
            ends=_ENDED,
        ),
        "GCP::VertexAI::DataLabelingJob": Row("data labelling", ends=_ENDED),
        # The custom job behind it is listed itself, with its machines.
        "GCP::VertexAI::TrainingPipeline": Row("managed training job", ends=_ENDED),
        "GCP::VertexAI::PipelineJob": Row("ML pipeline", ends=_ENDED),
        "GCP::VertexAI::Schedule": Row("scheduler"),
        # It holds its values itself, unlike a feature group, whose values lie in BigQuery.
        "GCP::VertexAI::Featurestore": Row("feature store (offline+online)", HELD),
        "GCP::VertexAI::FeatureOnlineStore": Row("online feature serving"),
        "GCP::VertexAI::NotebookRuntime": Row("notebooks", HELD, size=_disk_size, uses=_specs("", "")),
        "GCP::VertexAI::Index": Row("vector index", HELD),
        "GCP::VertexAI::IndexEndpoint": Row("vector index"),
        "GCP::VertexAI::PersistentResource": Row(
            "training cluster", uses=_specs("resourcePools[]", "replicaCount")
        ),
        "GCP::VertexAI::RagCorpus": Row("RAG knowledge base", HELD),
        "GCP::BigQuery::Dataset": Row("warehouse"),
        "GCP::BigQuery::Table": Row("warehouse", HELD, holds=_is_table),
        "GCP::SQL::Instance": Row("relational", HELD, holds=_is_primary, size=_sql_size, replicas=_zones),
        "GCP::AlloyDB::Cluster": Row("relational", HELD, holds=_is_primary),
        "GCP::Redis::Instance": Row("key-value", HELD, size=_cache_size),
        "GCP::Filestore::Instance": Row("shared file system", HELD, size=_share_size),
        "GCP::PubSub::Topic": Row("stream", HELD, holds=_keeps_history),
        "GCP::PubSub::Subscription": Row("stream"),
        "GCP::ManagedKafka::Cluster": Row("managed Kafka", HELD, more=follows_time),
        "GCP::ArtifactRegistry::Repository": Row("container registry", HELD, holds=_keeps_images),
        "GCP::GKE::Cluster": Row(
            "Kubernetes",
            uses=Groups(
                "nodePools[]",
                "config.machineType",
                "config.accelerators[].acceleratorType",
                "config.accelerators[].acceleratorCount",
                "initialNodeCount",
            ),
        ),
        "GCP::Compute::Instance": Row(
            "virtual machine",
            uses=Groups(
                "",
                "machineType",
                "guestAccelerators[].acceleratorType",
                "guestAccelerators[].acceleratorCount",
            ),
        ),
        "GCP::Run::Service": Row("functions", uses=_run_service),
        "GCP::Run::Job": Row("managed training job", uses=_run_job),
        "GCP::Composer::Environment": Row("managed Airflow"),
        "GCP::Scheduler::Job": Row("scheduler"),
        "GCP::Eventarc::Trigger": Row("scheduler"),
        "GCP::Dataproc::Cluster": Row("ETL", uses=Several(_DATAPROC)),
        "GCP::Dataflow::Job": Row("ETL", ends=_ENDED),
        # Its disks are disks of Compute Engine, which are counted themselves.
        "GCP::Notebooks::Instance": Row(
            "notebooks",
            uses=Groups(
                "gceSetup", "machineType", "acceleratorConfigs[].type", "acceleratorConfigs[].coreCount"
            ),
        ),
        "GCP::Logging::Bucket": Row("logs", HELD, more=follows_time),
    }
)  # fmt: skip
"""Native type → what it means to a plan."""
