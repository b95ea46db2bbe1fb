"""Storage of three platforms, as tables.

Sources: the drivers' own documentation of StorageClass parameters (kubernetes-sigs/aws-ebs-csi-driver,
aws-efs-csi-driver, gcp-compute-persistent-disk-csi-driver, gcp-filestore-csi-driver, azuredisk-csi-driver,
azurefile-csi-driver) and the classes that each managed service makes by itself, read in November 2026.
"""

from __future__ import annotations

PROVISIONERS = {
    "ebs.csi.aws.com": ("eks", "block"),
    "ebs.csi.eks.amazonaws.com": ("eks", "block"),
    "kubernetes.io/aws-ebs": ("eks", "block"),
    "efs.csi.aws.com": ("eks", "file"),
    "fsx.csi.aws.com": ("eks", "lustre"),
    "s3.csi.aws.com": ("eks", "objects"),
    "pd.csi.storage.gke.io": ("gke", "block"),
    "kubernetes.io/gce-pd": ("gke", "block"),
    "filestore.csi.storage.gke.io": ("gke", "file"),
    "lustre.csi.storage.gke.io": ("gke", "lustre"),
    "gcsfuse.csi.storage.gke.io": ("gke", "objects"),
    "disk.csi.azure.com": ("aks", "block"),
    "kubernetes.io/azure-disk": ("aks", "block"),
    "file.csi.azure.com": ("aks", "file"),
    "kubernetes.io/azure-file": ("aks", "file"),
    "azurelustre.csi.azure.com": ("aks", "lustre"),
    "blob.csi.azure.com": ("aks", "objects"),
}

DRIVER = {
    ("eks", "block"): "ebs.csi.aws.com",
    ("eks", "file"): "efs.csi.aws.com",
    ("gke", "block"): "pd.csi.storage.gke.io",
    ("gke", "file"): "filestore.csi.storage.gke.io",
    ("aks", "block"): "disk.csi.azure.com",
    ("aks", "file"): "file.csi.azure.com",
}

TYPE_KEYS = {"eks": ("type",), "gke": ("type",), "aks": ("skuName", "skuname", "storageaccounttype")}

TIERS = {
    "gp2": "general",
    "gp3": "general",
    "io1": "fast",
    "io2": "fast",
    "st1": "slow",
    "sc1": "slow",
    "pd-balanced": "general",
    "pd-ssd": "fast",
    "pd-extreme": "fast",
    "pd-standard": "slow",
    "hyperdisk-balanced": "general",
    "hyperdisk-extreme": "fast",
    "standardssd_lrs": "general",
    "premium_lrs": "fast",
    "premiumv2_lrs": "fast",
    "ultrassd_lrs": "fast",
    "standard_lrs": "slow",
}
"""Types of block volumes by the class that takes their place; what no row has is reported."""

TYPES = {
    "eks": {"general": "gp3", "fast": "io2", "slow": "st1"},
    "gke": {"general": "pd-balanced", "fast": "pd-ssd", "slow": "pd-standard"},
    # gp3 and pd-balanced give thousands of operations a second from the start: Standard SSDs do not.
    "aks": {"general": "Premium_LRS", "fast": "Premium_LRS", "slow": "Standard_LRS"},
}

FILESYSTEM_KEYS = ("csi.storage.k8s.io/fstype", "fsType", "fstype")
ALWAYS_ENCRYPTED = ("gke", "aks")

CLASSES = {
    "gp2": ("eks", "block", "general"),
    "gp3": ("eks", "block", "general"),
    "ebs-sc": ("eks", "block", "general"),
    "auto-ebs-sc": ("eks", "block", "general"),
    "io1": ("eks", "block", "fast"),
    "io2": ("eks", "block", "fast"),
    "efs-sc": ("eks", "file", "general"),
    "efs": ("eks", "file", "general"),
    "standard": ("gke", "block", "slow"),
    "standard-rwo": ("gke", "block", "general"),
    "premium-rwo": ("gke", "block", "fast"),
    "standard-rwx": ("gke", "file", "general"),
    "premium-rwx": ("gke", "file", "fast"),
    "enterprise-rwx": ("gke", "file", "fast"),
    "zonal-rwx": ("gke", "file", "fast"),
    "default": ("aks", "block", "general"),
    "managed": ("aks", "block", "general"),
    "managed-csi": ("aks", "block", "general"),
    "managed-premium": ("aks", "block", "fast"),
    "managed-csi-premium": ("aks", "block", "fast"),
    "azurefile": ("aks", "file", "general"),
    "azurefile-csi": ("aks", "file", "general"),
    "azurefile-premium": ("aks", "file", "fast"),
    "azurefile-csi-premium": ("aks", "file", "fast"),
}

ANYBODYS = {"standard", "default", "managed", "efs", "io1", "io2"}
"""Names of classes that other platforms use as well: translated only where the source is named."""

CLASS_FOR = {
    "eks": {
        ("block", "general"): "gp3",
        ("block", "slow"): "gp3",
        ("block", "fast"): "io2",
        ("file", "general"): "efs-sc",
        ("file", "fast"): "efs-sc",
    },
    "gke": {
        ("block", "general"): "standard-rwo",
        ("block", "slow"): "standard-rwo",
        ("block", "fast"): "premium-rwo",
        ("file", "general"): "standard-rwx",
        ("file", "fast"): "premium-rwx",
    },
    "aks": {
        ("block", "general"): "managed-csi-premium",
        ("block", "slow"): "managed-csi",
        ("block", "fast"): "managed-csi-premium",
        ("file", "general"): "azurefile-csi",
        ("file", "fast"): "azurefile-csi-premium",
    },
}

MADE_BY_HAND = {"gp3", "io2", "efs-sc"}
"""Classes that EKS does not make by itself."""

IN_TREE = {
    "awsElasticBlockStore": "eks",
    "gcePersistentDisk": "gke",
    "azureDisk": "aks",
    "azureFile": "aks",
}

TOPOLOGY_KEYS = {
    "eks": "topology.ebs.csi.aws.com/zone",
    "gke": "topology.gke.io/zone",
    "aks": "topology.disk.csi.azure.com/zone",
}
