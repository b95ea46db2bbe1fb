"""Definitions and maps that the tests of training jobs share."""

from __future__ import annotations

from pathlib import Path

from heavylift.training.mapping import TargetMap
from heavylift.training.model import Cluster, Form
from heavylift.training.targets import Kind, Target

DEFINITIONS = Path(__file__).with_name("definitions")
JOBS = ("sagemaker.json", "vertex.yaml", "azureml.yml", "pytorchjob.yaml", "mpijob.yaml")
ROLE = "arn:aws:iam::123456789012:role/trainer"
TARGETS = (
    Target(Form.SAGEMAKER),
    Target(Form.VERTEX),
    Target(Form.AZURE_ML),
    Target(Form.KUBERNETES, Cluster.EKS),
    Target(Form.KUBERNETES, Cluster.GKE, Kind.JOB),
    Target(Form.KUBERNETES, Cluster.AKS, Kind.JOBSET),
    Target(Form.KUBERNETES, Cluster.PLAIN),
)


def full_map(form: Form) -> TargetMap:
    """Return a map that knows everything that the definitions name."""
    bucket = {
        Form.SAGEMAKER: "s3://target",
        Form.VERTEX: "gs://target",
        Form.AZURE_ML: "azureml://datastores/target/paths",
        Form.KUBERNETES: "s3://target",
    }[form]
    code = "image" if form in {Form.VERTEX, Form.KUBERNETES} else f"{bucket}/source.tar.gz"
    uris = {
        "s3://corp-code/train/source.tar.gz": code,
        "./src": "image" if code == "image" else "./src",
        "s3://corp-data": f"{bucket}/data",
        "s3://corp-models": f"{bucket}/models",
        "gs://corp-data": f"{bucket}/data",
        "gs://corp-models": f"{bucket}/models",
        "azureml://datastores/corp/paths": f"{bucket}/speech",
        "claim:clicks": f"{bucket}/clicks",
        "output": f"{bucket}/output",
        "image": f"{bucket}/code.tar.gz",
    }
    names = ("train", "checkpoint", "model", "images", "checkpoints", "audio", "clicks")
    return TargetMap(
        uris=uris,
        images={
            "123456789012.dkr.ecr.us-east-1.amazonaws.com": "registry.example.com/corp",
            "europe-docker.pkg.dev/corp": "registry.example.com/corp",
            "corp.azurecr.io": "registry.example.com/corp",
            "registry.example.com": "registry.example.com",
        },
        identities={name: ROLE for name in (ROLE, "trainer", "trainer@corp.iam.gserviceaccount.com", "*")}
        if form is Form.SAGEMAKER
        else {},
        claims={name: name for name in names} if form is Form.KUBERNETES else {},
    )
