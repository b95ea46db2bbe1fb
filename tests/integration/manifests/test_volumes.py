"""What a claim holds: Jobs are made for it; what they run is run here, on folders in the place of volumes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from heavylift.cli import app
from heavylift.cli.run import run

CLAIMS = """
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: models, namespace: ml}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
  - apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: db}
    spec:
      replicas: 2
      volumeClaimTemplates:
        - {metadata: {name: data}, spec: {accessModes: [ReadWriteMany]}}
"""
RAW = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: raw}
spec: {volumeMode: Block, accessModes: [ReadWriteOncePod]}
"""


@pytest.fixture
def bucket() -> Iterator[dict[str, Any]]:
    """Return the connection of an S3 server with a bucket ``volumes``."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(Bucket="volumes")
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    yield {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    server.stop()


def made(
    manifests: Path, out: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[int, dict[str, Any]]:
    status = run(
        app,
        [
            "manifests", "volumes", str(manifests), "--bucket", "s3://volumes/moved", "--target-bucket", "s3://volumes/moved",
            "--image", "registry.example/heavylift:1", "--out", str(out), "--json", *more,
        ],
    )  # fmt: skip
    return status, json.loads(capsys.readouterr().out)


def ran(job: Path, volume: Path, work: Path, bucket: dict[str, Any]) -> dict[str, Any]:
    """Run what a Job's container runs, with this machine's Python and a folder in the place of its mount."""
    document = yaml.safe_load(job.read_text())
    [container] = document["spec"]["template"]["spec"]["containers"]
    command = [each.replace("file:///volume/", f"{volume.as_uri()}/") for each in container["command"]]
    assert command[:3] == ["python", "-m", "heavylift"]
    given = {each["name"]: each.get("value", "") for each in container["env"]}
    given |= {"AIRFLOW_CONN_BUCKET": json.dumps(bucket), "HOME": str(work), "PATH": os.environ["PATH"]}
    work.mkdir(exist_ok=True)
    include = str(Path(__file__).parents[3] / "include")
    done = subprocess.run(
        [sys.executable, *command[1:], "--json"], cwd=work, env={**given, "PYTHONPATH": include},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def files(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return content, mode and time of each file."""
    found = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
    return {
        name: (each.read_bytes(), each.stat().st_mode, each.stat().st_mtime_ns)
        for name, each in found.items()
        if not name.startswith("lost+found")
    }


def test_a_volume_goes_to_the_bucket_and_comes_back_from_it(
    tmp_path: Path, bucket: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    status, said = made(tmp_path / "claims.yaml", tmp_path / "jobs", capsys)
    assert status == 0
    assert [(each["namespace"], each["name"]) for each in said["volumes"]["claims"]] == [
        ("default", "data-db-0"), ("default", "data-db-1"), ("ml", "models"),
    ]  # fmt: skip
    here, there = tmp_path / "volume", tmp_path / "restored"
    (here / "a" / "b").mkdir(parents=True)
    there.mkdir()
    for name, content in {"model.bin": b"m" * 200_000, "a/b/two words.txt": b"x", "empty": b""}.items():
        (here / name).write_bytes(content)
    (here / "model.bin").chmod(0o750)
    os.utime(here / "empty", ns=(0, 10**18 + 1))
    for folder in (here, there):
        (folder / "lost+found").mkdir()
        (folder / "lost+found" / "#1").write_bytes(b"of the file system's own")
    before = files(here)
    copies, restores = tmp_path / "jobs" / "source", tmp_path / "jobs" / "target"
    ran(copies / "ml.models.yaml", here, tmp_path / "work", bucket)
    assert files(here) == before
    for _ in range(2):  # a pod that is made anew does only the rest
        ran(restores / "ml.models.yaml", there, tmp_path / "work2", bucket)
        assert files(there) == before


def test_a_job_reads_only_and_has_no_secret_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    made(tmp_path / "claims.yaml", tmp_path / "jobs", capsys, "--user", "1000")
    for side, reads_only in (("source", True), ("target", False)):
        document = yaml.safe_load((tmp_path / "jobs" / side / "ml.models.yaml").read_text())
        pod = document["spec"]["template"]["spec"]
        [volume] = [each for each in pod["volumes"] if "persistentVolumeClaim" in each]
        assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": reads_only}
        [container] = pod["containers"]
        [mount] = [each for each in container["volumeMounts"] if each["name"] == "volume"]
        assert mount["readOnly"] is reads_only
        assert pod["securityContext"]["runAsUser"] == 1000
        # An ordinary user can give no file away.
        assert ("mode" in container["command"], "owner" in container["command"]) == (True, False)
        [secret] = [each for each in container["env"] if "valueFrom" in each]
        assert secret["valueFrom"]["secretKeyRef"] == {"name": "heavylift-bucket", "key": "connection"}


def test_what_cannot_be_copied_so_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw.yaml").write_text(RAW)
    status, said = made(tmp_path / "raw.yaml", tmp_path / "jobs", capsys)
    assert (status, said["volumes"]["passed"]) == (1, False)
    assert "raw device" in said["volumes"]["claims"][0]["refused"]
    assert not (tmp_path / "jobs").exists()
    (tmp_path / "none.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    assert made(tmp_path / "none.yaml", tmp_path / "jobs", capsys)[0] == 1
    for option, value in (("--bucket", "http://b/"), ("--image", "a b"), ("--secret", "A_B")):
        status, said = made(tmp_path / "raw.yaml", tmp_path / "jobs", capsys, option, value)
        assert (status, said["error"]["code"]) == (2, "HL-9176")


@pytest.mark.long
def test_every_job_is_valid_by_kubernetes_own_schemas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    made(tmp_path / "claims.yaml", tmp_path / "jobs", capsys)
    status = run(
        app, ["manifests", "check", str(tmp_path / "jobs"), "--kubernetes-version", "1.33", "--json"]
    )
    said = json.loads(capsys.readouterr().out)["check"]
    assert (status, said["valid"], said["invalid"], said["unchecked"]) == (0, 6, 0, 0)
