"""Training jobs from each platform to each other: what is kept, what goes, what blocks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.training.checking import check, strict_objects
from heavylift.training.mapping import TargetMap, read_map
from heavylift.training.model import Cluster, Form, Launcher
from heavylift.training.targets import Kind, Target
from heavylift.training.translate import Translation, load, translate
from tests.support.longer import first_then_long
from tests.unit.training.jobs import DEFINITIONS, JOBS, TARGETS, full_map

EXPECTED_BLOCKS = {
    ("mpijob.yaml", Form.VERTEX): "launcher",
    ("mpijob.yaml", Form.KUBERNETES): "launcher",
}
"""What no map mends: Vertex AI starts no MPI, and an indexed Job or JobSet neither."""


def made(name: str, target: Target, mapping: TargetMap | None = None) -> Translation:
    found = full_map(target.form) if mapping is None else mapping
    return translate(DEFINITIONS / name, target, found, Cluster.EKS)


def told(rows: Any) -> str:
    return "\n".join(f"{each.subject}: {each.what}" for each in rows)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.form}-{t.cluster}-{t.kind}")
@pytest.mark.parametrize("name", JOBS)
def test_processes_and_batch_are_kept_and_only_the_known_blocks(name: str, target: Target) -> None:
    found = made(name, target)
    assert found.source.world == found.target.world
    assert found.source.global_batch == found.target.global_batch
    allowed = EXPECTED_BLOCKS.get((name, target.form))
    blocks = {each.subject for each in found.findings.blocks}
    assert blocks <= {allowed}, told(found.findings.blocks)
    assert all(each.reason for each in found.findings.changes)
    # Nothing of the source's fabric is left.
    for variable in found.source.environment:
        if variable.startswith("FI_") and found.target.provider != "aws":
            assert variable not in found.target.environment


@pytest.mark.parametrize("name", first_then_long(each for each in JOBS if each != "mpijob.yaml"))
@pytest.mark.parametrize("form", [Form.VERTEX, Form.SAGEMAKER])
def test_the_published_form_takes_every_translation(name: str, form: Form, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(made(name, Target(form)).text)
    assert check(file, form, Path(sys.executable)).problem == ""


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        (Form.VERTEX, {"displayName": "x", "jobSpec": {"workerPoolSpecs": [{"replicas": "2"}]}}),
        (Form.VERTEX, {"displayName": "x", "state": "JOB_STATE_QUEUED"}),
        (Form.SAGEMAKER, {"TrainingJobName": "x"}),
    ],
)
def test_the_published_form_refuses_what_is_wrong(form: Form, wrong: Any, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(wrong))
    assert check(file, form, Path(sys.executable)).problem


def test_sagemakers_enumerations_and_lengths_count(tmp_path: Path) -> None:
    given = json.loads((DEFINITIONS / "sagemaker.json").read_text())
    file = tmp_path / "job.json"
    given["ResourceConfig"]["InstanceType"] = "ml.a3-highgpu-8g"
    file.write_text(json.dumps(given))
    assert "none of the values" in check(file, Form.SAGEMAKER, Path(sys.executable)).problem
    given["ResourceConfig"]["InstanceType"] = "ml.p4d.24xlarge"
    given["AlgorithmSpecification"]["ContainerArguments"] = ["x" * 300]
    file.write_text(json.dumps(given))
    assert "longer than 256" in check(file, Form.SAGEMAKER, Path(sys.executable)).problem


def test_a_secret_is_written_nowhere() -> None:
    for target in TARGETS:
        found = made("sagemaker.json", target)
        assert "not-a-real-key" not in found.text + repr(found.findings)
        assert "WANDB_API_KEY" in told_subjects(found)


def test_a_secret_among_the_arguments_is_not_written_and_blocks(tmp_path: Path) -> None:
    given = json.loads((DEFINITIONS / "sagemaker.json").read_text())
    given["HyperParameters"]["hf_token"] = '"not-a-real-token"'
    file = tmp_path / "job.json"
    file.write_text(json.dumps(given))
    for target in TARGETS:
        found = translate(file, target, full_map(target.form))
        assert "not-a-real-token" not in found.text + repr(found.findings) + repr(found.target)
        assert "--hf_token holds a secret" in told(found.findings.blocks)


def told_subjects(found: Translation) -> str:
    return " ".join(each.subject for each in found.findings.needs)


def test_data_and_checkpoints_move_with_the_arguments() -> None:
    vertex = made("sagemaker.json", Target(Form.VERTEX))
    words = " ".join(vertex.target.program)
    assert "--data /gcs/target/data/train" in words
    assert "--checkpoints /gcs/target/models/checkpoints" in words
    azure = made("sagemaker.json", Target(Form.AZURE_ML))
    assert "--checkpoints ${{outputs.checkpoint}}" in yaml.safe_load(azure.text)["command"]
    back = made("vertex.yaml", Target(Form.SAGEMAKER))
    assert json.loads(back.text)["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    assert json.loads(back.text)["HyperParameters"]["checkpoint-dir"] == "/opt/ml/checkpoints"


def test_the_fabric_is_the_targets() -> None:
    gke = made("sagemaker.json", Target(Form.KUBERNETES, Cluster.GKE))
    assert gke.target.machine.instance == "a3-highgpu-8g"
    assert gke.target.environment["NCCL_GPUDIRECTTCPX_SOCKET_IFNAME"] == "eth1,eth2,eth3,eth4"
    assert "eth4:74-87" in gke.target.environment["NCCL_GPUDIRECTTCPX_RX_BINDINGS"]
    aks = made("sagemaker.json", Target(Form.KUBERNETES, Cluster.AKS))
    assert aks.target.environment["NCCL_TOPO_FILE"] == "/opt/microsoft/ndv4-topo.xml"
    eks = made("pytorchjob.yaml", Target(Form.KUBERNETES, Cluster.EKS))
    assert "environment FI_PROVIDER" not in {each.subject for each in eks.findings.changes}
    assert eks.target.environment["FI_PROVIDER"] == "efa"
    [pod] = {json.dumps(pod["spec"], sort_keys=True) for pod in pods(eks)}
    assert json.loads(pod)["containers"][0]["resources"]["limits"]["vpc.amazonaws.com/efa"] == "4"
    for each in gke.findings.changes:
        if each.subject.startswith("environment NCCL_GPUDIRECT"):
            assert each.source


def pods(found: Translation) -> list[Any]:
    roles = yaml.safe_load(found.text)["spec"]["pytorchReplicaSpecs"]
    return [role["template"] for role in roles.values()]


def test_a_single_machine_gets_no_fabric(tmp_path: Path) -> None:
    given = json.loads((DEFINITIONS / "sagemaker.json").read_text())
    given["ResourceConfig"]["InstanceCount"] = 1
    file = tmp_path / "job.json"
    file.write_text(json.dumps(given))
    found = translate(file, Target(Form.KUBERNETES, Cluster.GKE), full_map(Form.KUBERNETES))
    assert not any(name.startswith("NCCL_GPUDIRECT") for name in found.target.environment)


@pytest.mark.parametrize(
    ("parameters", "instance", "words"),
    [
        ({"sagemaker_distributed_dataparallel_enabled": "true"}, "ml.p4d.24xlarge", "smdistributed"),
        ({"mp_parameters": "{}"}, "ml.p4d.24xlarge", "smdistributed"),
        ({"sagemaker_parameter_server_enabled": "true"}, "ml.p4d.24xlarge", "TensorFlow 1"),
        ({}, "ml.trn1.32xlarge", "Neuron"),
        ({}, "ml.p9z.99xlarge", "in no table"),
    ],
)
def test_what_nothing_else_runs_blocks(
    parameters: dict[str, str], instance: str, words: str, tmp_path: Path
) -> None:
    given = json.loads((DEFINITIONS / "sagemaker.json").read_text())
    del given["HyperParameters"]["sagemaker_torch_distributed_enabled"]
    given["HyperParameters"] |= parameters
    given["ResourceConfig"]["InstanceType"] = instance
    file = tmp_path / "job.json"
    file.write_text(json.dumps(given))
    found = translate(file, Target(Form.VERTEX), full_map(Form.VERTEX))
    assert not found.passed
    assert words in told(found.findings.blocks)


def test_fewer_devices_by_hand_change_machines_or_steps() -> None:
    mapping = full_map(Form.VERTEX)
    smaller = TargetMap(
        uris=mapping.uris, images=mapping.images, machines={"ml.p4d.24xlarge": "a2-highgpu-4g"}
    )
    found = made("sagemaker.json", Target(Form.VERTEX), smaller)
    assert (found.target.machine.nodes, found.target.processes) == (4, 4)
    assert found.target.global_batch == found.source.global_batch == 512
    pools = json.loads(found.text)["jobSpec"]["workerPoolSpecs"]
    assert [pool["replicaCount"] for pool in pools] == ["1", "3"]


def test_less_memory_by_hand_blocks() -> None:
    mapping = full_map(Form.VERTEX)
    small = TargetMap(uris=mapping.uris, images=mapping.images, machines={"*": "g2-standard-96"})
    found = made("sagemaker.json", Target(Form.VERTEX), small)
    assert "24 GiB a device" in told(found.findings.blocks)


def test_what_the_map_lacks_blocks_and_is_not_guessed() -> None:
    found = made("sagemaker.json", Target(Form.VERTEX), TargetMap())
    assert {each.subject for each in found.findings.blocks} == {"data", "image", "code"}
    assert "gs://" not in found.text


def test_a_translation_comes_back_as_it_was(tmp_path: Path) -> None:
    job, _ = load(DEFINITIONS / "sagemaker.json")
    kinds = (Kind.PYTORCHJOB, Kind.JOB, Kind.JOBSET)
    for target in (Target(Form.VERTEX), *(Target(Form.KUBERNETES, Cluster.GKE, kind) for kind in kinds)):
        found = made("sagemaker.json", target)
        file = tmp_path / "back.yaml"
        file.write_text(found.text)
        back, _ = load(file, Cluster.GKE)
        assert back.launcher is Launcher.TORCHRUN
        assert (back.world, back.global_batch) == (job.world, job.global_batch)
        assert back.program == found.target.program


def test_pods_of_kinds_without_a_schema_are_handed_over(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(made("sagemaker.json", Target(Form.KUBERNETES, Cluster.GKE)).text)
    objects, unknown = strict_objects(file)
    assert unknown == ("PyTorchJob",)
    assert {each["kind"] for each in objects} == {"Pod"}
    assert len(objects) == 2


def test_a_map_with_another_section_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text("uri: {a: b}")
    with pytest.raises(Exception, match=r"uri.*HL-9204"):
        read_map(file)
