"""A spec with definitions, policies, manifests, jobs and alarms beside it: those of the library tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.alarms import alarm
from tests.support.layers import TESTS

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::train/*"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::train/prod/*"},
    ],
}
ACCOUNTS = {"source": {"account": "111122223333"}, "target": {"account": "p"}}
SIDES: dict[str, Any] = {
    "source": {"platform": "aws", "connection": "account"},
    "target": {"platform": "gcp", "connection": "there"},
}
PIPELINES: list[dict[str, Any]] = [
    {
        "name": "toy",
        "source_kind": "sagemaker",
        "target_kind": "airflow",
        "definition": "pipelines/toy.json",
    },
    {
        "name": "states",
        "source_kind": "step_functions",
        "target_kind": "airflow",
        "definition": "pipelines/sta*.json",
        "accept_untranslated": [{"subject": "*", "reason": "these states are rewritten by hand"}],
    },
    {
        "name": "azure",
        "source_kind": "azure_ml",
        "target_kind": "sagemaker",
        "definition": "pipelines/azure.yaml",
        "accept_untranslated": [
            {"subject": name, "reason": "its owner rewrites it"} for name in ("make", "search", "sum")
        ],
    },
]
ACCESS: dict[str, Any] = {
    "documents": ["access/policy.json"],
    "names": "access/names.json",
    "accept_untranslated": [
        {"subject": "policy: s3:PutObject", "reason": "nobody overwrites training data"},
    ],
}
MANIFESTS: dict[str, Any] = {
    "files": ["manifests/gke"],
    "source": "gke",
    "target": "eks",
    "kubernetes_version": "1.33",
    "map": "manifests/map.yaml",
    "accept_untranslated": [{"subject": "*", "reason": "told to the team of the cluster"}],
}


def lay_out(folder: Path) -> None:
    """Put all files of the three sections beside a spec that lies in ``folder``."""
    shutil.copytree(TESTS / "unit" / "pipelines" / "definitions", folder / "pipelines")
    shutil.copytree(TESTS / "support" / "data" / "manifests", folder / "manifests")
    (folder / "access").mkdir()
    (folder / "access" / "policy.json").write_text(json.dumps(POLICY))
    (folder / "access" / "names.json").write_text(json.dumps(ACCOUNTS))


TRAINING: list[dict[str, Any]] = [
    {
        "name": "finetune",
        "definition": "training/sagemaker.json",
        "target_kind": "vertex",
        "map": "training/own-map.yaml",
    }
]
AUTOSCALING: list[dict[str, Any]] = [
    {
        "name": "churn",
        "settings": "autoscaling/aws.json",
        "target_kind": "vertex",
        "load": "autoscaling/load.json",
        "capacity": 900.0,
    }
]
ALERTS: list[dict[str, Any]] = [
    {
        "name": "serving",
        "source_kind": "cloudwatch",
        "target_kind": "prometheus",
        "documents": ["alerts/alarms.json"],
    }
]


def lay_out_jobs(folder: Path, *alarms: dict[str, Any], later: float = 600.0) -> None:
    """Put all files of training, autoscaling and alerts beside a spec that lies in ``folder``.

    :param alarms: default: one that fires alike everywhere.
    :param later: requests a minute, once half an hour has gone.
    """
    shutil.copytree(TESTS / "unit" / "training" / "definitions", folder / "training", dirs_exist_ok=True)
    shutil.copytree(TESTS / "unit" / "autoscaling" / "settings", folder / "autoscaling", dirs_exist_ok=True)
    text = (folder / "training" / "map.yaml").read_text()
    own = text.replace("uris:\n", "uris:\n  s3://corp-code/train/source.tar.gz: image\n")
    (folder / "training" / "own-map.yaml").write_text(own)
    (folder / "autoscaling" / "load.json").write_text(json.dumps([600.0] * 30 + [later] * 60))
    (folder / "alerts").mkdir(exist_ok=True)
    (folder / "alerts" / "alarms.json").write_text(json.dumps(list(alarms) or [alarm()]))
