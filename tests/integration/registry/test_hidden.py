"""What a store held that came out wrong without a word, or was called wrong although it was right."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from heavylift.aio import run
from heavylift.cli.registry_text import moved
from heavylift.errors import ConflictError, ConnectionConfigError
from heavylift.evidence.registry_records import RegistryDifference
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.rest import client
from heavylift.registry.settling import Judgement
from heavylift.registry.store.preflight import look
from heavylift.registry.verifying import compare_servers
from heavylift.registry.work import Work
from heavylift.spec.sections_data import RegistryPath
from tests.support import history, tracking_server
from tests.support.interface_moves import Moves
from tests.support.stores import MAP, TwoStores
from tests.support.tracking_server import Server

LONG = bytes(range(256)) * 20_000
"""More than is kept in memory on its way."""


def differences(moves: Moves) -> list[RegistryDifference]:
    """Compare both servers as they are, as after a copy by the databases."""
    request = moves.request()
    request = replace(request, options=replace(request.options, path=RegistryPath.STORE))
    return run(compare_servers(request, Work(), Judgement())).differences


def put_whole(source: Server, target: Server) -> None:
    """Make the target's database what the source's is."""
    with (
        closing(sqlite3.connect(source.database)) as ours,
        closing(sqlite3.connect(target.database)) as there,
    ):
        ours.backup(there)


def test_a_file_that_was_written_over_in_its_own_size_follows(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    run = history.run(source, experiment, 1, status=None)
    model = history.logged_model(source, experiment, run)
    files = (f"{run}/artifacts/model/MLmodel", f"models/{model}/artifacts/MLmodel")
    moves = Moves(source.connection, target.connection)
    moves.copy()
    for file, data in zip(files, (b"flavors: []\n", b"MODEL\n"), strict=True):
        history.put(source, f"{experiment}/{file}", data)
    record = moves.sync()
    assert record.written == 1  # a model that is ready is looked at by a copy, and that is told
    (told,) = record.findings
    assert (told.rule, "files of 1 runs and logged models" in told.detail) == ("files-not-looked-at", True)
    assert told.remedy in moved(record)
    assert [each.id for each in moves.verify().differences] == [f"logged model {model}: MLmodel"]
    record = moves.copy()[0]
    assert (record.written, record.findings) == (1, ())
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert moves.copy()[0].written == 0


def test_places_that_another_host_serves_are_demanded_and_others_told(stores: TwoStores) -> None:
    host = "mlflow-artifacts://old.example.com:5000"
    stores.on_source(f"UPDATE experiments SET artifact_location = '{host}/10' WHERE experiment_id = 10")
    stores.on_source("UPDATE model_versions SET source = 's3://theirs/m/1' WHERE name = 'model-0'")
    with pytest.raises(ConflictError, match=f"artifacts-unmapped: artifacts lie under {host},"):
        stores.copy()
    uris = type(MAP)((*MAP.pairs, (host, "mlflow-artifacts:")))
    found = {each.rule: each for each in look(stores.request(uris)).record.findings}
    told = found["artifacts-elsewhere"]
    assert (told.severity, "name s3://theirs/m, and" in told.detail) == ("warning", True)
    stores.copy(uris=uris)
    query = "SELECT artifact_location FROM experiments WHERE experiment_id = 10"
    assert stores.on_target(query) == [("mlflow-artifacts:/10",)]


def test_a_database_that_is_not_there_is_no_server_to_wait_for(stores: TwoStores) -> None:
    wrong = replace(stores, target=replace(stores.target, schema="none of that name"))
    with pytest.raises(ConnectionConfigError, match=r"field schema of the connection.*HL-9560"):
        look(wrong.request())


def test_records_without_outputs_have_none_on_the_target(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    create, v3 = {"name": "golden", "experiment_ids": []}, history.V3
    made = source.ask("POST", f"{v3}/datasets/create", create)["dataset"]["dataset_id"]
    rest = {"expectations": {}, "tags": {}}
    given = ({"outputs": None}, {"outputs": {}}, {}, {"outputs": None, **rest}, {"outputs": 0, **rest})
    records = json.dumps([{"inputs": {"n": n}, **each} for n, each in enumerate(given)])
    source.ask("POST", f"{v3}/datasets/{made}/records", {"records": records})
    moves = Moves(source.connection, target.connection)
    moves.copy()
    query = "SELECT inputs, outputs, expectations, tags FROM evaluation_dataset_records ORDER BY 1"
    assert target.sql(query) == source.sql(query)
    assert moves.verify().passed
    assert moves.copy()[0].written == 0


def test_attachments_of_traces_arrive_and_are_compared(
    trackers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server fails on a file that is gone; it is asked but once.
    monkeypatch.setattr(client.TrackingServer.__init__, "__defaults__", (1,))
    source, target = trackers
    experiment = history.experiment(source, "one")
    raw, kept, gone = bytes([3]) * 16, str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
    trace = f"tr-{raw.hex()}"
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {"trace_id": trace, "trace_location": place, "request_time": "2025-10-09T08:53:20Z", "state": "OK"}
    source.ask("POST", f"{history.V3}/traces", {"trace": {"trace_info": info}})
    of = {kept: trace, gone: trace, str(uuid.UUID(int=3)): "tr-another"}
    named = [f"mlflow-attachment://{each}?content_type=a%2Fb&trace_id={own}" for each, own in of.items()]
    span = {
        "trace_id": base64.b64encode(raw).decode(),
        "span_id": base64.b64encode(bytes([1]) * 8).decode(),
        "name": "seen",
        "start_time_unix_nano": 1_760_000_000_123_000_000,
        "end_time_unix_nano": 1_760_000_000_124_000_000,
        "attributes": [{"key": "mlflow.spanInputs", "value": {"string_value": json.dumps(named)}}],
    }
    body = {"resource_spans": [{"scope_spans": [{"spans": [span]}]}]}
    source.ask("POST", "v1/traces", body, X_MLflow_Experiment_Id=experiment)
    history.put(source, f"{experiment}/traces/{trace}/artifacts/attachments/{kept}", LONG)
    moves = Moves(source.connection, target.connection)
    record, _ = moves.copy()
    lost = [(each.item, each.count, each.examples) for each in record.losses if each.count]
    assert lost == [("an attachment", 1, (trace,))]
    assert moves.verify().passed
    assert moves.sync().written == 0
    (file,) = target.artifacts.rglob(kept)
    assert file.read_bytes() == LONG
    file.write_bytes(b"no image")
    (found,) = moves.verify().differences
    assert (found.id, found.fields) == (trace, (f"attachment {kept}",))
    moves.copy()
    assert moves.verify().passed


def test_databases_of_two_encodings_are_told_before_anything_is_written(stores: TwoStores) -> None:
    latin = replace(stores.target, schema=f"{stores.target.schema}_latin")
    make = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    name = sql.Identifier(latin.schema or "")
    with connect(stores.target, "test") as session:
        session.execute(sql.SQL(make).format(name))
        try:
            record = look(replace(stores, target=latin).request(make_tables=True)).record
        finally:
            session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    assert [each.rule for each in record.findings if each.severity == "blocker"] == ["encoding-differs"]


@pytest.mark.long
def test_a_workspace_is_told_where_it_stays_behind_and_compared_where_it_came_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tracking_server.MLFLOW_ENV, "MLFLOW_ENABLE_WORKSPACES", "true")
    with tracking_server.servers(tmp_path, "source", "target") as (source, target):
        source.ask("POST", "api/3.0/mlflow/workspaces", {"name": "team"})
        history.experiment(source, "everybody's")
        create = f"{history.V2}/experiments/create"
        theirs = source.ask("POST", create, {"name": "theirs"}, X_MLFLOW_WORKSPACE="team")["experiment_id"]
        moves = Moves(source.connection, target.connection)
        record, _ = moves.copy()
        lost = [(each.what, each.count, each.examples) for each in record.losses if each.count]
        assert (lost, record.passed) == ([("workspace", 1, ("team",))], False)
        assert moves.verify().unread == ("workspace team of source",)
        put_whole(source, target)
        assert differences(moves) == []
        target.sql("UPDATE experiments SET creation_time = 1 WHERE name = 'theirs'")
        (found,) = differences(moves)
        assert (found.what, found.id, found.fields) == (
            "experiment", f"team: {theirs}", ("creation_time",)
        )  # fmt: skip
        target.sql("UPDATE workspaces SET name = 'tea' WHERE name = 'team'")
        assert {(each.what, each.id, each.kind) for each in differences(moves)} == {
            ("workspace", "team", "missing"),
            ("workspace", "tea", "extra"),
        }


HANGING = {
    "UPDATE mcp_server_versions SET source = 'x'": ("MCP server", "mcp_server_versions"),
    "UPDATE review_queue_items SET completed_by = 'x'": ("review queue", "items"),
    "DELETE FROM endpoint_bindings": ("gateway binding", "missing"),
    "UPDATE online_scoring_configs SET sample_rate = 0.25": ("scorer", "configs"),
}


def test_what_hangs_on_servers_queues_endpoints_and_scorers_is_compared(
    trackers: tuple[Server, Server],
) -> None:
    source, target = trackers
    experiment = history.experiment(source, "one")
    history.trace(source, experiment, history.run(source, experiment, 1), 1)
    history.evaluation(source, experiment)
    v3 = history.V3
    source.ask("POST", f"{v3}/mcp-servers", {"name": "com.example/srv"})
    server = {"name": "com.example/srv", "version": "1.0.0", "description": "d"}
    source.ask("POST", f"{v3}/mcp-servers/com.example/srv/versions", {"server_json": server, "source": "s"})
    queue = {"experiment_id": experiment, "name": "q", "users": ["a"], "queue_type": "CUSTOM"}
    made = source.ask("POST", f"{v3}/review-queues/create", queue)["review_queue"]["queue_id"]
    items = {"queue_id": made, "item_ids": [f"tr-{(bytes([1]) * 16).hex()}"], "item_type": "TRACE"}
    source.ask("POST", f"{v3}/review-queues/items/add", items)
    source.sql(
        "INSERT INTO endpoints (endpoint_id, name, created_at, last_updated_at, usage_tracking, workspace)"
        " VALUES ('e', 'e', 1, 1, 0, 'default')"
    )
    source.sql(
        "INSERT INTO endpoint_bindings (endpoint_id, resource_type, resource_id, created_at, last_updated_at)"
        " VALUES ('e', 'scorer', 's', 1, 1)"
    )
    source.sql(
        "INSERT INTO online_scoring_configs (online_scoring_config_id, scorer_id, sample_rate, experiment_id)"
        " SELECT 'o', scorer_id, 0.5, experiment_id FROM scorers"
    )
    put_whole(source, target)
    shutil.copytree(source.artifacts, target.artifacts)
    moves = Moves(source.connection, target.connection)
    assert differences(moves) == []
    for statement in HANGING:
        target.sql(statement)
    found = differences(moves)
    named = {(each.what, field) for each in found for field in each.fields or (each.kind,)}
    assert named == set(HANGING.values())
    assert {each.id for each in found} >= {"com.example/srv", made, "e/scorer/s"}
