"""An account of known content, read from moto's server: nothing overlooked, nothing invented."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from heavylift.connections import connection_from_fields
from heavylift.evidence.inventory_records import InventoryRecord
from tests.integration.inventory.conftest import CONN, World
from tests.support.seeded_account import own_keys

NOT_IN_MOTO = {
    "AWS::SageMaker::FeatureGroup",
    "AWS::SageMaker::InferenceComponent",
    "AWS::SageMaker::LabelingJob",
    "AWS::SageMaker::MlflowTrackingServer",
    "AWS::SageMaker::MonitoringSchedule",
}
ROOT = Path(__file__).parents[3]


def test_every_component_is_found_and_none_is_invented(account: World, taken: InventoryRecord) -> None:
    found = {component.id: component.native_type for component in account.components(taken)}
    assert found == account.truth.components
    assert len(found) >= 300
    assert sum(taken.counts.values()) == taken.component_count == len(found)
    assert sum(taken.types.values()) == len(found)


def test_what_the_server_does_not_have_is_a_finding_and_not_a_shorter_list(taken: InventoryRecord) -> None:
    blockers = {finding.native_type for finding in taken.findings if finding.severity == "blocker"}
    assert blockers == NOT_IN_MOTO
    assert not taken.complete


def test_edges_have_the_known_precision_and_recall(account: World, taken: InventoryRecord) -> None:
    del taken
    drawn = account.graph()
    explicit = {(edge.source, edge.target) for edge in drawn.graph.edges if edge.explicit}
    every = {(edge.source, edge.target) for edge in drawn.graph.edges}
    truth = account.truth.explicit | account.truth.inferred
    assert explicit == account.truth.explicit
    assert account.truth.inferred <= every, "recall of inferred edges"
    assert every <= truth, "precision of inferred edges"
    assert drawn.record.edges == drawn.record.explicit_edges + drawn.record.inferred_edges


def test_what_points_outside_is_listed_and_holds_the_gate(account: World, taken: InventoryRecord) -> None:
    del taken
    drawn = account.graph()
    targets = {each.reference.target for each in drawn.graph.outside}
    assert account.truth.outside <= targets
    assert drawn.record.outside == drawn.record.explained + drawn.record.unexplained
    assert drawn.record.unexplained >= len(account.truth.outside)
    assert not drawn.record.passed
    platform = [each for each in drawn.graph.outside if each.why == "platform"]
    assert platform
    assert all(each.explained for each in platform)


def test_no_secret_is_kept(account: World, taken: InventoryRecord) -> None:
    kept = " ".join(
        component.attributes_json + component.tags_json for component in account.components(taken)
    )
    for path in account.evidence.rglob("*"):
        if path.suffix == ".gz":
            kept += gzip.decompress(path.read_bytes()).decode()
        elif path.suffix == ".json":
            kept += path.read_text()
    assert account.truth.secrets
    assert [secret for secret in account.truth.secrets if secret in kept] == []


@pytest.mark.long
def test_a_second_run_tells_what_appeared_went_and_changed(account: World, taken: InventoryRecord) -> None:
    seeder = account.seeder()
    kinesis, lambdas = seeder.client("kinesis"), seeder.client("lambda")
    account.take("before", regions=("eu-west-1",))
    kinesis.create_stream(StreamName="late", ShardCount=1)
    name = lambdas.list_functions()["Functions"][0]["FunctionName"]
    lambdas.update_function_configuration(FunctionName=name, Timeout=77)
    queue = seeder.client("sqs").list_queues()["QueueUrls"][0]
    seeder.client("sqs").delete_queue(QueueUrl=queue)
    try:
        diff = account.take("after", regions=("eu-west-1",)).diff
    finally:
        kinesis.delete_stream(StreamName="late")
        seeder.client("sqs").create_queue(QueueName=queue.rpartition("/")[2])
    assert diff is not None
    assert Counter((diff.appeared, diff.gone, diff.changed)) == Counter((1, 1, 1))
    assert diff.appeared_ids[0].endswith("stream/late")
    assert diff.gone_ids[0].endswith(queue.rpartition("/")[2])
    assert diff.changes[0].id.endswith(name)
    assert "attributes.Timeout" in diff.changes[0].fields
    assert taken.diff is None


@pytest.mark.long
def test_a_killed_run_goes_on_with_what_was_not_read(
    account: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = account.take("whole", regions=("eu-west-1",))
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN.upper()}", json.dumps(account.raw))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "include"))
    command = [sys.executable, "-m", "heavylift", "inventory", "--conn", CONN, "--region", "eu-west-1"]
    command += ["--evidence", tmp_path.as_uri(), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(list(tmp_path.rglob("done.json"))) < 12 and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    _, told = process.communicate()
    assert process.returncode == -signal.SIGKILL, told
    read = len(list(tmp_path.rglob("done.json")))
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    record = InventoryRecord.model_validate(json.loads(again.stdout)["inventory"])
    assert again.returncode == 1  # moto lacks types: not complete
    assert "going on with run" in again.stderr
    assert record.units_kept >= read
    assert record.requests < whole.requests
    assert record.counts == whole.counts


@pytest.mark.long
def test_a_missing_permission_is_a_finding_that_names_it(account: World, tmp_path: Path) -> None:
    import boto3

    iam = boto3.client(
        "iam", endpoint_url=account.endpoint, region_name="us-east-1", **own_keys(account.endpoint)
    )
    iam.create_user(UserName="short")
    allowed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["ec2:*", "sts:*", "s3:*", "rds:*"], "Resource": "*"}],
    }
    iam.put_user_policy(UserName="short", PolicyName="p", PolicyDocument=json.dumps(allowed))
    key = iam.create_access_key(UserName="short")["AccessKey"]
    extra = {name: value for name, value in account.raw["extra"].items() if name != "role_arn"}
    raw = {
        "conn_type": "aws",
        "login": key["AccessKeyId"],
        "password": key["SecretAccessKey"],
        "extra": extra,
    }
    whole = account.take("whole-again", regions=("eu-west-1",))
    world = World(account.endpoint, account.truth, tmp_path, raw)
    assert world.connection == connection_from_fields(CONN, raw)
    _demand_permissions(account.endpoint, after=0)
    try:
        record = world.take("short", regions=("eu-west-1",))
    finally:
        _demand_permissions(account.endpoint, after=10**9)
        iam.delete_access_key(UserName="short", AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName="short", PolicyName="p")
        iam.delete_user(UserName="short")
    missing = {finding.permission for finding in record.findings if finding.rule == "permission_missing"}
    assert {"sagemaker:ListModels", "dynamodb:ListTables", "iam:GetAccountAuthorizationDetails"} <= missing
    assert not {each for each in missing if each.startswith(("ec2:", "s3:", "rds:"))}
    assert not record.complete
    assert record.types["AWS::S3::Bucket"] == whole.types["AWS::S3::Bucket"]
    assert "AWS::SageMaker::Model" not in record.types


def _demand_permissions(endpoint: str, *, after: int) -> None:
    # Of a form, which urllib would call it, moto sees no body.
    request = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth",
        data=str(after).encode(),
        headers={"Content-Type": "text/plain"},
        method="POST",
    )
    urllib.request.urlopen(request).close()
