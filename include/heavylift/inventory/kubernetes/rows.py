"""The types of Kubernetes that are read: its own, and those of what runs models on it."""

from __future__ import annotations

from typing import Any

from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.rows import Row

_SERVICE_HOSTS = (
    "host:{name}.{namespace}.svc.cluster.local",
    "host:{name}.{namespace}",
    "[status.loadBalancer.ingress[].join('', ['host:', hostname || ip])]",
    "host:{spec.clusterIP}",
)


def _row(group: str, version: str, plural: str, kind: str, means: Kind, **more: Any) -> Row:
    """Return the row of a kind; ``scoped=False`` where it belongs to no namespace."""
    scoped = more.pop("scoped", True)
    root = f"apis/{group}/{version}" if group else f"api/{version}"
    aliases = (*more.pop("aliases", ()), "[_known_as]")
    return Row(
        group or "core",
        f"Kubernetes::{kind}",
        means,
        f"GET /{root}/{{scope}}/{plural}" if scoped else f"GET /{root}/{plural}",
        more.pop("items", "items"),
        f"kubernetes://{{account}}/{group or 'core'}/{kind}/"
        + ("{namespace}/{name}" if scoped else "{name}"),
        "name",
        is_global=not scoped,
        region="namespace",
        created="created",
        keep_tags="labels",
        aliases=aliases,
        **more,
    )


_CORE = (
    _row("apps", "v1", "deployments", "Deployment", Kind.WORKLOAD, objects="spec.replicas"),
    _row("apps", "v1", "statefulsets", "StatefulSet", Kind.WORKLOAD, objects="spec.replicas"),
    _row("apps", "v1", "daemonsets", "DaemonSet", Kind.WORKLOAD),
    _row("apps", "v1", "replicasets", "ReplicaSet", Kind.WORKLOAD, items="items[?!owners]"),
    _row("batch", "v1", "jobs", "Job", Kind.JOB, last_used="status.completionTime || status.startTime"),
    _row("batch", "v1", "cronjobs", "CronJob", Kind.WORKFLOW, last_used="status.lastScheduleTime"),
    _row("", "v1", "pods", "Pod", Kind.WORKLOAD, items="items[?!owners]", status="status.phase"),
    _row("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", Kind.WORKLOAD),
    _row(
        "", "v1", "nodes", "Node", Kind.INSTANCE, scoped=False, framework="status.nodeInfo.kubeletVersion",
        aliases=("[status.addresses[].join('', ['host:', address])]",),
    ),
    _row(
        "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", Kind.VOLUME, size_bytes="storage_bytes"
    ),
    _row(
        "", "v1", "persistentvolumes", "PersistentVolume", Kind.VOLUME, scoped=False,
        size_bytes="storage_bytes", status="status.phase",
    ),
    _row("storage.k8s.io", "v1", "storageclasses", "StorageClass", Kind.VOLUME, scoped=False),
    _row("", "v1", "services", "Service", Kind.NETWORK, aliases=_SERVICE_HOSTS),
    _row(
        "networking.k8s.io", "v1", "ingresses", "Ingress", Kind.NETWORK,
        aliases=("[spec.rules[?host].join('', ['host:', host])]",),
    ),
    _row("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", Kind.NETWORK),
    _row("gateway.networking.k8s.io", "v1", "gateways", "Gateway", Kind.NETWORK),
    _row(
        "gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", Kind.NETWORK,
        aliases=("[spec.hostnames[].join('', ['host:', @])]",),
    ),
    _row("", "v1", "configmaps", "ConfigMap", Kind.WORKLOAD),
    _row("", "v1", "secrets", "Secret", Kind.SECRET),
    _row("", "v1", "serviceaccounts", "ServiceAccount", Kind.ROLE),
    _row("rbac.authorization.k8s.io", "v1", "roles", "Role", Kind.ROLE),
    _row("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", Kind.ROLE),
    _row("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", Kind.ROLE, scoped=False),
    _row(
        "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", Kind.ROLE,
        scoped=False,
    ),
)  # fmt: skip

