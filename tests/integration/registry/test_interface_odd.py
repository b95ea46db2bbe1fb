"""What once ended a whole move: a scorer's gap, spans in a file, a source that no server takes today."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.history import V2, V3
from tests.support.interface_moves import Moves
from tests.support.tracking_server import Server, servers

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


def test_none_of_it_holds_the_rest_up(tmp_path: Path) -> None:
    with servers(tmp_path, "source", "target") as (source, target):
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
