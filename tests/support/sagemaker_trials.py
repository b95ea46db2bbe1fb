"""SageMaker experiments of known content on moto's server."""

from __future__ import annotations

from typing import Any

from tests.support.model_packages import Account

BEGAN, ENDED = 1_700_000_000.125, 1_700_003_600.5


def fill_trials(account: Account) -> None:
    """Make an experiment of a trial with two components, one without trials, and a component of none."""
    client = account.client("sagemaker")
    made = client.create_experiment(ExperimentName="pricing")
    client.add_tags(ResourceArn=made["ExperimentArn"], Tags=[{"Key": "team", "Value": "pricing"}])
    client.create_experiment(ExperimentName="empty")
    client.create_trial(TrialName="pricing-1", ExperimentName="pricing")
    client.create_trial_component(**component("prepare", "Completed"))
    client.create_trial_component(**component("train", "Failed"))
    client.create_trial_component(TrialComponentName="loose")
    for name in ("prepare", "train"):
        client.associate_trial_component(TrialName="pricing-1", TrialComponentName=name)


def component(name: str, status: str) -> dict[str, Any]:
    """Return a request that makes a component."""
    return {
        "TrialComponentName": name,
        "DisplayName": f"{name} step",
        "Status": {"PrimaryStatus": status, "Message": f"it is {status}"},
        "StartTime": BEGAN,
        "EndTime": ENDED,
        "Parameters": {
            "rate": {"NumberValue": 0.1 + 0.2},
            "epochs": {"NumberValue": 10},
            "optimizer": {"StringValue": "adam"},
        },
        "InputArtifacts": {"data": {"MediaType": "text/csv", "Value": "s3://models-source/train.csv"}},
        "OutputArtifacts": {"model": {"Value": "s3://models-source/out/model.tar.gz"}},
        "MetadataProperties": {"CommitId": "abc123", "Repository": "https://git/pricing"},
    }
