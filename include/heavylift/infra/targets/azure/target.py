"""Azure as a target."""

from __future__ import annotations

from heavylift.infra.hcl import Block
from heavylift.infra.targets.azure import base, compute, control, data, ml, network, storage
from heavylift.infra.targets.target import FOUNDATION, LABELS, Target, Variable

_API = "is an object of Azure ML's API, and no resource of the provider (azurerm 5.10.0)"
_SUBMIT = "translate the pipeline that starts it; the job is submitted through the API"
TARGET = Target(
    provider="azurerm",
    version="5.10",
    settings={"storage_use_azuread": True, "features": Block("features")},
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
        "location": Variable("string", "The region."),
        "labels": LABELS,
        "allowed_ips": Variable("list(string)", "Addresses from which the data plane may be reached.", []),
        "key_expires": Variable("string", "When keys and secrets end, such as 2030-01-01T00:00:00Z."),
        "foundation": FOUNDATION,
    },
    untranslated={
        "managed training job": (f"a job {_API}", _SUBMIT),
        "hyper-parameter tuning": (f"a sweep job {_API}", _SUBMIT),
        "batch inference": (f"a batch endpoint {_API}", "deploy it through the API after the model has moved"),
        "real-time endpoint": (f"an online endpoint {_API}", "deploy it through the API after the model has moved"),
        "endpoint variants / traffic split": (f"the traffic of an endpoint {_API}", "set it through the API"),
        "ML pipeline": ("a pipeline is a document that is submitted", "heavylift pipelines translates it"),
        "model registry": (f"a model {_API}", "heavylift registry moves models and their versions through the API"),
        "experiment tracking": (
            "the workspace itself is the tracking server",
            "heavylift registry moves the history; make sure that a workspace is in the plan",
        ),
        "feature store (offline+online)": (f"a feature set {_API}", "define it through the API over the moved table"),
        "online feature serving": (f"an online store {_API}", "rebuild it through the API from the offline store"),
        "model monitoring": (f"a monitor {_API}", "set it up through the API after the model is deployed"),
        "data labelling": (f"a labelling project {_API}", "make it in the studio and import the manifest"),
        "managed Airflow": ("Azure has none that Terraform makes", "run Airflow on the cluster with its Helm chart"),
        "scheduler": (
            "Azure has no scheduler of its own that Terraform makes",
            "use a recurrence trigger in the workflow that it starts",
        ),
        "discovery": ("Azure Migrate's projects are no resource of the provider", "make one in the portal if it is needed"),
        "offline transfer": ("devices are ordered, not provisioned", "heavylift appliance plans and tracks them"),
    },
)  # fmt: skip
