"""The types of Kubernetes of which their kind alone tells too little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from heavylift.assess.translate.groups import device_of
from heavylift.assess.translate.rows import HELD, Attributes, Row, first_at, follows_time, number_of
from heavylift.evidence.assess_input import AcceleratorUse
from heavylift.platforms.kubernetes.objects import number_of as quantity_of

_MAKERS = {
    "nvidia.com": "nvidia",
    "amd.com": "amd",
    "google.com": "google",
    "aws.amazon.com": "aws",
    "habana.ai": "habana",
    "gpu.intel.com": "intel",
    "qualcomm.com": "qualcomm",
}
"""The domain of a device plugin's resources → who makes the devices."""

_CORES = "aws.amazon.com/neuroncore"
"""Parts of a device; how many devices they are depends on the device."""

_PRODUCTS = ("nvidia.com/gpu.product", "cloud.google.com/gke-accelerator")
"""Labels and selectors that name the device."""

_ASKED = ("resources", "resourcesPerNode")
_NUMBERS = ("replicas", "numNodes", "parallelism", "minReplicas")


def _of_pods(found: Attributes) -> tuple[AcceleratorUse, ...]:
    """Return what one pod of each template asks for; a limit counts as a request."""
    return tuple(_pods(found.get("spec"), 1))


def _pods(value: Any, number: int) -> Iterator[AcceleratorUse]:
    if isinstance(value, list):
        for each in value:
            yield from _pods(each, number)
    if not isinstance(value, Mapping):
        return
    told = (value.get(name) for name in _NUMBERS)
    number = next((each for each in told if isinstance(each, int) and not isinstance(each, bool)), number)
    containers = value.get("containers")
    parts = containers if isinstance(containers, list) else [value]
    yield from _asked(parts, value.get("nodeSelector"), number)
    for key, each in value.items():
        if key not in ("containers", "initContainers", *_ASKED):
            yield from _pods(each, number)


def _asked(parts: list[Any], selector: Any, number: int) -> Iterator[AcceleratorUse]:
    sums: dict[str, int] = {}
    for part in parts:
        for name in _ASKED:
            resources = part.get(name) if isinstance(part, Mapping) else None
            if isinstance(resources, Mapping):
                wanted = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
                for resource in wanted:
                    sums[resource] = sums.get(resource, 0) + (number_of(wanted[resource]) or 0)
    yield from _uses(sums, selector if isinstance(selector, Mapping) else {}, number)


def _of_node(found: Attributes) -> tuple[AcceleratorUse, ...]:
    """Return what a node has."""
    devices = found.get("accelerators")
    labels = found.get("labels")
    counts = devices if isinstance(devices, Mapping) else {}
    return tuple(_uses(counts, labels if isinstance(labels, Mapping) else {}, 1))


def _uses(counts: Mapping[str, Any], named: Mapping[str, Any], number: int) -> Iterator[AcceleratorUse]:
    product = next((str(named[label]) for label in _PRODUCTS if named.get(label)), "")
    for resource, amount in sorted(counts.items()):
        maker = _MAKERS.get(resource.partition("/")[0])
        count = number_of(amount)
        if maker and count:
            yield AcceleratorUse(
                vendor=maker,
                model=device_of(product)[1] if product and maker == "nvidia" else "",
                count=None if resource == _CORES else count,
                machines=max(1, number),
            )


def _is_own_claim(found: Attributes) -> bool:
    """Tell whether a claim's data is not that of a database, which counts it."""
    owners = found.get("owners")
    kinds = {str(each.get("apiVersion", "")).partition("/")[0] for each in owners or () if "kind" in each}
    return "postgresql.cnpg.io" not in kinds


def _is_unclaimed(found: Attributes) -> bool:
    """Tell whether a volume's data is not counted with the claim that it is bound to."""
    spec = found.get("spec")
    return not (isinstance(spec, Mapping) and spec.get("claimRef"))


def _storage(found: Attributes) -> int | None:
    """Return what each instance of a database asks for; all of them hold the same."""
    return int(quantity_of(first_at("spec.storage.size", found) or "")) or None


_WORKLOAD = Row("Kubernetes", uses=_of_pods)
_JOB = Row("managed training job", uses=_of_pods)
_ENDPOINT = Row("real-time endpoint", uses=_of_pods)
_JOBS = (
    "Job", "PyTorchJob", "TFJob", "XGBoostJob", "MPIJob", "PaddleJob", "JAXJob", "TrainJob", "RayJob",
)  # fmt: skip

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        **{
            f"Kubernetes::{kind}": _WORKLOAD
            for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
        },
        **{f"Kubernetes::{kind}": _JOB for kind in _JOBS},
        **{
            f"Kubernetes::{kind}": _ENDPOINT
            for kind in ("InferenceService", "SeldonDeployment", "RayService")
        },
        "Kubernetes::CronJob": Row("scheduler", uses=_of_pods),
        "Kubernetes::Node": Row("Kubernetes GPU node pool", uses=_of_node),
        "Kubernetes::PersistentVolumeClaim": Row("block volume", HELD, holds=_is_own_claim),
        "Kubernetes::PersistentVolume": Row("block volume", HELD, holds=_is_unclaimed),
        "Kubernetes::StorageClass": Row("block volume"),
        # They are definitions; what is made of them asks for accelerators itself.
        "Kubernetes::ServingRuntime": Row("Kubernetes"),
        "Kubernetes::ClusterServingRuntime": Row("Kubernetes"),
        "Kubernetes::TrainingRuntime": Row("Kubernetes"),
        "Kubernetes::ClusterTrainingRuntime": Row("Kubernetes"),
        "Kubernetes::Notebook": Row("notebooks", uses=_of_pods),
        "Kubernetes::Experiment": Row("hyper-parameter tuning", uses=_of_pods),
        "Kubernetes::Workflow": Row("ML pipeline", uses=_of_pods),
        "Kubernetes::WorkflowTemplate": Row("ML pipeline", uses=_of_pods),
        "Kubernetes::ClusterWorkflowTemplate": Row("ML pipeline", uses=_of_pods),
        "Kubernetes::CronWorkflow": Row("scheduler", uses=_of_pods),
        "Kubernetes::RayCluster": Row("training cluster", uses=_of_pods),
        "Kubernetes::SparkApplication": Row("ETL"),
        "Kubernetes::ServiceMonitor": Row("metrics+alerts"),
        # Its messages lie in claims, which are counted themselves.
        "Kubernetes::Kafka": Row("managed Kafka", more=follows_time),
        "Kubernetes::PostgresCluster": Row("relational", HELD, size=_storage),
    }
)  # fmt: skip
"""Native type → what it means to a plan."""
