"""Manifests name the copies of images, by digest, however the images were written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from heavylift.errors import SpecError
from heavylift.evidence.image_records import ImageRow, image_map
from heavylift.facts.accelerators import load_accelerators
from heavylift.manifests.context import Settings
from heavylift.manifests.image_names import images_of
from heavylift.manifests.mapping import NameMap, with_images
from heavylift.manifests.translate import translate_files

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
NEW = "europe-docker.pkg.dev/p/ml"
ROWS = [
    ImageRow(source=f"{ECR}/ml/a:1", target=f"{NEW}/ml/a:1", outcome="copied", digest=DIGEST),
    ImageRow(source=f"{ECR}/ml/b:latest", target=f"{NEW}/ml/b:latest", outcome="equal", digest=OTHER),
    ImageRow(source="docker.io/library/nginx:1", target=f"{NEW}/nginx:1", outcome="equal", digest=OTHER),
    ImageRow(source=f"{ECR}/ml/c:1", target=f"{NEW}/ml/c:1", outcome="failed", digest=DIGEST),
]


def translated(tmp_path: Path, images: list[str]) -> tuple[list[str], bool]:
    (tmp_path / "map.json").write_text(image_map(ROWS).model_dump_json())
    names = with_images(NameMap(), tmp_path / "map.json")
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod))
    settings = Settings("eks", "gke", (1, 33), names, load_accelerators())
    done = translate_files([(tmp_path / "pod.yaml", "pod.yaml")], settings)
    found = yaml.safe_load(done.texts["pod.yaml"])["spec"]["containers"]
    return [each["image"] for each in found], done.passed


def test_every_way_to_write_an_image_leads_to_its_copy(tmp_path: Path) -> None:
    written = [
        f"{ECR}/ml/a:1", f"{ECR}/ml/a@{DIGEST}", f"{ECR}/ml/a:old@{DIGEST}", f"{ECR}/ml/b",
        "nginx:1", "docker.io/nginx:1", f"{NEW}/ml/a@{DIGEST}",
    ]  # fmt: skip
    found, passed = translated(tmp_path, written)
    assert passed
    assert found == [
        *[f"{NEW}/ml/a@{DIGEST}"] * 3, f"{NEW}/ml/b@{OTHER}", *[f"{NEW}/nginx@{OTHER}"] * 2,
        f"{NEW}/ml/a@{DIGEST}",
    ]  # fmt: skip


def test_what_was_not_copied_stays_and_is_named(tmp_path: Path) -> None:
    written = [f"{ECR}/ml/c:1", f"{ECR}/ml/a:2", f"{ECR}/ml/a@{OTHER}"]
    assert translated(tmp_path, written) == (written, False)


def test_a_file_that_is_no_map_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"images": {"a": 1}}', '{"images": {}, "more": 1}'):
        (tmp_path / "map.json").write_text(text)
        with pytest.raises(SpecError, match="HL-9175"):
            with_images(NameMap(), tmp_path / "map.json")


def test_the_images_of_manifests_are_found_wherever_containers_stand(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("""
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Pod, spec: {containers: [{image: "a:1"}], initContainers: [{image: b}]}}
  - {apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: {
      containers: [{image: "c@sha256:x"}, {name: none}]}}}}}}
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
spec: {predictor: {model: {image: d}}}
---
apiVersion: v1
kind: ConfigMap
data: {note: "image: e"}
""")
    assert images_of([tmp_path]) == ("a:1", "b", "c@sha256:x", "d")