_KSERVE, _KUBEFLOW, _ARGO = "serving.kserve.io", "kubeflow.org", "argoproj.io"

EXTENSIONS = (
    _row(_KSERVE, "v1beta1", "inferenceservices", "InferenceService", Kind.ENDPOINT),
    _row(_KSERVE, "v1alpha1", "inferencegraphs", "InferenceGraph", Kind.ENDPOINT),
    _row(_KSERVE, "v1alpha1", "servingruntimes", "ServingRuntime", Kind.ENDPOINT),
    _row(
        _KSERVE, "v1alpha1", "clusterservingruntimes", "ClusterServingRuntime", Kind.ENDPOINT, scoped=False
    ),
    _row(_KSERVE, "v1alpha1", "trainedmodels", "TrainedModel", Kind.MODEL),
    _row("machinelearning.seldon.io", "v1", "seldondeployments", "SeldonDeployment", Kind.ENDPOINT),
    *(
        _row(_KUBEFLOW, "v1", plural, kind, Kind.JOB)
        for plural, kind in (
            ("pytorchjobs", "PyTorchJob"), ("tfjobs", "TFJob"), ("xgboostjobs", "XGBoostJob"),
            ("mpijobs", "MPIJob"), ("paddlejobs", "PaddleJob"), ("jaxjobs", "JAXJob"),
        )
    ),
    _row("trainer.kubeflow.org", "v1alpha1", "trainjobs", "TrainJob", Kind.JOB),
    _row("trainer.kubeflow.org", "v1alpha1", "trainingruntimes", "TrainingRuntime", Kind.JOB),
    _row(
        "trainer.kubeflow.org", "v1alpha1", "clustertrainingruntimes", "ClusterTrainingRuntime", Kind.JOB,
        scoped=False,
    ),
    _row(_KUBEFLOW, "v1", "notebooks", "Notebook", Kind.NOTEBOOK),
    _row(_KUBEFLOW, "v1beta1", "experiments", "Experiment", Kind.EXPERIMENT_STORE),
    _row(_ARGO, "v1alpha1", "workflows", "Workflow", Kind.TRAINING_PIPELINE, last_used="status.finishedAt"),
    _row(_ARGO, "v1alpha1", "workflowtemplates", "WorkflowTemplate", Kind.TRAINING_PIPELINE),
    _row(_ARGO, "v1alpha1", "cronworkflows", "CronWorkflow", Kind.WORKFLOW),
    _row(
        _ARGO, "v1alpha1", "clusterworkflowtemplates", "ClusterWorkflowTemplate", Kind.TRAINING_PIPELINE,
        scoped=False,
    ),
    _row("ray.io", "v1", "rayclusters", "RayCluster", Kind.CLUSTER),
    _row("ray.io", "v1", "rayjobs", "RayJob", Kind.JOB),
    _row("ray.io", "v1", "rayservices", "RayService", Kind.ENDPOINT),
    _row("sparkoperator.k8s.io", "v1beta2", "sparkapplications", "SparkApplication", Kind.JOB),
    _row("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor", Kind.MONITOR),
    _row("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule", Kind.ALERT),
    _row("external-secrets.io", "v1", "externalsecrets", "ExternalSecret", Kind.SECRET),
    _row("kafka.strimzi.io", "v1beta2", "kafkas", "Kafka", Kind.STREAM),
    _row("kafka.strimzi.io", "v1beta2", "kafkatopics", "KafkaTopic", Kind.STREAM),
    _row("postgresql.cnpg.io", "v1", "clusters", "PostgresCluster", Kind.DATABASE),
    _row("feast.dev", "v1alpha1", "featurestores", "FeatureStore", Kind.FEATURE_STORE),
)  # fmt: skip
"""Kinds of other projects; where a cluster does not have them, it answers with nothing."""

ROWS: tuple[Row, ...] = (*_CORE, *EXTENSIONS)
"""Every type of Kubernetes that is read."""
CORE: tuple[Row, ...] = _CORE
"""Those that every cluster has."""
