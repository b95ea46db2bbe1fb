"""Google Cloud, Azure and Kubernetes: what holds data and what needs accelerators is told, or unknown."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.assess.baselines import baselines_of
from heavylift.assess.translate.azure_rows import ROWS as AZURE_ROWS
from heavylift.assess.translate.gcp_rows import ROWS as GCP_ROWS
from heavylift.assess.translate.kubernetes_rows import ROWS as KUBERNETES_ROWS
from heavylift.assess.translate.native_rows import ROWS as NATIVE_ROWS
from heavylift.assess.translate.table import row_of
from heavylift.evidence.assess_input import Component
from heavylift.evidence.inventory_records import RUNS_ON, Edge, How, Kind
from heavylift.evidence.inventory_records import Component as Listed
from heavylift.facts.accelerators import load_accelerators
from heavylift.inventory.platforms import rows_of
from heavylift.platforms.kubernetes.objects import shown
from heavylift.spec.vocabulary import System
from tests.unit.assess.inputs import BASIS
from tests.unit.assess.test_translate import GIB, listed, translated

SERVERS = (System.POSTGRESQL, System.MYSQL, System.KAFKA, System.MLFLOW, System.FILES, System.OBJECTS)
TABLES = {
    System.GCP: GCP_ROWS,
    System.AZURE: AZURE_ROWS,
    System.KUBERNETES: KUBERNETES_ROWS,
    **{
        each: {name: row for name, row in NATIVE_ROWS.items() if name.lower().startswith(each.value)}
        for each in SERVERS
    },
}

SUFFICES = {
    "its kind holds data, and its size is in the inventory or told by nobody": (
        "GCP::Storage::Bucket GCP::Compute::Disk Azure::Storage::Container Azure::Compute::Disk"
        " Azure::ContainerRegistry::Registry"
    ),
    "what it describes lies elsewhere, and it is made again": (
        "GCP::VertexAI::FeatureGroup GCP::VertexAI::Tensorboard GCP::VertexAI::MetadataStore"
        " GCP::VertexAI::NotebookRuntimeTemplate Azure::MachineLearning::Model"
        " Azure::MachineLearning::Component Azure::MachineLearning::Registry"
        " Azure::MachineLearning::FeatureSet Azure::MachineLearning::FeatureStoreEntity"
        " Kubernetes::TrainedModel Kubernetes::FeatureStore"
    ),
    "it runs without accelerators of its own": (
        "GCP::VertexAI::ModelMonitoringJob GCP::VertexAI::ReasoningEngine GCP::Functions::Function"
        " Azure::Web::Site Kubernetes::InferenceGraph Kubernetes::HorizontalPodAutoscaler"
    ),
    "a workflow is nothing but its definition": "GCP::Workflows::Workflow Azure::Logic::Workflow",
    "networks are made again": (
        "GCP::Compute::Network GCP::Compute::Subnetwork GCP::Compute::Firewall Azure::Network::VirtualNetwork"
        " Azure::Network::SecurityGroup Azure::Network::Interface Azure::DataFactory::LinkedService"
        " Kubernetes::Service Kubernetes::Ingress Kubernetes::NetworkPolicy Kubernetes::Gateway"
        " Kubernetes::HTTPRoute"
    ),
    "identities, keys, secrets and settings are made again": (
        "GCP::IAM::ServiceAccount GCP::IAM::Role GCP::IAM::Policy GCP::KMS::KeyRing"
        " GCP::SecretManager::Secret Azure::Authorization::RoleAssignment Azure::ManagedIdentity"
        " Azure::KeyVault::Vault Azure::KeyVault::Secret Azure::KeyVault::Key Kubernetes::ConfigMap"
        " Kubernetes::Secret Kubernetes::ServiceAccount Kubernetes::Role Kubernetes::RoleBinding"
        " Kubernetes::ClusterRole Kubernetes::ClusterRoleBinding Kubernetes::ExternalSecret"
    ),
    "what watches is made again": (
        "GCP::Monitoring::AlertPolicy GCP::Monitoring::Dashboard GCP::Logging::Sink"
        " Azure::Monitor::MetricAlert Azure::Monitor::QueryRule Azure::Monitor::ActionGroup"
        " Azure::Portal::Dashboard Kubernetes::PrometheusRule"
    ),
    "its messages lie in the claims of its cluster": "Kubernetes::KafkaTopic",
}
"""Why a type's kind tells enough → the types."""


