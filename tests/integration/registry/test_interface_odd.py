"""What once ended a whole move: a scorer's gap, spans in a file, a source that no server takes today."""

from __future__ import annotations

import json

import pytest

from heavylift.errors import ServerUnavailableError
from heavylift.registry.rest import client
from tests.support import history
from tests.support.history import V2, V3
from tests.support.interface_moves import Moves
from tests.support.tracking_server import Server

TRACE = f"tr-{(bytes([7]) * 16).hex()}"
SPANS = b'{"spans": []}'


def fill(server: Server) -> None:
    """Make a scorer, a registered model and a trace, each odd in its way."""
    experiment = str(server.ask("POST", f"{V2}/experiments/create", {"name": "odd"})["experiment_id"])
    for version in range(1, 4):
        data = {"name": "r", "builtin_scorer_class": "RelevanceToQuery"}
        scorer = json.dumps({**data, "builtin_scorer_pydantic_data": {"v": version}})
        body = {"experiment_id": experiment, "name": "r", "serialized_scorer": scorer}
        server.ask("POST", f"{V3}/scorers/register", body)
        source = {"name": "m", "source": f"s3://ex/{version}"}
        if version == 1:
            server.ask("POST", f"{V2}/registered-models/create", {"name": "m"})
        server.ask("POST", f"{V2}/model-versions/create", source)
    gone = {"experiment_id": experiment, "name": "r", "version": 2}
    server.ask("DELETE", f"{V3}/scorers/delete", gone)
    alias = {"name": "m", "alias": "champion", "version": "3"}
    server.ask("POST", f"{V2}/registered-models/alias", alias)
    server.sql("UPDATE model_versions SET source = 'https://ex/2' WHERE version = 2")
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {"trace_id": TRACE, "trace_location": place, "request_time": "2025-10-09T08:53:20Z", "state": "OK"}
    server.ask("POST", f"{V3}/traces", {"trace": {"trace_info": info}})
    path = f"{experiment}/traces/{TRACE}/artifacts/traces.json"
    server.ask("PUT", f"api/2.0/mlflow-artifacts/artifacts/{path}", SPANS)


