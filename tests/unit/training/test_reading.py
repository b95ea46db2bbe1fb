"""Forms without a definition among the tests' files: estimators, TrainJob, JobSet, TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.training.model import Cluster, Form, Job, Launcher
from heavylift.training.notes import Findings
from heavylift.training.targets import Target
from heavylift.training.translate import load, translate
from tests.unit.training.jobs import full_map

ESTIMATOR: dict[str, Any] = {
    "name": "churn",
    "entry_point": "train.py",
    "source_dir": "s3://corp-code/train/source.tar.gz",
    "instance_type": "ml.g5.12xlarge",
    "instance_count": 2,
    "image_uri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1",
    "hyperparameters": {"epochs": 3, "batch_size": 16},
    "use_spot_instances": True,
    "max_wait": 7200,
    "checkpoint_s3_uri": "s3://corp-models/checkpoints",
    "role": "arn:aws:iam::123456789012:role/trainer",
}


def read(document: Any, tmp_path: Path) -> tuple[Job, Findings]:
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return load(file, Cluster.EKS)


@pytest.mark.parametrize(
    ("distribution", "launcher", "processes", "blocks"),
    [
        ({"torch_distributed": {"enabled": True}}, Launcher.TORCHRUN, 4, ""),
        ({"pytorchddp": {"enabled": True}}, Launcher.TORCHRUN, 4, ""),
        ({"mpi": {"enabled": True, "processes_per_host": 4}}, Launcher.MPI, 4, ""),
        ({"multi_worker_mirrored_strategy": {"enabled": True}}, Launcher.TENSORFLOW, 1, ""),
        ({"smdistributed": {"dataparallel": {"enabled": True}}}, Launcher.TORCHRUN, 4, "smdistributed"),
        ({"smdistributed": {"modelparallel": {"enabled": True}}}, Launcher.PLAIN, 1, "smdistributed"),
        ({"parameter_server": {"enabled": True}}, Launcher.PLAIN, 1, "parameter servers"),
        ({}, Launcher.PLAIN, 1, ""),
    ],
)
def test_an_estimators_distribution(
    distribution: Any, launcher: Launcher, processes: int, blocks: str, tmp_path: Path
) -> None:
    job, findings = read({**ESTIMATOR, "distribution": distribution}, tmp_path)
    assert (job.launcher, job.processes, job.machine.nodes) == (launcher, processes, 2)
    assert job.program == ("python", "train.py", "--epochs", "3", "--batch_size", "16")
    assert job.spot.enabled
    assert [each.what for each in findings.blocks if blocks in each.what] or not blocks
    assert bool(findings.blocks) == bool(blocks)


def test_mpi_goes_to_an_mpijob_and_to_azure(tmp_path: Path) -> None:
    mpi = {"enabled": True, "processes_per_host": 4, "custom_mpi_options": "-x A=1 --oversubscribe"}
    file = tmp_path / "job.json"
    file.write_text(json.dumps({**ESTIMATOR, "distribution": {"mpi": mpi}}))
    found = translate(file, Target(Form.KUBERNETES, Cluster.EKS), full_map(Form.KUBERNETES))
    spec = yaml.safe_load(found.text)["spec"]
    [head] = spec["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["containers"]
    assert head["command"][:4] == ["mpirun", "-np", "8", "--oversubscribe"]
    assert "-x" in head["command"]
    assert {"name": "A", "value": "1"} in head["env"]
    assert (spec["slotsPerWorker"], spec["mpiReplicaSpecs"]["Worker"]["replicas"]) == (4, 2)
    azure = yaml.safe_load(translate(file, Target(Form.AZURE_ML), full_map(Form.AZURE_ML)).text)
    assert azure["distribution"] == {"type": "mpi", "process_count_per_instance": 4}


def test_tensorflow_goes_where_tf_config_is_set(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    given = {**ESTIMATOR, "distribution": {"multi_worker_mirrored_strategy": {"enabled": True}}}
    file.write_text(json.dumps(given))
    azure = yaml.safe_load(translate(file, Target(Form.AZURE_ML), full_map(Form.AZURE_ML)).text)
    assert azure["distribution"] == {"type": "tensorflow", "worker_count": 2}
    assert translate(file, Target(Form.VERTEX), full_map(Form.VERTEX)).passed
    blocked = translate(file, Target(Form.KUBERNETES, Cluster.GKE), full_map(Form.KUBERNETES))
    assert "TF_CONFIG" in blocked.findings.blocks[0].what


def test_a_trainjob_is_read_without_its_runtime(tmp_path: Path) -> None:
    trainer = {
        "numNodes": 4,
        "numProcPerNode": 2,
        "image": "registry.example.com/train:1",
        "command": ["torchrun", "train.py", "--batch_size", "8"],
        "resourcesPerNode": {"limits": {"nvidia.com/gpu": 2}},
    }
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer}
    document = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": spec}
    job, findings = read({**document, "metadata": {"name": "t"}}, tmp_path)
    assert (job.machine.nodes, job.processes, job.machine.devices, job.global_batch) == (4, 2, 2, 64)
    assert "torch-distributed" in findings.needs[0].what


def test_a_jobset_and_its_neuron_devices_are_read(tmp_path: Path) -> None:
    container = {
        "name": "t",
        "image": "registry.example.com/train:1",
        "command": ["torchrun", "--nproc-per-node=2", "train.py"],
        "resources": {"limits": {"aws.amazon.com/neuron": 1}},
    }
    inner = {"parallelism": 2, "template": {"spec": {"containers": [container]}}}
    jobs = [{"name": "node", "replicas": 3, "template": {"spec": inner}}]
    document = {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": {"name": "t"}}
    job, findings = read({**document, "spec": {"replicatedJobs": jobs}}, tmp_path)
    assert (job.machine.nodes, job.processes) == (6, 2)
    assert "Neuron" in findings.blocks[0].what


def test_a_reduction_server_and_pools_of_several_kinds(tmp_path: Path) -> None:
    def pool(machine: str, count: int, image: str) -> dict[str, Any]:
        return {
            "machineSpec": {"machineType": machine},
            "replicaCount": str(count),
            "containerSpec": {"imageUri": image, "command": ["torchrun", "t.py"]},
        }

    ours = [pool("a2-highgpu-8g", 1, "x"), pool("a2-highgpu-8g", 3, "x")]
    server = pool("n1-highcpu-16", 4, "us-docker.pkg.dev/vertex-ai/reductionserver:latest")
    job, findings = read({"workerPoolSpecs": [*ours, server]}, tmp_path)
    assert (job.machine.nodes, job.world) == (4, 32)
    assert "reduction server" in findings.losses[0].what
    _, findings = read({"workerPoolSpecs": [ours[0], pool("a2-highgpu-4g", 2, "x")]}, tmp_path)
    assert "several kinds" in findings.blocks[0].what
