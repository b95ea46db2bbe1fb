"""A Kubernetes cluster of known content: every object of it, and everything that they name.

The truth is written down by hand, object by object; none of it comes from the code that is tested.
"""

from __future__ import annotations

from typing import Any

from tests.support.kubernetes_server import Cluster
from tests.support.seeded_account import Truth

NAME = "prod"
SECRET = "s3cr3t-of-the-cluster"
APPS, CORE, BATCH = "apis/apps/v1", "api/v1", "apis/batch/v1"
RBAC, KSERVE = "apis/rbac.authorization.k8s.io/v1", "apis/serving.kserve.io"
EMPTY = (
    (APPS, "daemonsets"), (APPS, "replicasets"), (CORE, "pods"),
    ("apis/networking.k8s.io/v1", "networkpolicies"), (RBAC, "clusterroles"), (RBAC, "clusterrolebindings"),
)  # fmt: skip


class ClusterTruth(Truth):
    """What the cluster holds; types are written without ``Kubernetes::``."""

    def add(self, native_type: str, id: str, *, uses: Any = (), infers: Any = ()) -> str:
        self.components[id] = f"Kubernetes::{native_type}"
        self.explicit |= {(id, target) for target in uses if target}
        self.inferred |= {(id, target) for target in infers if target}
        return id


def id_of(group: str, kind: str, name: str, namespace: str = "") -> str:
    return f"kubernetes://{NAME}/{group}/{kind}/" + (f"{namespace}/{name}" if namespace else name)


def seed(cluster: Cluster) -> ClusterTruth:
    """Fill a cluster: two teams alike, in namespaces of their own, and one GPU node."""
    truth = ClusterTruth()
    cluster.objects |= {each: [] for each in EMPTY}
    cluster.add(
        CORE, "nodes", "Node", "gpu-1",
        status={
            "capacity": {"cpu": "96", "memory": "1152Gi", "nvidia.com/gpu": "8"},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.7"}],
        },
    )  # fmt: skip
    truth.add("Node", id_of("core", "Node", "gpu-1"))
    cluster.add(
        "apis/storage.k8s.io/v1", "storageclasses", "StorageClass", "fast", provisioner="ebs.csi.aws.com"
    )
    truth.add("StorageClass", id_of("storage.k8s.io", "StorageClass", "fast"))
    for team in ("fraud", "search"):
        _team(cluster, truth, team)
    truth.secrets.add(SECRET)
    return truth


def _team(cluster: Cluster, truth: ClusterTruth, team: str) -> None:
    account = _identity(cluster, truth, team)
    claim = _storage(cluster, truth, team)
    secret, config = _settings(cluster, truth, team)
    _serving(cluster, truth, team, account, claim, secret, config)
    _batch(cluster, truth, team, claim)
    _models(cluster, truth, team, account)


def _identity(cluster: Cluster, truth: ClusterTruth, team: str) -> str:
    role = f"arn:aws:iam::210987654321:role/{team}"
    notes = {"eks.amazonaws.com/role-arn": role}
    cluster.add(CORE, "serviceaccounts", "ServiceAccount", "serving", team, metadata={"annotations": notes})
    account = truth.add("ServiceAccount", id_of("core", "ServiceAccount", "serving", team))
    truth.outside.add(role)
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    cluster.add(RBAC, "roles", "Role", "look", team, rules=[rule])
    look = truth.add("Role", id_of("rbac.authorization.k8s.io", "Role", "look", team))
    cluster.add(
        RBAC, "rolebindings", "RoleBinding", "may-look", team,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
        subjects=[
            {"kind": "ServiceAccount", "name": "serving", "namespace": team},
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "somebody"},
        ],
    )  # fmt: skip
    binding = id_of("rbac.authorization.k8s.io", "RoleBinding", "may-look", team)
    truth.add("RoleBinding", binding, uses=[look, account])
    return account


def _storage(cluster: Cluster, truth: ClusterTruth, team: str) -> str:
    cluster.add(
        CORE, "persistentvolumes", "PersistentVolume", f"pv-{team}",
        spec={
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": team, "name": "cache"},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": f"handle-{team}"},
        },
        status={"phase": "Bound"},
    )  # fmt: skip
    volume, fast = (
        id_of("core", "PersistentVolume", f"pv-{team}"),
        id_of("storage.k8s.io", "StorageClass", "fast"),
    )
    claim = id_of("core", "PersistentVolumeClaim", "cache", team)
    truth.add("PersistentVolume", volume, uses=[fast, claim])
    cluster.add(
        CORE, "persistentvolumeclaims", "PersistentVolumeClaim", "cache", team,
        spec={
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "volumeName": f"pv-{team}",
            "resources": {"requests": {"storage": "100Gi"}},
        },
    )  # fmt: skip
    return truth.add("PersistentVolumeClaim", claim, uses=[fast, volume])


