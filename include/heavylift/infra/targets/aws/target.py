"""AWS as a target."""

from __future__ import annotations

from heavylift.infra.hcl import Block, Expr
from heavylift.infra.targets.aws import base, compute, control, data, ml, network, storage
from heavylift.infra.targets.target import FOUNDATION, LABELS, PROTECT, Target, Variable

TARGET = Target(
    provider="aws",
    version="6.69",
    settings={
        "region": Expr("var.region"),
        "allowed_account_ids": [Expr("var.account_id")],
        "default_tags": Block("default_tags", body={"tags": Expr("var.labels")}),
    },
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
        "account_id": Variable("string", "The account's number; another one is refused."),
        "region": Variable("string", "The region."),
        "labels": LABELS,
        "protect": PROTECT,
        "foundation": FOUNDATION,
    },
    untranslated={
        "batch inference": (
            "a transform job is an object of SageMaker's API, and no resource of the provider (aws 6.69.1)",
            "translate the pipeline that starts it; the job is submitted through the API",
        ),
        "training cluster": (
            "aws 6.69.1 has no resource for a HyperPod cluster",
            "make it through the API, or train in managed jobs",
        ),
        "discovery": ("Application Discovery has no resource in the provider", "switch it on in the console if it is needed"),
        "offline transfer": ("devices are ordered, not provisioned", "heavylift appliance plans and tracks them"),
    },
)  # fmt: skip
