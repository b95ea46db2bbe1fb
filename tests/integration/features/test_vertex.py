"""Vertex AI Feature Store as target and source, with BigQuery and a real server of Cloud Storage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from heavylift.connections import Connection
from heavylift.errors import ConflictError, ConnectionConfigError, TransientError
from heavylift.registry.features.description import Feature, History, View
from heavylift.registry.features.ports import Key, Served
from tests.integration.features.sides import storage_client
from tests.integration.features.test_sagemaker import fill
from tests.support.feature_group_server import FeatureGroupServer
from tests.support.feature_moves import FeatureMoves
from tests.support.memory_features import Pair
from tests.support.vertex_features_server import PARENT, STORE, VertexFeaturesServer


@pytest.fixture
def vertex(lakes: Callable[[str], Connection], tmp_path: Path) -> Iterator[VertexFeaturesServer]:
    lake = lakes("gs")
    folder = tmp_path / "tables"
    folder.mkdir()
    server = VertexFeaturesServer(folder, lake)
    yield server
    server.close()
    assert server.rejected == []
    assert list(storage_client(lake).list_blobs("staging")) == [], "files on their way are taken away"


def moves_to(vertex: VertexFeaturesServer, source: Connection, pairs: Any, **options: Any) -> FeatureMoves:
    return FeatureMoves(source, vertex.connection, pairs, options, target_history=vertex.lake)


def test_to_vertex_and_back(pair: Pair, vertex: VertexFeaturesServer) -> None:
    folder = pair.folder
    pair.source.change("drivers", ttl_seconds="")
    moves = moves_to(vertex, pair.moves.source, ((f"file://{folder}/a", "bq://p/features"),))
    assert {each.item for each in moves.look(accept_losses=False).losses} == {"entities"}
    with pytest.raises(ConflictError, match="losses-not-accepted"):
        moves.copy(accept_losses=False)
    assert vertex.writes == []
    vertex.loses = 2
    record = moves.copy()
    assert record.passed, record.failures
    group = vertex.things[f"{PARENT}/featureGroups/drivers"]
    assert group["bigQuery"] == {
        "bigQuerySource": {"inputUri": "bq://p.features.drivers"},
        "entityIdColumns": ["driver_id"],
        "timeSeries": {"timestampColumn": "became"},
        "dense": True,
    }
    assert "featureRegistrySource" in vertex.things[f"{STORE}/featureViews/drivers"]
    assert vertex.things[f"{PARENT}/featureGroups/drivers/features/trips"]["labels"] == {"unit": "1"}
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert (proof.histories[0].target.rows, proof.online[0].equal) == (200, 50)
    assert proof.joins[0].filled > 0
    writes = len(vertex.writes)
    assert moves.copy().written == 0
    assert len(vertex.writes) == writes

    back = FeatureMoves(
        vertex.connection,
        pair.moves.target,
        (("bq://p/features", f"file://{folder}/b"),),
        source_history=vertex.lake,
    )
    assert back.copy().passed
    proof = back.verify()
    assert proof.passed, proof.differences
    assert proof.histories[0].target.rows == 200
    assert back.copy().written == 0

    served = vertex.served[f"{STORE}/featureViews/drivers"]
    served["7",]["rate"] = {"doubleValue": 0.5}
    del served["8",]
    found = {(each.kind, each.id) for each in moves.verify().differences}
    assert found == {("different", "drivers: 7"), ("missing", "drivers: 8")}


def test_sagemaker_to_vertex(
    sagemaker: FeatureGroupServer, vertex: VertexFeaturesServer, tmp_path: Path
) -> None:
    uri = fill(sagemaker, tmp_path)
    moves = moves_to(vertex, sagemaker.connection, ((uri, "bq://p/features"),))
    assert {each.item for each in moves.look().losses} == {
        "deletions in the history",
        "ttl_seconds",
        "online rows",
    }
    record = moves.copy()
    assert record.passed, record.failures
    assert "p.features.customers__served" in vertex.tables
    assert vertex.things[f"{PARENT}/featureGroups/customers/features/age"]["description"] == "in years"
    proof = moves.verify()
    assert proof.passed, proof.differences
    (online,) = proof.online
    assert (online.equal, online.absent, proof.histories[0].target.rows) == (54, 6, 294)
    assert moves.copy().written == 0


def many_types(folder: Path, name: str) -> tuple[View, dict[Key, Served]]:
    """Make a history with lists, moments and flags, of which some are null, and two keys."""
    rows = (
        "SELECT i::BIGINT AS a, 'k' || (i % 3) AS b,"
        f" make_timestamp((1000000::BIGINT * ({int(time.time())} - 60 * i))::BIGINT) AS t,"
        " CASE WHEN i % 4 <> 0 THEN [i / 7.0, 2.5] END AS parts, (i / 3)::FLOAT AS score, i % 2 = 0 AS flag,"
        " CASE WHEN i % 5 <> 0 THEN TIMESTAMP '2026-01-01' + to_seconds(i) END AS seen FROM range(30) r(i)"
    )
    path = folder / "a/many/x.parquet"
    path.parent.mkdir()
    with duckdb.connect() as db:
        db.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
        found = db.execute(f"SELECT a, b, parts, score, flag, epoch(seen), epoch(t) FROM '{path}'").fetchall()
    view = View(
        name=name,
        keys=("a", "b"),
        key_types={"a": "int64", "b": "string"},
        event_time="t",
        features={
            "parts": Feature("list<float64>"),
            "score": Feature("float32"),
            "flag": Feature("bool"),
            "seen": Feature("timestamp"),
        },
        online="yes",
        offline=f"file://{folder}/a/many",
        offline_format="parquet",
    )
    return view, {
        (row[0], row[1]): Served(dict(zip(view.features, row[2:6], strict=True)), row[6]) for row in found
    }


def test_types_keys_and_lists(pair: Pair, vertex: VertexFeaturesServer) -> None:
    view, served = many_types(pair.folder, "many")
    pair.source.views = {"many": (view, History(), {})}
    pair.source.served = {"many": served}
    moves = moves_to(vertex, pair.moves.source, ((f"file://{pair.folder}/a", "bq://p/f"),))
    lost = {(each.item, each.reason) for each in moves.look().losses}
    assert lost == {
        ("lists that are null", "they become empty there"),
        ("type float32", "becomes float64"),
        ("type timestamp", "becomes string"),
    }
    assert moves.copy().passed
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert (proof.online[0].equal, proof.histories[0].equal) == (30, 30)


def test_what_is_not_moved_is_told(pair: Pair, vertex: VertexFeaturesServer) -> None:
    fields = [
        {"name": "k", "type": "INTEGER"},
        {"name": "feature_timestamp", "type": "TIMESTAMP"},
        {"name": "x", "type": "FLOAT"},
        {"name": "cost", "type": "NUMERIC"},
    ]
    rows = "SELECT 1::BIGINT AS k, now() AS feature_timestamp, 1.5::DOUBLE AS x, 1::DOUBLE AS cost"
    vertex.fill("p.d.t", fields, rows)
    vertex.fill("p.d.v", fields, rows, type="VIEW")
    vertex.fill("p.d.s", fields, rows, streamingBuffer={"estimatedRows": "12"})
    table = {"bigQuerySource": {"inputUri": "bq://p.d.t"}}
    groups = {
        "of_a_view": ({"bigQuerySource": {"inputUri": "bq://p.d.v"}}, ("x",), "x"),
        "static": ({**table, "staticDataSource": True}, ("x",), "x"),
        "gone": ({"bigQuerySource": {"inputUri": "bq://p.d.none"}}, ("x",), "x"),
        "renamed": (table, ("y",), "x"),
        "by_nothing": ({**table, "entityIdColumns": ["q"]}, ("x",), "x"),
        "money": (
            {"bigQuerySource": {"inputUri": "bq://p.d.t"}, "entityIdColumns": ["k"]},
            ("cost",),
            "cost",
        ),
        "flowing": ({"bigQuerySource": {"inputUri": "bq://p.d.s"}, "entityIdColumns": ["k"]}, ("x",), "x"),
    }
    for name, (source, features, column) in groups.items():
        path = f"{PARENT}/featureGroups/{name}"
        vertex.things[path] = {"name": path, "bigQuery": source}
        for each in features:
            feature = {"name": f"{path}/features/{each}", "versionColumnName": column}
            vertex.things[f"{path}/features/{each}"] = feature
    both = [{"featureGroupId": name, "featureIds": ["x"]} for name in ("static", "flowing")]
    view = f"{STORE}/featureViews/both"
    vertex.things[view] = {"name": view, "featureRegistrySource": {"featureGroups": both}}
    pairs = (("bq://p/d", f"file://{pair.folder}/b"),)
    moves = FeatureMoves(vertex.connection, pair.moves.target, pairs, {}, source_history=vertex.lake)
    looked = moves.look()
    assert {each.what: each.reason for each in looked.losses} == {
        "feature group of_a_view": "its source is of type VIEW",
        "feature group static": "its rows have no event time",
        "feature group gone": "its table is not there",
        "feature group renamed": "its features rename columns",
        "feature group by_nothing": "its table has no q",
        "feature view both": "it does not serve one feature group",
    }
    (finding,) = looked.findings
    assert (finding.rule, finding.subject) == ("cannot-hold", "money")
    for each in ("money", "money/features/cost"):
        del vertex.things[f"{PARENT}/featureGroups/{each}"]
    with pytest.raises(TransientError, match="HL-9462"):
        moves.copy()


def test_a_sparse_group_serves_the_newest_of_each_value(pair: Pair, vertex: VertexFeaturesServer) -> None:
    fields = [
        {"name": "k", "type": "INTEGER"},
        {"name": "feature_timestamp", "type": "TIMESTAMP"},
        {"name": "x", "type": "FLOAT"},
        {"name": "y", "type": "STRING"},
    ]
    vertex.fill(
        "p.d.sparse",
        fields,
        "SELECT i::BIGINT AS k, now() - to_hours(j) AS feature_timestamp,"
        " CASE WHEN j <> 0 THEN i / 3.0 + j END::DOUBLE AS x, CASE WHEN j <> 1 THEN 'v' || j END AS y"
        " FROM range(20) a(i), range(3) b(j)",
    )
    path, view = f"{PARENT}/featureGroups/sparse", f"{STORE}/featureViews/sparse"
    source = {"bigQuerySource": {"inputUri": "bq://p.d.sparse"}, "entityIdColumns": ["k"]}
    source["timeSeries"] = {"timestampColumn": "feature_timestamp"}
    vertex.things[path] = {"name": path, "bigQuery": source}
    for each in ("x", "y"):
        vertex.things[f"{path}/features/{each}"] = {"name": f"{path}/features/{each}"}
    served = [{"featureGroupId": "sparse", "featureIds": ["x", "y"]}]
    vertex.things[view] = {"name": view, "featureRegistrySource": {"featureGroups": served}}
    vertex.take(view)
    pairs = (("bq://p/d", f"file://{pair.folder}/b"),)
    moves = FeatureMoves(vertex.connection, pair.moves.target, pairs, {}, source_history=vertex.lake)
    assert moves.copy().passed
    proof = moves.verify()
    assert proof.passed, proof.differences
    held = pair.target.served["sparse"][3,].values
    assert held == {"x": 2.0, "y": "v0"}, "the newest of each, from two rows"


def test_what_others_have_is_not_touched(pair: Pair, vertex: VertexFeaturesServer) -> None:
    moves = moves_to(vertex, pair.moves.source, ((f"file://{pair.folder}/a", "bq://p/features"),))
    vertex.fill("p.features.drivers", [{"name": "a", "type": "STRING"}], "SELECT 'theirs' AS a")
    record = moves.copy()
    assert [each.code for each in record.failures] == ["HL-7713"]
    assert vertex.tables["p.features.drivers"]["numRows"] == "1"
    assert vertex.writes == []
    vertex.things[f"{PARENT}/featureGroups/drivers"] = {
        "name": f"{PARENT}/featureGroups/drivers",
        "bigQuery": {"bigQuerySource": {"inputUri": "bq://p.features.drivers"}},
    }
    record = moves.copy()
    assert [each.code for each in record.failures] == ["HL-7713"]


def test_a_connection_that_lacks_a_place_is_told(pair: Pair, vertex: VertexFeaturesServer) -> None:
    moves = moves_to(vertex, pair.moves.source, ((f"file://{pair.folder}/a", "bq://p/features"),))
    del moves.target.extra["online_store"]
    assert ("online", "connection 'vertex' names no online_store") in {
        (each.item, each.reason) for each in moves.look().losses
    }
    del moves.target.extra["staging"]
    with pytest.raises(ConflictError, match=r"read-only: .*staging"):
        moves.copy()
    moves.target = replace(moves.target, extra={"anonymous": True})
    with pytest.raises(ConnectionConfigError, match="HL-9465"):
        moves.look()
