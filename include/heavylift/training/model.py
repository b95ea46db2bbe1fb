"""The neutral form of a distributed training job."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Form(StrEnum):
    """What a definition is written for."""

    SAGEMAKER = "sagemaker"
    VERTEX = "vertex"
    AZURE_ML = "azureml"
    KUBERNETES = "kubernetes"


class Cluster(StrEnum):
    """Whose machines a Kubernetes cluster has."""

    EKS = "eks"
    GKE = "gke"
    AKS = "aks"
    PLAIN = "plain"


PROVIDER = {
    Form.SAGEMAKER: "aws",
    Form.VERTEX: "gcp",
    Form.AZURE_ML: "azure",
    Cluster.EKS: "aws",
    Cluster.GKE: "gcp",
    Cluster.AKS: "azure",
    Cluster.PLAIN: "",
}
"""Whose machines a form or cluster runs on; empty where only the owner knows."""


class Launcher(StrEnum):
    """What starts the processes of a job."""

    TORCHRUN = "torchrun"
    MPI = "mpi"
    TENSORFLOW = "tensorflow"
    PLAIN = "plain"


@dataclass(frozen=True)
class Machine:
    """The machines of a job.

    :param instance: the type by its platform's name; empty where the definition names none.
    :param devices: accelerators in each machine; 0 where the job uses processors only.
    """

    instance: str = ""
    nodes: int = 1
    devices: int = 0
    device: str = ""


@dataclass(frozen=True)
class Place:
    """Data of a job: where it lies, and where the program finds it.

    :param kind: ``input``, ``output`` or ``checkpoint``.
    """

    name: str
    kind: str
    uri: str
    path: str


@dataclass(frozen=True)
class Batch:
    """The batch as the program's parameters have it.

    :param per_device: samples that one process takes at a time; None where no parameter says it.
    :param accumulation_name: the parameter that holds the accumulation; empty where there is none.
    """

    per_device: int | None = None
    accumulation: int = 1
    per_device_name: str = ""
    accumulation_name: str = ""


@dataclass(frozen=True)
class Spot:
    """Whether machines may be taken away, and how long the job may wait for them."""

    enabled: bool = False
    max_wait_s: int | None = None


@dataclass(frozen=True)
class Job:
    """One distributed training job.

    :param program: what runs in each process, with its arguments, without its launcher.
    :param processes: processes in each machine.
    :param options: arguments of the launcher that say nothing of numbers and places.
    :param code: where the program's files lie, where they are not part of the image.
    :param compact: whether machines must stand close together.
    """

    name: str
    form: Form
    cluster: Cluster | None
    image: str
    program: tuple[str, ...]
    launcher: Launcher
    machine: Machine
    processes: int
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    batch: Batch = Batch()
    spot: Spot = Spot()
    compact: bool = False
    shm_gib: int | None = None
    disk_gib: int | None = None
    max_run_s: int | None = None
    identity: str = ""
    code: str = ""

    @property
    def world(self) -> int:
        """How many processes take part."""
        return self.machine.nodes * self.processes

    @property
    def global_batch(self) -> int | None:
        """Samples of one step of the optimiser; None where the batch is not known."""
        if self.batch.per_device is None:
            return None
        return self.batch.per_device * self.world * self.batch.accumulation

    @property
    def provider(self) -> str:
        """Whose machines it runs on."""
        return PROVIDER[self.cluster] if self.cluster else PROVIDER[self.form]
