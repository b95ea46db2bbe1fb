"""What a job is translated to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from heavylift.errors import SpecError
from heavylift.training.model import Cluster, Form, Place


class Kind(StrEnum):
    """The kind of object that a cluster gets."""

    AUTO = "auto"
    PYTORCHJOB = "pytorchjob"
    MPIJOB = "mpijob"
    JOB = "job"
    JOBSET = "jobset"


@dataclass(frozen=True)
class Target:
    """A form, and of Kubernetes whose cluster and which kind of object."""

    form: Form
    cluster: Cluster | None = None
    kind: Kind = Kind.AUTO

    def path_of(self, place: Place) -> str:
        """Return where a program finds a place's files on the target."""
        if self.form is Form.SAGEMAKER:
            if place.kind == "input":
                return f"/opt/ml/input/data/{place.name}"
            return "/opt/ml/checkpoints" if place.kind == "checkpoint" else "/opt/ml/model"
        if self.form is Form.VERTEX:
            return f"/gcs/{place.uri.removeprefix('gs://')}" if place.uri.startswith("gs://") else place.path
        if self.form is Form.AZURE_ML:
            side = "inputs" if place.kind == "input" else "outputs"
            return f"${{{{{side}.{azure_name(place.name)}}}}}"
        return f"/mnt/{place.name}"


def azure_name(name: str) -> str:
    """Return a name that Azure ML takes for an input or output."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def target_of(form: str, cluster: str | None, kind: str = "auto") -> Target:
    """Return what a job is translated to.

    :param cluster: with ``kubernetes`` whose machines it has; with other forms nothing.
    :raises SpecError: one of the words is not known, or they do not go together.
    """
    known = form in set(Form) and (cluster is None or cluster in set(Cluster)) and kind in set(Kind)
    ours = form == Form.KUBERNETES
    if known and ours == (cluster is not None) and (ours or kind == Kind.AUTO):
        return Target(Form(form), Cluster(cluster) if cluster else None, Kind(kind))
    raise SpecError(
        "choosing the target of a training job",
        got=f"form {form}, cluster {cluster or 'not given'}, kind {kind}",
        expected=f"one of {', '.join(Form)}; with kubernetes one of {', '.join(Cluster)}, and only with it"
        f" one of {', '.join(Kind)}",
        state="nothing was written",
        remedy="correct --target, --cluster and --kind, or the arguments of the task",
        code="9220",
    )
