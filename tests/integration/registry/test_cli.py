"""``heavylift registry`` as a person at a shell meets it, against real MLflow servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from sandbox.examples.uploading import s3_client
from sandbox.stack import Stack
from tests.support.stores import OBJECTS, Shell, connection
from tests.support.two_databases import run_sql


def test_copy_sync_and_verify(servers: Stack, shell: Shell) -> None:
    target = connection(servers, "mlflow_target_db")
    status, document = shell("copy", "--dry-run")
    assert (status, document["preflight"]["path"]) == (0, "store")
    assert run_sql(target, "SELECT to_regnamespace('heavylift')") == [(None,)]
    status, document = shell("copy", artifacts=[])
    assert (status, document["error"]["code"]) == (1, "HL-7111")
    assert "artifacts-unmapped" in document["error"]["got"]

    status, document = shell("copy", *OBJECTS)
    assert (status, document["copy"]["leftovers"]) == (0, [])
    assert [each["passed"] for each in document["artifacts"]] == [True, True]

    status, document = shell("verify")
    proof = document["verification"]
    assert (status, proof["passed"], proof["differences"]) == (0, True, [])
    compared = {each["what"]: each["equal"] for each in proof["compared"]}
    assert compared["run"] == 24
    assert compared["metric history"] == 49
    assert compared["model version"] == 24
    assert compared["trace"] == 6
    assert compared["artifact"] == 36
    assert all(table["equal"] for table in proof["tables"])

    status, document = shell("sync", *OBJECTS)
    assert (status, document["sync"]["written"]) == (0, 0)


PLANTED = {
    "a lost point": (
        "DELETE FROM metrics WHERE run_uuid = md5('run0') AND key = 'metric/1' AND step = 2",
        {("metric history", "different")},
    ),
    "a value that differs in its last digit": (
        "UPDATE metrics SET value = value + 1e-9 WHERE run_uuid = md5('run0') AND key = 'metric/1'"
        " AND step = 2",
        {("metric history", "different")},
    ),
    "a changed time": (
        "UPDATE runs SET end_time = end_time + 1 WHERE run_uuid = md5('run0')",
        {("run", "different")},
    ),
    "a creation time": (
        "UPDATE experiments SET creation_time = creation_time + 1 WHERE experiment_id = 10",
        {("experiment", "different")},
    ),
    "a missing alias": (
        "DELETE FROM registered_model_aliases WHERE name = 'model-0'",
        {("registered model", "different")},
    ),
    "an alias that points elsewhere": (
        "UPDATE registered_model_aliases SET version = 1 WHERE name = 'model-0'",
        {("registered model", "different")},
    ),
    "a version too many": (
        "INSERT INTO model_versions (name, version, creation_time, status, source, workspace, current_stage)"
        " VALUES ('model-0', 2, 1, 'READY', 'x', 'default', 'None')",
        {("model version", "extra")},
    ),
    "a prompt's text": (
        "UPDATE model_version_tags SET value = 'another' WHERE key = 'mlflow.prompt.text' AND version = 2"
        " AND name = 'prompt-1'",
        {("model version", "different")},
    ),
    "a run that is not deleted": (
        "UPDATE runs SET lifecycle_stage = 'active' WHERE run_uuid = md5('run7')",
        {("run", "different")},
    ),
    "a parent": (
        "UPDATE tags SET value = 'x' WHERE key = 'mlflow.parentRunId' AND run_uuid = md5('run4')",
        {("run", "different")},
    ),
    "an artifact's place": (
        "UPDATE runs SET artifact_uri = replace(artifact_uri, 'mlflow-target', 'mlflow-source')"
        " WHERE run_uuid = md5('run23')",
        {("run", "different")},
    ),
    "a dataset's digest": (
        "UPDATE datasets SET digest = 'x' WHERE dataset_uuid = md5('dataset1')",
        {("run", "different")},
    ),
    "a span": (
        'UPDATE spans SET content = replace(content, \'"name" : "step 1"\', \'"name" : "step x"\')'
        " WHERE trace_id = 'tr-' || md5('trace1')",
        {("trace", "different")},
    ),
    "an assessment": (
        "DELETE FROM assessments WHERE trace_id = 'tr-' || md5('trace2')",
        {("trace", "different")},
    ),
    "a logged model's parameter": (
        "UPDATE logged_model_params SET param_value = '8' WHERE model_id = 'm-' || md5('model1')",
        {("logged model", "different")},
    ),
    "a record of an evaluation dataset": (
        "DELETE FROM evaluation_dataset_records WHERE input_hash = md5('hash3')",
        {("evaluation dataset", "different")},
    ),
    "a webhook's address": ("UPDATE webhooks SET url = 'https://x'", {("webhook", "different")}),
}


@contextmanager
def planted(servers: Stack, statement: str) -> Iterator[None]:
    """Change a table of the target for the length of the block; afterwards it is as before."""
    target = connection(servers, "mlflow_target_db")
    table = statement.replace("DELETE FROM", "UPDATE").replace("INSERT INTO", "UPDATE").split()[1]
    names = run_sql(
        target,
        "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND attgenerated = '' ORDER BY attnum",
        f"public.{table}",
    )
    columns = ", ".join(row[0] for row in names)
    run_sql(target, f"CREATE TABLE kept AS SELECT {columns} FROM {table}")
    try:
        run_sql(target, statement)
        yield
    finally:
        # Without its references the table can be emptied and filled again.
        run_sql(
            target,
            f"SET session_replication_role = replica; DELETE FROM {table};"
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM kept; DROP TABLE kept",
        )


@pytest.mark.long
@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_difference_is_found_through_the_interface(moved: Stack, shell: Shell, what: str) -> None:
    statement, expected = PLANTED[what]
    with planted(moved, statement):
        status, document = shell("verify", "--no-artifacts")
    proof = document["verification"]
    assert (status, proof["passed"]) == (1, False)
    assert {(each["what"], each["kind"]) for each in proof["differences"]} == expected, proof["differences"]
    assert [table["table"] for table in proof["tables"] if not table["equal"]]


@pytest.mark.long
def test_a_broken_and_a_lost_artifact_are_found(moved: Stack, shell: Shell) -> None:
    client = s3_client(connection(moved, "aws_target"))
    found = client.list_objects_v2(Bucket="mlflow-target", Prefix="artifacts/10/")["Contents"]
    keys = [each["Key"] for each in found if each["Key"].endswith("weights.bin")]
    bodies = {key: client.get_object(Bucket="mlflow-target", Key=key)["Body"].read() for key in keys[:2]}
    client.put_object(Bucket="mlflow-target", Key=keys[0], Body=bytes(len(bodies[keys[0]])))
    client.delete_object(Bucket="mlflow-target", Key=keys[1])
    try:
        status, document = shell("verify")
    finally:
        for key, body in bodies.items():
            client.put_object(Bucket="mlflow-target", Key=key, Body=body)
    differences = document["verification"]["differences"]
    assert status == 1
    assert sorted((each["what"], each["kind"]) for each in differences) == [
        ("artifact", "different"),
        ("artifact", "missing"),
    ]
    assert all("weights.bin" in each["id"] for each in differences)


def test_a_server_that_is_not_there(servers: Stack, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = replace(connection(servers, "mlflow_target"), host="http://127.0.0.1:9")
    fields = {"conn_type": "mlflow", "host": gone.host, "extra": dict(gone.extra)}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_TARGET", json.dumps(fields))
    status, document = shell("verify")
    assert (status, document["error"]["code"]) == (1, "HL-3005")


def test_a_wrong_pair_of_prefixes(shell: Shell) -> None:
    status, document = shell("copy", artifacts=["s3://a"])
    assert (status, document["error"]["code"]) == (2, "HL-7105")