@pytest.mark.parametrize("platform", list(TABLES))
def test_every_type_that_is_read_has_a_row_or_a_reason(platform: System) -> None:
    reasons = {name for names in SUFFICES.values() for name in names.split()}
    read = {row.native_type: row for row in rows_of(platform)}
    table = TABLES[platform]
    assert set(read) - set(table) == {name for name in reasons if name in read}
    assert set(table) <= set(read)
    for name in table:
        assert BASIS.services.capability_of(table[name].service), name
    for name in set(read) - set(table):
        kind = read[name].kind
        assert BASIS.capability(Component(id="x", kind=kind.value)), name
        assert row_of(name, kind).data == (kind in (Kind.DATASET, Kind.DATABASE, Kind.VOLUME, Kind.IMAGE))


UNKNOWN, CHANGES, NOTHING = ("size_bytes", "change_bytes_per_day"), ("change_bytes_per_day",), ()


@pytest.mark.parametrize(
    ("native_type", "attributes", "size", "unknown"),
    [
        ("GCP::SQL::Instance", {"settings": {"dataDiskSizeGb": "20"}}, 20 * GIB, CHANGES),
        ("GCP::SQL::Instance", {"settings": {}}, 0, UNKNOWN),
        (
            "GCP::SQL::Instance",
            {"instanceType": "READ_REPLICA_INSTANCE", "settings": {"dataDiskSizeGb": "20"}}, 0, NOTHING,
        ),
        ("GCP::AlloyDB::Cluster", {"clusterType": "PRIMARY"}, 0, UNKNOWN),
        ("GCP::AlloyDB::Cluster", {"clusterType": "SECONDARY"}, 0, NOTHING),
        ("GCP::Redis::Instance", {"memorySizeGb": 5}, 5 * GIB, CHANGES),
        (
            "GCP::Filestore::Instance", {"fileShares": [{"capacityGb": "1024"}, {"capacityGb": "1"}]},
            1025 * GIB, CHANGES,
        ),
        ("GCP::Filestore::Instance", {"fileShares": [{"capacityGb": "1024"}, {}]}, 0, UNKNOWN),
        ("GCP::BigQuery::Table", {"type": "TABLE"}, 0, UNKNOWN),
        ("GCP::BigQuery::Table", {"type": "VIEW"}, 0, NOTHING),
        ("GCP::BigQuery::Dataset", {}, 0, NOTHING),
        ("GCP::PubSub::Topic", {"messageRetentionDuration": "604800s"}, 0, UNKNOWN),
        ("GCP::PubSub::Topic", {"messageRetentionDuration": "86400s"}, 0, NOTHING),
        ("GCP::PubSub::Topic", {}, 0, NOTHING),
        ("GCP::ArtifactRegistry::Repository", {"mode": "REMOTE_REPOSITORY"}, 0, NOTHING),
        (
            "GCP::VertexAI::NotebookRuntime", {"dataPersistentDiskSpec": {"diskSizeGb": "100"}}, 100 * GIB,
            CHANGES,
        ),
        ("GCP::VertexAI::Dataset", {}, 0, NOTHING),
        (
            "Azure::PostgreSQL::Server", {"properties": {"storage": {"storageSizeGB": 128}}}, 128 * GIB,
            CHANGES,
        ),
        (
            "Azure::MySQL::Server",
            {"properties": {"replicationRole": "Replica", "storage": {"storageSizeGB": 128}}}, 0, NOTHING,
        ),
        ("Azure::SQL::Server", {}, 0, NOTHING),
        # What a database may grow to is not how large it is.
        ("Azure::SQL::Database", {"name": "sales", "properties": {"maxSizeBytes": 5}}, 0, UNKNOWN),
        ("Azure::SQL::Database", {"name": "master"}, 0, NOTHING),
        ("Azure::Storage::Account", {}, 0, NOTHING),
        ("Azure::MachineLearning::Datastore", {}, 0, NOTHING),
        ("Azure::MachineLearning::Environment", {}, 0, NOTHING),
        ("Azure::EventHub::Hub", {"properties": {"messageRetentionInDays": 1}}, 0, NOTHING),
        ("Azure::EventHub::Hub", {"properties": {"messageRetentionInDays": 7}}, 0, UNKNOWN),
        (
            "Azure::EventHub::Hub", {"properties": {"retentionDescription": {"retentionTimeInHours": 48}}}, 0,
            UNKNOWN,
        ),
        ("Kubernetes::StorageClass", {}, 0, NOTHING),
        ("Kubernetes::PersistentVolume", {"spec": {"claimRef": {"name": "a"}}}, 0, NOTHING),
        ("Kubernetes::PersistentVolume", {"spec": {}}, 0, UNKNOWN),
        (
            "Kubernetes::PersistentVolumeClaim",
            {"owners": [{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster"}]}, 0, NOTHING,
        ),
        ("Kubernetes::PersistentVolumeClaim", {"owners": []}, 0, UNKNOWN),
        ("Kubernetes::PostgresCluster", {"spec": {"storage": {"size": "10Gi"}}}, 10 * GIB, CHANGES),
        ("Kubernetes::PostgresCluster", {"spec": {}}, 0, UNKNOWN),
        ("Kubernetes::Kafka", {}, 0, NOTHING),
    ],
)  # fmt: skip
def test_data_is_counted_once_and_what_nobody_tells_is_unknown(
    native_type: str, attributes: dict[str, Any], size: int, unknown: tuple[str, ...]
) -> None:
    [part] = translated(listed(native_type, attributes=attributes))
    assert (part.size_bytes, part.unknown) == (size, unknown)


def need(platform: str, native_type: str, attributes: dict[str, Any]) -> Any:
    [part] = translated(listed(native_type, platform=platform, attributes=attributes))
    if part.accelerator is None:
        return None
    found = BASIS.need(part, platform)
    assert found is not None
    return found.vendor, found.model, found.count, found.memory_gib_each, part.accelerator.machines


ZONE = "https://www.googleapis.com/compute/v1/projects/p/zones/z"
T4 = {"machineType": "n1-standard-8", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 2}
A2 = {"machineType": "a2-highgpu-2g", "acceleratorType": "NVIDIA_TESLA_A100", "acceleratorCount": 2}
CPU = {"machineType": "n1-standard-8", "acceleratorType": "ACCELERATOR_TYPE_UNSPECIFIED"}


@pytest.mark.parametrize(
    ("native_type", "attributes", "wanted"),
    [
        # What a T4 of Google's has is in no table: its memory stays unknown.
        (
            "VertexAI::Endpoint",
            {"deployedModels": [{"dedicatedResources": {"machineSpec": T4, "minReplicaCount": 3}}]},
            ("nvidia", "T4", 2, None, 3),
        ),
        ("VertexAI::Endpoint", {"deployedModels": [{"automaticResources": {"minReplicaCount": 1}}]}, None),
        (
            "VertexAI::CustomJob",
            {"jobSpec": {"workerPoolSpecs": [
                {"machineSpec": CPU, "replicaCount": "1"}, {"machineSpec": T4, "replicaCount": "1"},
                {"machineSpec": A2, "replicaCount": "4"}, {"machineSpec": A2, "replicaCount": "2"},
            ]}},
            ("nvidia", "A100", 2, 40.0, 6),
        ),
        (
            "GKE::Cluster",
            {"nodePools": [{"initialNodeCount": 2, "config": {
                "machineType": "g2-standard-24",
                "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": "2"}],
            }}]},
            ("nvidia", "L4", 2, 24.0, 2),
        ),
        ("GKE::Cluster", {"nodePools": [{"config": {"machineType": "e2-medium"}}]}, None),
        (
            "Compute::Instance", {"machineType": f"{ZONE}/machineTypes/a3-highgpu-8g"},
            ("nvidia", "H100", 8, 80.0, 1),
        ),
        (
            "Compute::Instance",
            {"machineType": f"{ZONE}/machineTypes/n1-standard-4", "guestAccelerators": [
                {"acceleratorType": f"{ZONE}/acceleratorTypes/nvidia-tesla-v100", "acceleratorCount": 1}
            ]},
            ("nvidia", "V100", 1, None, 1),
        ),
        (
            "Run::Service",
            {"template": {
                "nodeSelector": {"accelerator": "nvidia-l4"}, "scaling": {"minInstanceCount": 2},
                "containers": [{"resources": {"limits": {"cpu": "4", "nvidia.com/gpu": "1"}}}],
            }},
            ("nvidia", "L4", 1, 24.0, 2),
        ),
        ("Run::Service", {"template": {"containers": [{"resources": {"limits": {"cpu": "4"}}}]}}, None),
        (
            "Notebooks::Instance",
            {"gceSetup": {"machineType": "n1-standard-4", "acceleratorConfigs": [
                {"type": "NVIDIA_A100_80GB", "coreCount": "1"}
            ]}},
            ("nvidia", "A100", 1, 80.0, 1),
        ),
        (
            "Dataproc::Cluster",
            {"config": {"masterConfig": {"machineTypeUri": "n1-standard-4"}, "workerConfig": {
                "machineTypeUri": f"{ZONE}/machineTypes/g2-standard-4", "numInstances": 5,
            }}},
            ("nvidia", "L4", 1, 24.0, 5),
        ),
    ],
)  # fmt: skip
def test_google_tells_accelerators_by_machine_type_or_beside_it(
    native_type: str, attributes: dict[str, Any], wanted: Any
) -> None:
    assert need("gcp", f"GCP::{native_type}", attributes) == wanted


@pytest.mark.parametrize(
    ("native_type", "attributes", "wanted"),
    [
        (
            "MachineLearning::Compute",
            {"properties": {"computeType": "AmlCompute", "properties": {
                "vmSize": "STANDARD_NC24ADS_A100_V4", "scaleSettings": {"maxNodeCount": 4},
            }}},
            ("nvidia", "A100", 1, 80.0, 4),
        ),
        ("MachineLearning::Compute", {"properties": {"properties": {"vmSize": "STANDARD_D4S_V3"}}}, None),
        (
            "MachineLearning::OnlineEndpoint",
            {"deployments": [
                {"properties": {"instanceType": "Standard_DS3_v2"}, "sku": {"capacity": 9}},
                {"properties": {"instanceType": "Standard_NC4as_T4_v3"}, "sku": {"capacity": 2}},
                {"properties": {"instanceType": "Standard_NC64as_T4_v3"}, "sku": {"capacity": 1}},
            ]},
            ("nvidia", "T4", 4, 16.0, 1),
        ),
        (
            "MachineLearning::Job",
            {"properties": {"resources": {"instanceType": "Standard_ND96asr_v4", "instanceCount": 2}}},
            ("nvidia", "A100", 8, 40.0, 2),
        ),
        (
            "Kubernetes::Cluster",
            {"properties": {"agentPoolProfiles": [{"vmSize": "Standard_NC6s_v9", "count": 3}]}},
            # Its name tells that it has some; no table tells which.
            ("nvidia", "", 1, None, 3),
        ),
        (
            "Compute::VirtualMachine",
            {"properties": {"hardwareProfile": {"vmSize": "Standard_NC4as_T4_v3"}}},
            ("nvidia", "T4", 1, 16.0, 1),
        ),
        (
            "Compute::ScaleSet", {"sku": {"name": "Standard_NC4as_T4_v3", "capacity": 7}},
            ("nvidia", "T4", 1, 16.0, 7),
        ),
    ],
)  # fmt: skip
def test_azure_tells_accelerators_by_size(native_type: str, attributes: dict[str, Any], wanted: Any) -> None:
    assert need("azure", f"Azure::{native_type}", attributes) == wanted


def pod(gpus: int, resource: str = "nvidia.com/gpu", **more: Any) -> dict[str, Any]:
    container = {"name": "main", "resources": {"requests": {"cpu": "1"}, "limits": {resource: str(gpus)}}}
    return {"containers": [container, {"name": "side"}], **more}


@pytest.mark.parametrize(
    ("kind", "spec", "wanted"),
    [
        (
            "Deployment", {"replicas": 3, "template": {"spec": pod(2)}},
            ("nvidia", "", 2, None, 3),
        ),
        ("Deployment", {"replicas": 3, "template": {"spec": {"containers": [{"name": "main"}]}}}, None),
        (
            "Pod", pod(1, nodeSelector={"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}),
            ("nvidia", "H100", 1, 80.0, 1),
        ),
        # Each replica type has pods of its own: together they never stand on one machine.
        (
            "PyTorchJob",
            {"pytorchReplicaSpecs": {
                "Master": {"replicas": 1, "template": {"spec": pod(4)}},
                "Worker": {"replicas": 7, "template": {"spec": pod(4)}},
            }},
            ("nvidia", "", 4, None, 8),
        ),
        (
            "InferenceService",
            {"predictor": {"minReplicas": 2, "model": {"resources": {"limits": {"amd.com/gpu": "1"}}}}},
            ("amd", "", 1, None, 2),
        ),
        (
            "TrainJob",
            {"trainer": {"numNodes": 4, "resourcesPerNode": {"limits": {"nvidia.com/gpu": 8}}}},
            ("nvidia", "", 8, None, 4),
        ),
        ("Pod", pod(1, "aws.amazon.com/neuroncore"), ("aws", "", 1, None, 1)),
        ("Pod", pod(1, "rdma/hca"), None),
    ],
)  # fmt: skip
def test_kubernetes_tells_accelerators_by_what_pods_ask_for(
    kind: str, spec: dict[str, Any], wanted: Any
) -> None:
    item = shown({"metadata": {"name": "one", "namespace": "n"}, "spec": spec})
    assert need("kubernetes", f"Kubernetes::{kind}", item) == wanted


def test_a_node_has_what_its_capacity_and_labels_tell() -> None:
    labels = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}
    item = shown({
        "metadata": {"name": "gpu-1", "labels": labels}, "spec": {},
        "status": {"capacity": {"cpu": "96", "nvidia.com/gpu": "8"}},
    })  # fmt: skip
    assert need("kubernetes", "Kubernetes::Node", item) == ("nvidia", "A100", 8, 80.0, 1)


def test_googles_jobs_that_have_ended_tell_how_long_they_took() -> None:
    job = listed(
        "GCP::VertexAI::CustomJob", "//a/customJobs/1", Kind.JOB, platform="gcp",
        status="JOB_STATE_SUCCEEDED",
        attributes={
            "startTime": "2026-11-01T10:00:00Z", "endTime": "2026-11-01T12:00:00Z",
            "jobSpec": {"workerPoolSpecs": [{"machineSpec": A2, "replicaCount": "3"}]},
        },
    )  # fmt: skip
    [found] = baselines_of([job], load_accelerators(), "gcp")
    assert (found.instance_type, found.median_seconds, found.machine_hours) == ("a2-highgpu-2g", 7200.0, 6.0)
    assert [part.accelerator is not None for part in translated(job)] == [True]


def test_of_ended_jobs_the_latest_stands_for_each_device_beside_one_machine_type() -> None:
    def job(id: str, day: int, device: str) -> Listed:
        spec = {"machineType": "n1-standard-8", "acceleratorType": device, "acceleratorCount": 1}
        return listed(
            "GCP::VertexAI::CustomJob", id, Kind.JOB, platform="gcp", status="JOB_STATE_FAILED",
            created_at=f"2026-11-{day:02}T00:00:00+00:00",
            attributes={"jobSpec": {"workerPoolSpecs": [{"machineSpec": spec}]}},
        )  # fmt: skip

    parts = translated(
        job("old", 1, "NVIDIA_TESLA_T4"),
        job("new", 2, "NVIDIA_TESLA_T4"),
        job("other", 1, "NVIDIA_TESLA_V100"),
    )
    assert {part.id for part in parts if part.accelerator} == {"new", "other"}


INSTANCE = "arn:aws:rds:eu-west-1:111122223333:db:features"


@pytest.mark.parametrize(("joined", "sizes"), [(False, [0, 3 * GIB, 0]), (True, [100 * GIB, 0, 0, 0])])
def test_data_of_a_server_that_the_platform_lists_counts_once(joined: bool, sizes: list[int]) -> None:
    home = "postgresql://db.internal:5432"
    parts = [
        listed("PostgreSQL::Server", home, Kind.DATABASE, platform="postgresql"),
        listed("PostgreSQL::Database", f"{home}/shop", Kind.DATABASE, size_bytes=3 * GIB),
        listed("PostgreSQL::Table", f"{home}/shop/public/orders", size_bytes=2 * GIB),
    ]
    edges = []
    if joined:
        instance = listed("AWS::RDS::DBInstance", INSTANCE, Kind.DATABASE, size_bytes=100 * GIB)
        parts = [instance, *parts]
        edges = [Edge(home, INSTANCE, RUNS_ON, How.API_FIELD, 1.0)]
    assert [part.size_bytes for part in translated(*parts, edges=edges)] == sizes


@pytest.mark.parametrize(
    ("settings", "unknown"),
    [
        ({}, UNKNOWN),
        ({"retention.ms": "3600000"}, NOTHING),
        ({"retention.ms": "3600000", "cleanup.policy": "compact"}, UNKNOWN),
        ({"retention.ms": "-1"}, UNKNOWN),
        ({"retention.ms": "604800000"}, UNKNOWN),
    ],
)
def test_a_topic_holds_data_where_it_keeps_it_for_longer_than_a_queue(
    settings: dict[str, str], unknown: tuple[str, ...]
) -> None:
    topic = listed("Kafka::Topic", "kafka://k/topics/t", Kind.STREAM, attributes={"settings": settings})
    [part] = translated(topic)
    assert part.unknown == unknown
    assert part.sync_key is True
