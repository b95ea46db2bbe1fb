"""Registered models move between SageMaker, played by moto's server, and a real MLflow server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.connections import Connection
from heavylift.errors import ConflictError, NotFoundError
from heavylift.spec.sections_data import OnNameConflict
from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.support.azure_ml_server import AzureMlServer
from tests.support.catalogue_moves import CatalogueMoves, started
from tests.support.losing_proxy import LosingProxy, losing
from tests.support.model_packages import BUCKET, REGION, TARGET_BUCKET, Account, fill, fill_bucket, package
from tests.support.registry_task import start
from tests.support.tracking_server import Server, servers
from tests.support.vertex_server import VertexServer

MOVED = f"s3://{TARGET_BUCKET}/moved"
PAIRS = ((f"s3://{BUCKET}", MOVED),)
SEARCH = "api/2.0/mlflow/model-versions/search?max_results=100"


@dataclass(frozen=True)
class World:
    """One region with models, others without any, and an MLflow server."""

    aws: Account
    mlflow: Server

    @property
    def to_mlflow(self) -> CatalogueMoves:
        stores = self.aws.connection, self.aws.connection
        return CatalogueMoves(self.aws.connection, self.mlflow.connection, PAIRS, stores)

    def to_sagemaker(self, region: str, pairs: tuple[tuple[str, str], ...]) -> CatalogueMoves:
        target = replace(self.aws, region=region)
        stores = self.aws.connection, target.connection
        return CatalogueMoves(self.mlflow.connection, target.connection, pairs, stores, name="back")

    def versions(self) -> dict[str, dict[str, str]]:
        """Return the tags of each version as MLflow tells them."""
        found = self.mlflow.ask("GET", SEARCH).get("model_versions", ())
        return {
            f"{each['name']}/{each['version']}": {tag["key"]: tag["value"] for tag in each.get("tags", ())}
            for each in found
        }


@pytest.fixture(scope="module")
def running_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = new_state_dir()
    stack = Stack.start(folder, ("aws_control",))
    try:
        given = json.loads(stack.env["AIRFLOW_CONN_AWS_CONTROL"])["extra"]
        aws = Account((given if isinstance(given, dict) else json.loads(given))["endpoint_url"])
        fill_bucket(aws)
        fill(aws)
        aws.client("s3").create_bucket(
            Bucket=TARGET_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        with servers(tmp_path_factory.mktemp("tracking"), "catalogue") as (server,):
            yield World(aws, server)
    finally:
        stack.stop()
        shutil.rmtree(folder)


@pytest.fixture
def world(running_world: World) -> World:
    running_world.mlflow.clear()
    client = running_world.aws.client("s3")
    for key in running_world.aws.objects(TARGET_BUCKET):
        client.delete_object(Bucket=TARGET_BUCKET, Key=key)
    return running_world


def test_what_is_lost_is_told_first_and_must_be_accepted(world: World) -> None:
    looked = world.to_mlflow.look(accept_losses=False)
    assert {(each.what, each.item, each.count) for each in looked.losses} == {
        ("trial component", "those of no trial", 1)
    }
    assert [each.rule for each in looked.findings] == ["losses-not-accepted"]
    with pytest.raises(ConflictError, match=r"losses-not-accepted.*1"):
        world.to_mlflow.copy(accept_losses=False)
    assert world.versions() == {}
    assert world.aws.objects(TARGET_BUCKET) == {}


def test_everything_arrives_comes_back_equal_and_a_second_time_nothing_is_written(world: World) -> None:
    there = world.to_mlflow
    record = there.copy()
    assert record.passed, record.failures
    assert {each.table: each.inserted for each in record.tables if each.rows} == {
        "experiments": 1,
        "runs": 2,
        "registered models": 2,
        "model versions": 4,
        "artifacts": 8,
    }
    proof = there.verify()
    assert proof.passed, proof.differences
    assert {each.what: each.equal for each in proof.compared} == {
        "experiment": 1,
        "run": 2,
        "registered model": 2,
        "model version": 4,
        "artifact": 11,
    }
    moved = world.aws.objects(TARGET_BUCKET)
    assert {key.removeprefix("moved/"): body for key, body in moved.items()} == world.aws.objects(BUCKET)
    assert world.versions()["fraud/2"]["heavylift.kept.approval"] == "approved"
    assert world.versions()["fraud/2"]["heavylift.source.platform"] == "sagemaker"

    before = world.mlflow.dump()
    assert (there.copy().written, there.sync().written, world.mlflow.dump()) == (0, 0, before)

    back = world.to_sagemaker("us-east-1", ((MOVED, f"s3://{TARGET_BUCKET}/back"),))
    assert back.copy().passed
    assert back.verify().passed
    assert back.sync().written == 0
    other = replace(world.aws, region="us-east-1")
    for group in ("fraud", "churn"):
        ours, theirs = world.aws.packages(group), other.packages(group)
        assert [bare(each) for each in theirs] == [
            bare(
                json.loads(
                    json.dumps(each, default=str).replace(f"s3://{BUCKET}/", f"s3://{TARGET_BUCKET}/back/")
                )
            )
            for each in ours
        ]
    tags = other.client("sagemaker").list_tags(
        ResourceArn=other.packages("fraud")[0]["ModelPackageArn"].replace("package/", "package-group/")[:-2]
    )["Tags"]
    assert {"Key": "team", "Value": "risk"} in tags


_OWN = (
    "ModelPackageArn",
    "CreationTime",
    "LastModifiedTime",
    "LastModifiedBy",
    "CreatedBy",
    "ResponseMetadata",
)


def bare(package: dict[str, Any]) -> dict[str, Any]:
    """Return what SageMaker describes, without what it gives itself and without Heavylift's own metadata."""
    found = {key: value for key, value in package.items() if key not in (*_OWN, "ModelPackageStatusDetails")}
    own = found.pop("CustomerMetadataProperties", None) or {}
    return found | {"metadata": {k: v for k, v in own.items() if not k.startswith("heavylift.")}}


