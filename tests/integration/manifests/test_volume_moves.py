"""What volumes hold, moved by Jobs of two clusters: proved, refused, lost on the way, and run again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import TaskDeferred
from moto.server import ThreadedMotoServer

from heavylift.errors import CredentialError, IncompleteError, PreconditionError, SpecError
from heavylift.spec import Phase, load_spec
from heavylift_airflow.operators.provision_closing import EvaluateInfrastructureGateOperator
from heavylift_airflow.operators.volumes import MoveVolumesOperator
from heavylift_airflow.triggers.jobs import JobsTrigger
from tests.plugins.world import World, context_of
from tests.support.job_cluster import JobCluster

CLAIMS = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: models, namespace: ml}
spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 10Gi}}}
"""
COPY, RESTORE = "ml/heavylift-copy-models", "ml/heavylift-restore-models"
GATE = "volumes-moved"


@dataclass
class Site:
    """A migration, two clusters with the same claim, and a bucket between them."""

    world: World
    source: JobCluster
    target: JobCluster
    bucket: dict[str, Any]
    here: Path
    there: Path

    def run(self, **params: Any) -> Any:
        task = MoveVolumesOperator(task_id="move", spec_path=self.world.spec_path, phase="provision")
        return task.execute(context_of(task, **params))

    def waits(self) -> JobsTrigger:
        with pytest.raises(TaskDeferred) as deferred:
            self.run()
        trigger = deferred.value.trigger
        assert isinstance(trigger, JobsTrigger)
        return trigger

    def work(self) -> None:
        for cluster in (self.source, self.target):
            cluster.run_all(self.bucket, self.world.root / "work")

    def judge(self) -> Any:
        task = EvaluateInfrastructureGateOperator(
            task_id="judge", spec_path=self.world.spec_path, phase="provision", gate=GATE
        )
        return task.execute(context_of(task))

    def save(self, **more: Any) -> None:
        volumes = {
            "bucket": "s3://volumes/moved/", "image": "registry.example/heavylift:1", "apply": True,
            "connection": "bucket", "source_connection": "cluster_here", "target_connection": "cluster_there",
            **more,
        }  # fmt: skip
        manifests = {
            "files": ["claims.yaml"], "source": "eks", "target": "gke", "kubernetes_version": "1.33",
            "volumes": volumes,
        }  # fmt: skip
        self.world.save(manifests=manifests, datasets=[], gates=[])


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, Any]]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    extra = {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
    yield {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    server.stop()


@pytest.fixture
def site(
    airflow_database: None, tmp_path: Path, bucket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    world = World(tmp_path / "world")
    s3 = boto3.resource(
        "s3", endpoint_url=bucket["extra"]["endpoint_url"], region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    between = s3.Bucket("volumes")
    between.create()
    here, there = world.root / "volume", world.root / "restored"
    (here / "a").mkdir(parents=True)
    there.mkdir()
    (here / "model.bin").write_bytes(b"m" * 100_000)
    (here / "a" / "empty").touch()
    source, target = JobCluster({"ml/models": here}), JobCluster({"ml/models": there})
    given = {"bucket": bucket, "cluster_here": source.connection, "cluster_there": target.connection}
    named = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in given.items()}
    for name, connection in (named | world.connections).items():
        monkeypatch.setenv(name, connection)
    made = Site(world, source, target, bucket, here, there)
    made.save()
    (Path(world.spec_path).parent / "claims.yaml").write_text(CLAIMS)
    yield made
    between.objects.delete()
    for cluster in (source, target):
        assert cluster.rejected == []
        cluster.close()


def test_volumes_move_are_proved_and_a_second_run_makes_no_job_again(site: Site) -> None:
    trigger = site.waits()
    assert trigger.jobs == [f"source {COPY}"]
    assert site.source.created == [COPY]
    assert site.target.created == [], "nothing is read from a bucket that is not proved"
    site.waits()  # as after a kill: the Job is found
    assert site.source.created == [COPY]
    site.work()
    [event] = asyncio.run(_events(trigger))
    assert event == {"ended": f"source {COPY}"}
    assert site.waits().jobs == [f"target {RESTORE}"]
    site.work()
    done = site.run()
    assert (done["claims"], done["copied"], done["restored"], done["objects"]) == (1, 1, 1, 2)
    assert (site.there / "model.bin").read_bytes() == b"m" * 100_000
    assert site.judge()
    again = site.run()
    assert again["unchanged"]
    assert (site.source.created, site.target.created) == ([COPY], [RESTORE])
    assert site.world.actions().count("volumes.translated") == 2


async def _events(trigger: JobsTrigger) -> list[Any]:
    path, arguments = trigger.serialize()
    assert path.endswith("triggers.jobs.JobsTrigger")
    return [each.payload async for each in JobsTrigger(**arguments).run()]


def test_without_leave_jobs_are_written_and_no_cluster_is_asked(site: Site) -> None:
    assert site.run(dry_run=True)["copied"] == 0
    site.save(apply=False)
    done = site.run()
    assert (done["files"], done["claims"], done["copied"]) == (2, 1, 0)
    assert site.source.created == site.target.created == []
    gates = load_spec(site.world.spec_path).gates_for(Phase.PROVISION)
    assert GATE not in [each.name for each in gates]
    site.save()
    with pytest.raises(match="0 of 2 copies are proved; the Jobs were written"):
        site.judge()
    site.save(connection=None)
    with pytest.raises(SpecError, match="9370"):
        load_spec(site.world.spec_path)


def test_a_copy_that_fails_says_why_and_is_not_made_again_by_itself(site: Site) -> None:
    site.waits()
    site.source.end(COPY, "Failed", 1, "what went wrong:\n  no such bucket")
    for _ in range(2):
        with pytest.raises(IncompleteError, match=r"exit code 1: what went wrong: no such bucket") as error:
            site.run()
    assert error.value.code == "9374"
    assert site.source.created == [COPY]
    del site.source.jobs[COPY]
    site.waits()
    assert site.source.created == [COPY, COPY]
    site.source.end(
        COPY,
        "Failed",
        1,
        "AKIAIOSFODNN7EXAMPLE aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    with pytest.raises(IncompleteError) as error:
        site.run()
    assert "AKIA" not in str(error.value)


def test_a_job_that_says_complete_without_a_proof_opens_nothing(site: Site) -> None:
    site.waits()
    site.source.end(COPY, "Complete")
    with pytest.raises(IncompleteError, match="its proof in the bucket is missing"):
        site.run()
    assert site.target.created == []
    with pytest.raises(IncompleteError):
        site.judge()


def test_what_stands_in_the_way_is_named(site: Site) -> None:
    site.source.forbidden = "jobs"
    with pytest.raises(CredentialError, match=r"get and create of jobs.*9373"):
        site.run()
    site.source.forbidden = ""
    folder = site.source.claims.pop("ml/models")
    with pytest.raises(IncompleteError, match="HL-9372"):
        site.run()
    site.source.claims["ml/models"] = folder
    site.source.loses = 1  # the answer to the creation
    site.waits()
    assert site.source.created == [COPY]
    site.save(image="registry.example/heavylift:2")
    with pytest.raises(PreconditionError, match="9371"):
        site.run()
