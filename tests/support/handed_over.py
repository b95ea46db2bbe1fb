"""A spec with definitions, policies and manifests of three clouds beside it: those of the library tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

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
