"""What a job is translated to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
