"""Settings of the network between machines: what belongs to the source's goes, the target's comes."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from heavylift.facts.tables import table
from heavylift.training.model import Cluster, Form, Job
from heavylift.training.notes import Findings, is_secret

_PORTABLE = re.compile(
    r"NCCL_(?:DEBUG\w*|TIMEOUT|ASYNC_ERROR_HANDLING|BLOCKING_WAIT|LAUNCH_MODE|CHECK_POINTERS|DEBUG_FILE)\Z"
)
_FABRICS = (
    (re.compile(r"(?:FI_|OFI_NCCL_|RDMAV_|EFA_)"), "EFA"),
    (re.compile(r"NCCL_(?:GPUDIRECTTCPX|FASTRAK|SHIMNET|USE_SNAP|LIB_DIR)"), "GPUDirect-TCPX or TCPXO"),
    (re.compile(r"(?:NCCL_IB_|NCCL_TOPO_FILE|UCX_|SHARP_|NCCL_COLLNET)"), "InfiniBand or RoCE"),
    (re.compile(r"(?:NCCL_|GLOO_SOCKET_IFNAME|TP_SOCKET_IFNAME)"), "the source's network"),
    (re.compile(r"(?:SMDATAPARALLEL_|SMDDP_|NEURON_|XLA_USE_|PJRT_)"), "AWS's own libraries"),
)
_RENDEZVOUS = re.compile(
    r"(?:SM_\w+|AZUREML_\w+|AZ_BATCHAI_\w+|AIP_\w+|PET_\w+|OMPI_\w+|CLUSTER_SPEC|TF_CONFIG|MASTER_ADDR|"
    r"MASTER_PORT|RANK|LOCAL_RANK|NODE_RANK|WORLD_SIZE|LOCAL_WORLD_SIZE|JOB_COMPLETION_INDEX)\Z"
)
_LIBRARIES = re.compile(
    r"/opt/amazon|/usr/local/(?:tcpx|gib)|/var/lib/tcpxo|/opt/microsoft|/usr/local/nccl-rdma"
)
_CLOUD = re.compile(r"(?:AWS|AZURE|GOOGLE|GCP|CLOUDSDK|SAGEMAKER)_\w+\Z")


def environment(
    job: Job, form: Form, provider: str, family: str, nodes: int, findings: Findings, mapped: dict[str, str]
) -> dict[str, str]:
    """Return the variables of the target, with every change noted.

    :param mapped: values that the map gives; an empty one takes a variable away.
    """
    made: dict[str, str] = {}
    wanted = {} if form is Form.VERTEX or nodes < 2 else _wanted(provider, family)
    for name, value in job.environment.items():
        if wanted.get(name) == value and name not in mapped:
            # The same fabric on both sides: nothing goes only to come again.
            made[name] = value
            continue
        if name in mapped:
            findings.change(
                f"environment {name}", _hidden(name, value), _hidden(name, mapped[name]), "as the map says"
            )
        elif is_secret(name):
            findings.need(
                f"environment {name}",
                "its name says that it is a secret: it was not written",
                "give it from the target's secret store (heavylift secrets copies it there)",
            )
        elif why := _gone(name, value):
            findings.change(f"environment {name}", value, "", why)
        else:
            if _CLOUD.fullmatch(name):
                findings.need(
                    f"environment {name}",
                    "it tells the program of the source's cloud",
                    "set it by the map, if at all",
                )
            made[name] = value
    made |= {name: value for name, value in mapped.items() if value}
    _add_fabric(made, form, job, provider, family, nodes, findings)
    return made


def _hidden(name: str, value: str) -> str:
    return "(not shown)" if is_secret(name) else value


def _gone(name: str, value: str) -> str:
    if _RENDEZVOUS.fullmatch(name):
        return "the target's launcher tells every process its place"
    if name == "LD_LIBRARY_PATH" and _LIBRARIES.search(value):
        return "it leads to the source's network plug-in"
    if _PORTABLE.match(name):
        return ""
    for pattern, fabric in _FABRICS:
        if pattern.match(name):
            return f"it tunes {fabric}, and would slow down or stop the target's network"
    return ""


def _wanted(provider: str, family: str) -> dict[str, str]:
    return {row["name"]: row["value"] for row in settings(provider, family)}


def _add_fabric(
    made: dict[str, str], form: Form, job: Job, provider: str, family: str, nodes: int, findings: Findings
) -> None:
    rows = settings(provider, family)
    if nodes < 2:
        return
    if not rows:
        findings.need(
            "network",
            f"no settings are known for {family or 'these machines'}: NCCL takes its own",
            "compare the bus bandwidth of nccl-tests with the source's before the first long run",
        )
        return
    fabric = rows[0]["fabric"]
    if form is Form.VERTEX:
        findings.need(
            "network",
            f"Vertex AI sets up {fabric} of {family} itself: nothing was set",
            "read NCCL_DEBUG=INFO of the first run for the plug-in that it took",
        )
        return
    for row in rows:
        if row["name"] in made:
            continue
        made[row["name"]] = row["value"]
        findings.change(
            f"environment {row['name']}", "", row["value"], f"{fabric}: {row['reason']}", row["source"]
        )
    _demand(job, form, fabric, family, findings)


def _demand(job: Job, form: Form, fabric: str, family: str, findings: Findings) -> None:
    if fabric.startswith("GPUDirect"):
        findings.need(
            "network",
            f"{fabric} needs a daemon beside the program and a network for each interface of the nodes",
            "install Google's NCCL plug-in; add the daemon and the annotation networking.gke.io/interfaces",
        )
    elif fabric.startswith("RDMA"):
        findings.need(
            "network",
            f"{family} needs its networks and Google's gIB plug-in",
            "install the plug-in; source /usr/local/gib/scripts/set_nccl_env.sh before the program",
        )
    elif fabric == "EFA":
        findings.need(
            "network",
            "the image must hold libfabric, aws-ofi-nccl and NCCL for EFA",
            "use one of AWS's, or add them",
        )
    elif form is Form.KUBERNETES:
        findings.need(
            "network",
            f"pods reach {fabric} through a device plug-in's resource, whose name its owner chose",
            "install NVIDIA's network operator, and ask for its resource in the pods",
        )


def settings(provider: str, family: str) -> list[dict[str, str]]:
    """Return the rows of the table of fabrics for a family of machines."""
    return [row for row in _rows() if (row["provider"], row["family"]) == (provider, family)]


def bandwidths(provider: str, family: str) -> list[dict[str, Any]]:
    """Return what is published of a family's bus bandwidth; empty where nothing trustworthy is."""
    return [
        {
            "what": row["what"],
            "gb_per_second": float(row["gb_per_second"]),
            "source": row["source"],
            "verified": row["verified"],
        }
        for row in table("fabric_bandwidth.csv")
        if (row["provider"], row["family"]) == (provider, family)
    ]


@cache
def _rows() -> tuple[dict[str, str], ...]:
    return tuple(table("fabric_settings.csv"))


EFA_INTERFACES = re.compile(r"EFA x(\d+)")


def efa_interfaces(instance: str) -> int:
    """Return how many EFA interfaces an instance type of AWS has."""
    for row in table("gpu_instances.csv"):
        if (
            row["provider"] == "aws"
            and row["instance_type"] == instance
            and (found := EFA_INTERFACES.search(row["rdma"]))
        ):
            return int(found[1])
    return 0


TOPOLOGY = {
    Cluster.EKS: ("topology.k8s.aws/network-node-layer-3", "the nearest layer of AWS's network"),
    Cluster.GKE: ("cloud.google.com/gce-topology-block", "a block of Google's network"),
    Cluster.AKS: ("topology.kubernetes.io/zone", "one zone; a proximity placement group is the node pool's"),
    Cluster.PLAIN: ("topology.kubernetes.io/zone", "one zone, where nodes have the label"),
}
"""The label by which pods of a job are kept close together, and what it means."""