@pytest.mark.long
def test_what_is_new_or_changed_follows_and_planted_differences_are_found(world: World) -> None:
    aws = replace(world.aws, region="eu-west-2")
    fill(aws)
    moves = replace(world.to_mlflow, source=aws.connection)
    with pytest.raises(NotFoundError, match="HL-7189"):
        moves.sync()
    moves.copy()
    sagemaker, s3 = aws.client("sagemaker"), world.aws.client("s3")
    third = aws.packages("fraud")[2]
    metadata = {"owner": "fraud team", "data.version": "3"}
    sagemaker.update_model_package(
        ModelPackageArn=third["ModelPackageArn"],
        ModelApprovalStatus="Approved",
        ApprovalDescription="looks good",
        CustomerMetadataProperties=metadata,
    )
    for name in ("model.tar.gz", "quality.json"):
        s3.put_object(Bucket=BUCKET, Key=f"fraud/4/{name}", Body=name.encode())
    sagemaker.create_model_package(**package("fraud", 4, "PendingManualApproval"))
    assert not moves.verify().passed
    record = moves.sync()
    assert (record.inserted, record.updated, record.passed) == (3, 1, True)
    tags = world.versions()["fraud/3"]
    assert (tags["heavylift.kept.approval"], tags["owner"]) == ("approved", "fraud team")
    assert moves.verify().passed
    assert moves.sync().written == 0

    ask = world.mlflow.ask
    ask("POST", "api/2.0/mlflow/model-versions/set-tag", tag("fraud", "1", "owner", "someone"))
    ask("POST", "api/2.0/mlflow/model-versions/create", {"name": "fraud", "source": "s3://b/x"})
    s3.put_object(Bucket=TARGET_BUCKET, Key="moved/fraud/2/model.tar.gz", Body=b"broken")
    proof = moves.verify()
    assert {(each.what, each.kind, each.id, each.fields) for each in proof.differences} == {
        ("model version", "different", "fraud/1", ("metadata/owner",)),
        ("model version", "extra", "fraud/(target's) 5", ()),
        ("artifact", "different", "fraud/2 containers/0/artifact: ", ("content",)),
    }
    # As long as the true one: by names and sizes alone it looks the same, and the statement says so.
    size = s3.head_object(Bucket=BUCKET, Key="fraud/2/model.tar.gz")["ContentLength"]
    s3.put_object(Bucket=TARGET_BUCKET, Key="moved/fraud/2/model.tar.gz", Body=bytes(size))
    listed = moves.verify(contents=False)
    assert {each.what for each in listed.differences} == {"model version"}
    assert "artifacts by names and sizes alone" in listed.statement
    for name in ("model.tar.gz", "quality.json"):
        s3.delete_object(Bucket=BUCKET, Key=f"fraud/4/{name}")
    with pytest.raises(ConflictError, match=r"foreign-version.*changed-by-others"):
        moves.sync()
    assert world.versions()["fraud/1"]["owner"] == "someone"
    assert moves.sync(overwrite=True).updated == 1
    assert world.versions()["fraud/1"]["owner"] == "risk team"


def tag(name: str, version: str, key: str, value: str) -> dict[str, str]:
    return {"name": name, "version": version, "key": key, "value": value}