def _settings(cluster: Cluster, truth: ClusterTruth, team: str) -> tuple[str, str]:
    applied = '{"kind":"Secret","data":{"password":"' + SECRET + '"}}'
    cluster.add(
        CORE, "secrets", "Secret", "database", team, type="Opaque", data={"password": SECRET},
        metadata={"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}},
    )  # fmt: skip
    secret = truth.add("Secret", id_of("core", "Secret", "database", team))
    cluster.add(
        CORE, "configmaps", "ConfigMap", "settings", team,
        data={"TRACKING": "http://tracking:5000", "DATA": f"s3://{team}-data/train/", "API_PASSWORD": SECRET},
    )  # fmt: skip
    config = truth.add(
        "ConfigMap", id_of("core", "ConfigMap", "settings", team),
        infers=[id_of("core", "Service", "tracking", team)],
    )  # fmt: skip
    truth.outside.add(f"s3://{team}-data/train/")
    return secret, config


def _container(team: str) -> dict[str, Any]:
    password = {"secretKeyRef": {"name": "database", "key": "password"}}
    return {
        "name": "main",
        "image": f"registry.example.com:5000/{team}/serve:1.4",
        "args": ["--model", f"s3://{team}-models/m.onnx", "--password", SECRET],
        "env": [
            {"name": "PASSWORD", "valueFrom": password},
            {"name": "TRACKING_URI", "value": f"http://tracking.{team}.svc:5000"},
            {"name": "DATABASE", "value": f"postgresql://app:{SECRET}@db.{team}.example.com:5432/features"},
        ],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "resources": {"limits": {"nvidia.com/gpu": "2", "cpu": "4"}},
    }


def _serving(
    cluster: Cluster, truth: ClusterTruth, team: str, account: str, claim: str, secret: str, config: str
) -> None:
    labels = {"app": "serve", "team": team}
    spec = {
        "serviceAccountName": "serving",
        "containers": [_container(team)],
        "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}],
    }
    pods = {"metadata": {"labels": {**labels, "version": "3"}}, "spec": spec}
    cluster.add(
        APPS, "deployments", "Deployment", "serve", team,
        spec={"replicas": 3, "selector": {"matchLabels": labels}, "template": pods},
    )  # fmt: skip
    tracking = id_of("core", "Service", "tracking", team)
    serve = truth.add(
        "Deployment", id_of("apps", "Deployment", "serve", team),
        uses=[account, claim, secret, config], infers=[tracking],
    )  # fmt: skip
    truth.outside |= {
        f"image:registry.example.com:5000/{team}/serve", f"s3://{team}-models/m.onnx",
        f"host:db.{team}.example.com:5432",
    }  # fmt: skip
    cluster.add(
        CORE, "services", "Service", "serve", team, spec={"selector": labels, "ports": [{"port": 80}]}
    )
    service = truth.add("Service", id_of("core", "Service", "serve", team), uses=[serve])
    plain = {"app": "tracking"}
    container = {"name": "main", "image": "registry.example.org/mlflow/mlflow"}
    cluster.add(
        APPS, "statefulsets", "StatefulSet", "tracking", team,
        spec={
            "serviceName": "tracking",
            "selector": {"matchLabels": plain},
            "template": {"metadata": {"labels": plain}, "spec": {"containers": [container]}},
        },
    )  # fmt: skip
    stateful = id_of("apps", "StatefulSet", "tracking", team)
    truth.add("StatefulSet", stateful, uses=[tracking])
    truth.outside.add("image:registry.example.org/mlflow/mlflow")
    cluster.add(
        CORE, "services", "Service", "tracking", team, spec={"selector": plain, "ports": [{"port": 5000}]}
    )
    truth.add("Service", tracking, uses=[stateful])
    backend = {"service": {"name": "serve", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    cluster.add(
        "apis/networking.k8s.io/v1", "ingresses", "Ingress", "front", team,
        spec={
            "tls": [{"secretName": "database"}],
            "rules": [{"host": f"{team}.example.com", "http": {"paths": [path]}}],
        },
    )  # fmt: skip
    truth.add("Ingress", id_of("networking.k8s.io", "Ingress", "front", team), uses=[secret, service])
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "serve"}
    cluster.add(
        "apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "serve", team,
        spec={"scaleTargetRef": target, "maxReplicas": 9},
    )  # fmt: skip
    scaler = id_of("autoscaling", "HorizontalPodAutoscaler", "serve", team)
    truth.add("HorizontalPodAutoscaler", scaler, uses=[serve])


def _batch(cluster: Cluster, truth: ClusterTruth, team: str, claim: str) -> None:
    pods = {
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "python", "command": ["train", f"gs://{team}-raw/x"]}],
            "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}],
        }
    }
    cluster.add(
        BATCH, "cronjobs", "CronJob", "train", team,
        spec={"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": pods}}},
    )  # fmt: skip
    cron = truth.add("CronJob", id_of("batch", "CronJob", "train", team), uses=[claim])
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "train", "uid": "u", "controller": True}
    cluster.add(
        BATCH, "jobs", "Job", "train-1", team, metadata={"ownerReferences": [owner]}, spec={"template": pods}
    )
    truth.add("Job", id_of("batch", "Job", "train-1", team), uses=[cron, claim])
    truth.outside |= {"image:docker.io/library/python", f"gs://{team}-raw/x"}


def _models(cluster: Cluster, truth: ClusterTruth, team: str, account: str) -> None:
    cluster.add(
        f"{KSERVE}/v1alpha1", "servingruntimes", "ServingRuntime", "triton", team, spec={"containers": []}
    )
    runtime = truth.add("ServingRuntime", id_of("serving.kserve.io", "ServingRuntime", "triton", team))
    model = {"modelFormat": {"name": "onnx"}, "runtime": "triton", "storageUri": f"s3://{team}-models/llm"}
    cluster.add(
        f"{KSERVE}/v1beta1", "inferenceservices", "InferenceService", "llm", team,
        spec={"predictor": {"serviceAccountName": "serving", "model": model}},
        status={"url": f"http://llm.{team}.example.com"},
    )  # fmt: skip
    llm = id_of("serving.kserve.io", "InferenceService", "llm", team)
    truth.add("InferenceService", llm, uses=[runtime, account])
    truth.outside.add(f"s3://{team}-models/llm")
