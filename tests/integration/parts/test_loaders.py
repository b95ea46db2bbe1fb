"""The task of the phase provision with the loaders of kfp and azure-ai-ml, and the schemas of Kubernetes.

All are installed by uv into environments of their own, from the index of packages or uv's cache.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.manifests.part import ManifestsRequest, make_manifests
from heavylift.pipelines.part import PipelinesRequest, make_pipelines
from heavylift.spec import load_spec
from tests.dags.specs import write
from tests.support.handed_over import MANIFESTS, lay_out

pytestmark = pytest.mark.long

SOURCES = {
    "sagemaker": "toy.json",
    "step_functions": "states.json",
    "azure_ml": "azure.yaml",
    "kubeflow": "kubeflow.yaml",
}


def pipelines(folder: Path, **changes: Any) -> PipelinesRequest:
    section = [
        {
            "name": f"{source.replace('_', '-')}-{target.replace('_', '-')}",
            "source_kind": source,
            "target_kind": target,
            "definition": f"pipelines/{SOURCES[source]}",
            **changes,
        }
        for source, target in product(SOURCES, ("vertex", "azure_ml"))
    ]
    path = write(folder, "some", pipelines=section)
    return PipelinesRequest(str(path), load_spec(path).pipelines)


def test_the_platforms_own_loaders_take_what_is_handed_over(tmp_path: Path) -> None:
    lay_out(tmp_path)
    made = make_pipelines(pipelines(tmp_path))
    assert made.problems == []
    assert (made.valid, made.invalid) == (8, 0)
    assert made.loader == "azure-ai-ml==1.35.2, kfp==2.17.0"
    for name, text in made.files.items():
        if name.endswith(".yaml"):
            assert list(yaml.safe_load_all(text)), name


def test_the_schemas_of_a_version_take_what_is_handed_over_and_no_slip(tmp_path: Path) -> None:
    lay_out(tmp_path)
    slip = tmp_path / "manifests" / "gke" / "slip.yaml"
    for content, invalid in (("data: {a: b}", 0), ("unknown: {a: b}", 1)):
        slip.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n{content}\n")
        path = write(tmp_path, "some", manifests=MANIFESTS)
        section = load_spec(path).manifests
        assert section is not None
        made = make_manifests(ManifestsRequest(str(path), section))
        assert made.invalid == invalid
        assert made.valid > 3
        assert [problem.file for problem in made.problems] == ["slip.yaml"] * invalid
        assert json.loads(made.files["manifests.report.json"])["documents"] > 3
