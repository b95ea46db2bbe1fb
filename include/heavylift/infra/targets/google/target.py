"""Google Cloud as a target."""

from __future__ import annotations

from heavylift.infra.hcl import Expr
from heavylift.infra.targets.google import base, compute, control, data, ml, network, storage
from heavylift.infra.targets.target import FOUNDATION, LABELS, PROTECT, Target, Variable

_JOBS = "the job is an object of Vertex AI's API, and no resource of the provider (google 8.7.0)"
_SUBMIT = "translate the pipeline that starts it; the job is submitted through the API"
TARGET = Target(
    provider="google",
    version="8.7",
    settings={"project": Expr("var.project"), "region": Expr("var.region"), "default_labels": Expr("var.labels")},
    areas={
        "network": network.SERVICES,
        "storage": storage.SERVICES,
        "data": data.SERVICES,
        "compute": compute.SERVICES,
        "ml": ml.SERVICES,
        "control": control.SERVICES,
    },
    base=base.BASE,
    outputs=base.OUTPUTS,
    variables={
        "project": Variable("string", "The project's id."),
        "project_number": Variable("string", "The project's number, which Google's own identities bear."),
        "region": Variable("string", "The region."),
        "labels": LABELS,
        "protect": PROTECT,
        "foundation": FOUNDATION,
    },
    untranslated={
        "offline transfer": ("devices are ordered, not provisioned", "heavylift appliance plans and tracks them"),
        "managed training job": (_JOBS, _SUBMIT),
        "hyper-parameter tuning": (_JOBS, _SUBMIT),
        "batch inference": (_JOBS, _SUBMIT),
        "ML pipeline": ("a pipeline is a document that is compiled and submitted", "heavylift pipelines translates it"),
        "model registry": (
            "google 8.7.0 has no resource for a model of Vertex AI's registry",
            "heavylift registry moves models and their versions through the API",
        ),
        "model monitoring": (
            "google 8.7.0 has no resource for model monitoring",
            "set the monitor up through the API after the model is deployed",
        ),
        "data labelling": ("Vertex AI's data labelling is retired", "label with another tool, or buy the service"),
        "ML workspace": ("a project and a region stand for it", "nothing is to be made"),
        "foundation models custom": (
            "weights of a managed custom model cannot be exported",
            "tune anew on the target from the same data, through the API",
        ),
        "foundation model throughput": (
            "provisioned throughput is ordered in the console or through the API",
            "order it there",
        ),
    },
)  # fmt: skip