@pytest.fixture
def shell(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """Return a function that runs a command and returns its status and document."""
    for each in (world.aws.connection, world.mlflow.connection):
        monkeypatch.setenv(f"AIRFLOW_CONN_{each.conn_id.upper()}", as_json(each))

    def command(name: str, *more: str) -> tuple[int, Any]:
        places = ["--source-conn", world.aws.connection.conn_id, "--target-conn", "catalogue"]
        rest = ["--artifacts", f"{PAIRS[0][0]}={PAIRS[0][1]}", "--evidence", tmp_path.as_uri(), "--json"]
        rest += ["--target-artifacts-conn", world.aws.connection.conn_id]
        status = run(app, ["registry", name, *places, *rest, *more])
        return status, json.loads(capsys.readouterr().out)

    return command


def as_json(connection: Connection) -> str:
    fields = {"conn_type": connection.conn_type, "login": connection.login, "host": connection.host}
    return json.dumps({**fields, "password": connection.password, "extra": dict(connection.extra)})


def test_the_types_of_the_connections_decide(
    world: World, shell: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    status, document = shell("copy", "--losses")
    assert status == 0
    assert [each["what"] for each in document["preflight"]["losses"]] == ["trial component"]
    assert world.versions() == {}
    status, document = shell("copy")
    assert (status, world.versions()) == (1, {})
    assert "losses-not-accepted" in json.dumps(document)
    status, document = shell("copy", "--accept-losses")
    assert (status, document["copy"]["path"], document["copy"]["failure_count"]) == (0, "catalogue", 0)
    status, document = shell("sync", "--accept-losses")
    assert (status, document["sync"]["written"]) == (0, 0)
    status, document = shell("verify")
    assert status == 0, document
    kept = {each.name for each in tmp_path.rglob("*.json")}
    assert {"preflight-1.json", "copy-1.json", "sync-1.json", "registry-verification-1.json"} <= kept


@pytest.mark.long
def test_the_tasks_of_a_spec_move_it(world: World, tmp_path: Path) -> None:
    conn = world.aws.connection.conn_id
    side = {"connection": conn, "kind": "sagemaker", "artifacts": PAIRS[0][0], "artifacts_connection": conn}
    there = {"connection": "catalogue", "artifacts": PAIRS[0][1], "artifacts_connection": conn}
    spec = {
        "apiVersion": "heavylift/v1",
        "migration": "models",
        "owner": "team",
        "source": {"platform": "aws", "connection": conn},
        "target": {"platform": "aws", "connection": conn},
        "evidence": {"url": (tmp_path / "evidence").as_uri()},
        "registries": [{"name": "history", "source": side, "target": there, "accept_losses": True}],
    }
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump(spec))
    evidence = Connection("evidence", "file")
    env = {
        f"AIRFLOW_CONN_{each.conn_id.upper()}": as_json(each)
        for each in (world.aws.connection, world.mlflow.connection, evidence)
    }
    process = start(file, env, "preflight", "copy", "sync", "verify")
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0, told[-3000:]
    done = [json.loads(line[5:]) for line in told.splitlines() if line.startswith("DONE ")]
    assert done[0]["passed"]
    assert (done[1]["inserted"], done[2]["written"]) == (17, 0)
    assert (done[3]["passed"], done[3]["differences"]) == (True, 0)
    assert len(world.versions()) == 4


@pytest.mark.parametrize("kind", [VertexServer, AzureMlServer])
def test_what_other_clouds_hold_of_it_is_told_and_arrives(
    world: World, kind: type[VertexServer] | type[AzureMlServer]
) -> None:
    target = kind()
    root = "gs://vertex" if isinstance(target, VertexServer) else "az://models"
    pairs = ((f"s3://{BUCKET}", root),)
    moves = CatalogueMoves(
        world.aws.connection, target.connection, pairs, options={"artifacts": False}, name="clouds"
    )
    lost = {(each.what, each.item): each.count for each in moves.look().losses}
    record = moves.copy()
    assert record.passed, record.failures
    assert {(each.what, each.item): each.count for each in record.losses} == lost
    if isinstance(target, VertexServer):
        assert lost["model version", "containers/*/image"] == 4
        assert lost["registered model", "metadata/team"] == 1
        labels = [each["labels"] for versions in target.models.values() for each in versions]
        assert sum(each.get("heavylift-kept--approval") == "approved" for each in labels) == 1
    else:
        assert set(lost) == {("experiment", "all")}
        tags = target.models["fraud"]["versions"]["2"]["properties"]["tags"]
        assert tags["heavylift.kept.approval"] == "approved"
    proof = moves.verify()
    assert proof.passed, proof.differences
    written = len(target.writes)
    assert (moves.sync().written, len(target.writes), target.rejected) == (0, written, [])
    target.close()


def test_a_file_of_somebody_elses_is_not_written_over(world: World) -> None:
    s3 = world.aws.client("s3")
    s3.put_object(Bucket=TARGET_BUCKET, Key="moved/fraud/2/model.tar.gz", Body=b"another")
    record = world.to_mlflow.copy()
    assert [(each.id, each.code) for each in record.failures] == [("fraud", "HL-7180")]
    assert not record.passed
    assert set(world.versions()) == {"fraud/1", "churn/1"}
    assert world.aws.objects(TARGET_BUCKET)["moved/fraud/2/model.tar.gz"] == b"another"
    s3.delete_object(Bucket=TARGET_BUCKET, Key="moved/fraud/2/model.tar.gz")
    record = world.to_mlflow.copy()
    assert (record.passed, sorted(world.versions())[-1]) == (True, "fraud/3")


def test_a_name_that_is_taken_is_refused_or_mapped(world: World) -> None:
    world.mlflow.ask("POST", "api/2.0/mlflow/registered-models/create", {"name": "churn"})
    with pytest.raises(ConflictError, match="name-taken"):
        world.to_mlflow.copy()
    assert world.versions() == {}
    record = world.to_mlflow.copy(on_name_conflict=OnNameConflict.MAP)
    assert record.passed
    assert {name.rpartition("/")[0] for name in world.versions()} != {"churn", "fraud"}


def fill_mlflow(server: Server) -> str:
    """Make a run with metrics and files, and a model of two versions of it; return the run's id."""
    run = server.ask(
        "POST", "api/2.0/mlflow/runs/create", {"experiment_id": "0", "start_time": 1, "run_name": "train"}
    )["run"]["info"]
    number, uri = run["run_id"], run["artifact_uri"]
    metric = {"run_id": number, "key": "auc", "value": 0.91, "timestamp": 5, "step": 1}
    server.ask("POST", "api/2.0/mlflow/runs/log-metric", metric)
    for path in ("MLmodel", "data/model.skops"):
        place = uri.removeprefix("mlflow-artifacts:/")
        server.ask("PUT", f"api/2.0/mlflow-artifacts/artifacts/{place}/model/{path}", path.encode())
    server.ask(
        "POST", "api/2.0/mlflow/registered-models/create", {"name": "Fraud model", "description": "a\nb"}
    )
    for _ in range(2):
        source = {"name": "Fraud model", "source": f"{uri}/model", "run_id": number}
        server.ask("POST", "api/2.0/mlflow/model-versions/create", source)
    alias = {"name": "Fraud model", "alias": "champion", "version": "2"}
    server.ask("POST", "api/2.0/mlflow/registered-models/alias", alias)
    return str(number)


def lost_answers(world: World, region: str, proxy: LosingProxy) -> CatalogueMoves:
    moves = world.to_sagemaker(region, (("mlflow-artifacts:", MOVED),))
    target = replace(world.aws, region=region, endpoint=proxy.url).connection
    return replace(moves, target=target, stores=(None, replace(world.aws, region=region).connection))


@pytest.mark.long
def test_from_mlflow_with_lost_answers_and_kills_nothing_is_made_twice(world: World) -> None:
    number = fill_mlflow(world.mlflow)
    region = "eu-central-1"
    with losing(world.aws.endpoint, ("CreateModelPackage", 1)) as proxy:
        moves = lost_answers(world, region, proxy)
        looked = moves.look()
        assert ("registered model", "description", 1) in {(x.what, x.item, x.count) for x in looked.losses}
        process = started(moves)
        proxy.then = process.kill
        process.wait(120)
        assert process.returncode == -9
        target = replace(world.aws, region=region)
        (name,) = [
            each["ModelPackageGroupName"]
            for each in target.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
        ]
        assert name.startswith("Fraud-model-")
        assert len(target.packages(name)) == 1
        proxy.then, proxy.loses = (lambda: None), ("CreateModelPackage", 2)
        record = moves.copy()
    assert record.passed, record.failures
    moves = replace(moves, target=target.connection)
    packages = target.packages(name)
    assert [each["ModelPackageVersion"] for each in packages] == [1, 2]
    metadata = packages[1]["CustomerMetadataProperties"]
    assert metadata["heavylift.kept.lineage/run"] == number
    assert metadata["heavylift.kept.metrics/auc"] == "0.91"
    place = packages[1]["InferenceSpecification"]["Containers"][0]["ModelDataSource"]["S3DataSource"]
    files = {
        key: body
        for key, body in world.aws.objects(TARGET_BUCKET).items()
        if f"s3://{TARGET_BUCKET}/{key}".startswith(place["S3Uri"])
    }
    assert sorted(files.values()) == [b"MLmodel", b"data/model.skops"]
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert moves.sync().written == 0
