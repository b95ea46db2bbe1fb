"""Registered models of a real MLflow server go on changing after they were moved to another cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.catalogue_moves import CatalogueMoves
from tests.support.history import V2
from tests.support.tracking_server import Server
from tests.support.vertex_server import VertexServer


@pytest.fixture
def vertex() -> Iterator[VertexServer]:
    server = VertexServer()
    yield server
    server.close()


def register(server: Server, name: str, versions: int) -> None:
    server.ask("POST", f"{V2}/registered-models/create", {"name": name, "description": "one"})
    for number in range(versions):
        source = {"name": name, "source": f"s3://bucket/{number}"}
        server.ask("POST", f"{V2}/model-versions/create", source)


def alias(server: Server, version: int) -> None:
    body = {"name": "fraud", "alias": "newest", "version": str(version)}
    server.ask("POST", f"{V2}/registered-models/alias", body)


def test_an_alias_that_moves_follows_to_a_registry_whose_models_bear_no_mark(
    trackers: tuple[Server, Server], vertex: VertexServer
) -> None:
    source, _ = trackers
    register(source, "fraud", 2)
    alias(source, 1)
    pairs = (("s3://bucket", "gs://bucket"),)
    moves = CatalogueMoves(source.connection, vertex.connection, pairs, options={"artifacts": False})
    moves.copy()
    alias(source, 2)
    source.ask("PATCH", f"{V2}/registered-models/update", {"name": "fraud", "description": "two"})
    assert [each.fields for each in moves.verify().differences] == [("aliases/newest", "description")]
    record = moves.sync()
    assert (record.updated, record.failures) == (1, ())
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert moves.sync().written == 0


def test_an_alias_of_a_version_that_has_gone_is_taken_from_that_one(
    trackers: tuple[Server, Server], vertex: VertexServer
) -> None:
    source, _ = trackers
    register(source, "fraud", 3)
    # From here on both sides count otherwise.
    source.ask("DELETE", f"{V2}/model-versions/delete", {"name": "fraud", "version": "1"})
    alias(source, 3)
    pairs = (("s3://bucket", "gs://bucket"),)
    moves = CatalogueMoves(source.connection, vertex.connection, pairs, options={"artifacts": False})
    moves.copy()
    source.ask("DELETE", f"{V2}/model-versions/delete", {"name": "fraud", "version": "3"})
    alias(source, 2)
    assert moves.sync().failures == ()
    proof = moves.verify()
    assert proof.passed, proof.differences
    (versions,) = vertex.models.values()
    assert ["newest" in each["versionAliases"] for each in versions] == [True, False]


def test_a_model_without_versions_is_a_loss_and_no_difference(
    trackers: tuple[Server, Server], vertex: VertexServer
) -> None:
    source, _ = trackers
    register(source, "fraud", 1)
    register(source, "empty", 0)
    pairs = (("s3://bucket", "gs://bucket"),)
    moves = CatalogueMoves(source.connection, vertex.connection, pairs, options={"artifacts": False})
    lost = [(each.item, each.examples) for each in moves.copy().losses if each.reason == "it has no versions"]
    assert lost == [("itself", ("empty",))]
    proof = moves.verify()
    assert proof.passed, proof.differences
    source.ask("POST", f"{V2}/model-versions/create", {"name": "empty", "source": "s3://bucket/1"})
    assert [(each.id, each.kind) for each in moves.verify().differences] == [
        ("empty", "missing"),
        ("empty/1", "missing"),
    ]
    assert moves.sync().inserted == 2
    assert moves.verify().passed
    source.ask("DELETE", f"{V2}/model-versions/delete", {"name": "empty", "version": "1"})
    source.ask("PATCH", f"{V2}/registered-models/update", {"name": "empty", "description": "two"})
    assert [each.fields for each in moves.verify().differences] == [("description",)]
    assert moves.sync().updated == 1
    assert moves.verify().passed
