"""Vertex AI Feature Store as target and source, with BigQuery and a real server of Cloud Storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import ConflictError
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