def test_none_of_it_holds_the_rest_up(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    fill(source)
    moves = Moves(source.connection, target.connection)
    record, _ = moves.copy()
    assert record.failures == ()
    lost = [(each.item, each.examples) for each in record.losses if each.count]
    assert lost == [("its source", ("m/2",))]
    proof = moves.verify()
    assert (proof.passed, proof.unread) == (True, ()), proof.differences
    assert target.sql("SELECT scorer_version FROM scorer_versions ORDER BY 1") == [(1,), (3,)]
    assert target.sql("SELECT version FROM registered_model_aliases") == [(3,)]
    (file,) = target.artifacts.rglob("traces.json")
    assert file.read_bytes() == SPANS
    before = target.dump()
    assert moves.copy(accept_losses=True)[0].written == 0
    assert target.dump() == before
    target.sql("UPDATE scorer_versions SET serialized_scorer = '{}' WHERE scorer_version = 1")
    file.write_bytes(b"{}")
    found = {(each.what, each.id, each.fields) for each in moves.verify().differences}
    assert found == {
        ("trace", TRACE, ("spans (their file)",)),
        ("scorer", "1/r/1", ("serialized_scorer",)),
    }


LONG = ("INSERT INTO tags (key, value, run_uuid) VALUES (printf('%.*c', 300, 'k'), 'secret words', ?)",
        "INSERT INTO params (key, value, run_uuid) VALUES ('long', printf('%.*c', 9000, 'v'), ?)",
        "INSERT INTO params (key, value, run_uuid) VALUES ('short', '1', ?)")  # fmt: skip


def test_what_a_server_does_not_take_or_cannot_tell_is_named_and_the_rest_arrives(
    trackers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Servers that stay broken are asked but once each.
    monkeypatch.setattr(client.TrackingServer.__init__, "__defaults__", (1,))
    source, target = trackers
    experiment = history.experiment(source, "one")
    run = history.run(source, experiment, 0)
    other = history.experiment(source, "two")
    for number, place in ((1, experiment), (2, other)):
        history.trace(source, place, run, number)
    for statement in LONG:
        source.sql(statement, run)
    source.sql("UPDATE datasets SET dataset_source = printf('%.*c', 70000, 's')")
    late = "UPDATE trace_info SET timestamp_ms = ? WHERE request_id LIKE 'tr-01%'"
    source.sql(late, 10**17)
    moves = Moves(source.connection, target.connection)
    for _ in range(2):
        record, _ids = moves.copy()
        told = {each.what: f"{each.id} {each.reason}" for each in record.failures}
        assert sorted(told) == ["runs", "traces"]
        assert f"those of experiment {experiment} " in told["traces"]
        for each in (
            *("300 characters", "tags[0].key", "'long' (4 characters; its value 9,000): cut off"),
            "source 70,000",
        ):
            assert each in told["runs"]
        assert "secret words" not in told["runs"]
    assert target.sql("SELECT value FROM params WHERE key = 'short'") == [("1",)]
    assert target.sql("SELECT status FROM runs") == source.sql("SELECT status FROM runs")
    assert target.sql("SELECT count(*) FROM metrics") == source.sql("SELECT count(*) FROM metrics")
    assert target.sql("SELECT request_id FROM trace_info") == [(f"tr-{(bytes([2]) * 16).hex()}",)]
    assert {each.what for each in moves.verify().differences} == {"run", "trace"}
    source.sql("DELETE FROM tags WHERE length(key) > 250")
    source.sql("DELETE FROM params WHERE key = 'long'")
    source.sql("UPDATE datasets SET dataset_source = '{}'")
    target.sql("DELETE FROM params WHERE key = 'long'")
    source.sql(late, 10**12)
    assert moves.sync().failures == ()
    proof = moves.verify()
    assert proof.passed, proof.differences
    source.sql("UPDATE runs SET start_time = 'yesterday'")
    with pytest.raises(ServerUnavailableError, match=f"runs of experiment {experiment} .*HL-9558"):
        moves.sync()


def test_a_model_that_took_the_name_of_a_deleted_one_is_another(trackers: tuple[Server, Server]) -> None:
    source, target = trackers
    model = f"{V2}/registered-models"

    def make(text: str, versions: int) -> None:
        source.ask("POST", f"{model}/create", {"name": "m", "description": text})
        for number in range(versions):
            body = {"name": "m", "source": f"s3://{text}/{number}"}
            source.ask("POST", f"{V2}/model-versions/create", body)
        alias = {"name": "m", "alias": "champion", "version": str(versions)}
        source.ask("POST", f"{model}/alias", alias)

    make("former", 3)
    moves = Moves(source.connection, target.connection)
    history.experiment(source, "any")
    moves.copy()
    source.ask("DELETE", f"{model}/delete", {"name": "m"})
    make("later", 2)
    before = target.dump()
    (failure,) = moves.sync().failures
    assert (failure.id, failure.code) == ("m", "HL-9559")
    assert {name: rows for name, rows in target.dump().items() if name.startswith(("reg", "model_v"))} == {
        name: rows for name, rows in before.items() if name.startswith(("reg", "model_v"))
    }
    body = {"name": "m", "source": "s3://theirs/1"}
    made = target.ask("POST", f"{V2}/model-versions/create", body)
    (failure,) = moves.sync(deletes="propagate").failures
    assert "versions of others: 4" in failure.reason
    gone = {"name": "m", "version": made["model_version"]["version"]}
    target.ask("DELETE", f"{V2}/model-versions/delete", gone)
    assert moves.sync(deletes="propagate").failures == ()
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert moves.sync(deletes="propagate").written == 0
