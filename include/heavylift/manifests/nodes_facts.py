"""Labels of nodes, as tables.

Sources: Kubernetes' well-known labels; GKE's documentation of GPU node pools; Karpenter's and EKS Auto Mode's
labels; AKS's reserved labels; NVIDIA GPU feature discovery. Read in November 2026.
"""

from __future__ import annotations

RENAMED = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
}
"""Names that Kubernetes gave up (1.17 and later), everywhere."""

ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
INSTANCE = "node.kubernetes.io/instance-type"
GKE_DEVICE = "cloud.google.com/gke-accelerator"
PRODUCT = "nvidia.com/gpu.product"

DEVICE_LABELS = {
    GKE_DEVICE: "gke",
    "karpenter.k8s.aws/instance-gpu-name": "eks",
    "eks.amazonaws.com/instance-gpu-name": "eks",
    "k8s.amazonaws.com/accelerator": "eks",
}

COUNT_LABELS = {
    "cloud.google.com/gke-accelerator-count": "gke",
    "karpenter.k8s.aws/instance-gpu-count": "eks",
    "eks.amazonaws.com/instance-gpu-count": "eks",
}

POOL_LABELS = {
    "eks.amazonaws.com/nodegroup": "eks",
    "alpha.eksctl.io/nodegroup-name": "eks",
    "karpenter.sh/nodepool": "eks",
    "cloud.google.com/gke-nodepool": "gke",
    "kubernetes.azure.com/agentpool": "aks",
    "agentpool": "aks",
}

POOL_FOR = {
    "eks": "eks.amazonaws.com/nodegroup",
    "gke": "cloud.google.com/gke-nodepool",
    "aks": "kubernetes.azure.com/agentpool",
}

SPOT_LABELS = {
    ("eks.amazonaws.com/capacityType", "SPOT"): "eks",
    ("karpenter.sh/capacity-type", "spot"): "eks",
    ("cloud.google.com/gke-spot", "true"): "gke",
    ("cloud.google.com/gke-preemptible", "true"): "gke",
    ("kubernetes.azure.com/scalesetpriority", "spot"): "aks",
}

SPOT_FOR = {
    "eks": ("eks.amazonaws.com/capacityType", "SPOT"),
    "gke": ("cloud.google.com/gke-spot", "true"),
    "aks": ("kubernetes.azure.com/scalesetpriority", "spot"),
}

GPU_TAINTS = {("sku", "gpu"): "aks", ("kubernetes.azure.com/accelerator", "nvidia"): "aks"}
GPU_TAINT = "nvidia.com/gpu"

DEVICES = {
    "nvidia-tesla-t4": ("T4", 16.0),
    "nvidia-tesla-v100": ("V100", 16.0),
    "nvidia-l4": ("L4", 24.0),
    "nvidia-tesla-a100": ("A100", 40.0),
    "nvidia-a100-80gb": ("A100", 80.0),
    "nvidia-h100-80gb": ("H100", 80.0),
    "nvidia-h100-mega-80gb": ("H100", 80.0),
    "nvidia-h200-141gb": ("H200", 141.0),
    "nvidia-b200": ("B200", 180.0),
    "t4": ("T4", 16.0),
    "v100": ("V100", 16.0),
    "l4": ("L4", 24.0),
    "a10g": ("A10G", 24.0),
    "l40s": ("L40S", 48.0),
    "h100": ("H100", 80.0),
    "h200": ("H200", 141.0),
}
"""Values of labels, with model and memory. ``a100`` of Karpenter means either memory and is not here."""

GKE_VALUE = {
    ("T4", 16.0): "nvidia-tesla-t4",
    ("V100", 16.0): "nvidia-tesla-v100",
    ("L4", 24.0): "nvidia-l4",
    ("A100", 40.0): "nvidia-tesla-a100",
    ("A100", 80.0): "nvidia-a100-80gb",
    ("H100", 80.0): "nvidia-h100-80gb",
    ("H200", 141.0): "nvidia-h200-141gb",
    ("B200", 180.0): "nvidia-b200",
}

PRODUCTS = {
    "T4": "Tesla-T4",
    "L4": "NVIDIA-L4",
    "A10G": "NVIDIA-A10G",
    "L40S": "NVIDIA-L40S",
}
"""What feature discovery calls a device that has one form only."""
