"""Vertex AI and Azure ML as source and target, each request checked by the vendor's published schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import ConflictError, ConnectionConfigError
from heavylift.registry.catalogues.azure_ml import AzureMlCatalogue
from heavylift.registry.catalogues.vertex import VertexCatalogue
from tests.support.azure_ml_server import AzureMlServer
from tests.support.catalogue_moves import CatalogueMoves
from tests.support.vertex_server import PARENT, VertexServer

TO_VERTEX = (("az://models", "gs://vertex/models"),)
TO_AZURE = (("gs://vertex/models", "az://models"), ("gs://vertex/schemas", "gs://vertex/schemas"))


@pytest.fixture
def vertex() -> Iterator[VertexServer]:
    server = VertexServer()
    yield server
    server.close()
    assert server.rejected == []


@pytest.fixture(params=["workspaces", "registries"])
def azure(request: pytest.FixtureRequest) -> Iterator[AzureMlServer]:
    server = AzureMlServer(request.param)
    yield server
    server.close()
    assert server.rejected == []


def datastore(azure: AzureMlServer) -> str:
    return f"azureml://subscriptions/s/resourceGroups/g/{azure.place}/w/datastores/workspaceblobstore/paths"


def fill_azure(azure: AzureMlServer) -> None:
    """Put three versions of one model with gaps, and a model with none."""
    versions: dict[str, Any] = {}
    for number in ("1", "3", "4"):
        properties = {
            "description": f"version {number}",
            "tags": {"Team": "risk", "fold": number},
            "modelType": "mlflow_model",
            "modelUri": f"{datastore(azure)}/fraud/{number}",
            "stage": "Production",
            "jobName": "train-7",
            "isArchived": number == "1",
        }
        versions[number] = {"name": number, "properties": properties, "systemData": {"createdBy": "ann"}}
    container = {"name": "Fraud_Model", "properties": {"description": "Finds fraud", "tags": {"a": "b"}}}
    azure.models["Fraud_Model"] = {"container": container, "versions": versions}
    azure.models["empty"] = {"container": {"name": "empty", "properties": {}}, "versions": {}}


def fill_vertex(vertex: VertexServer) -> None:
    """Put a model of three versions with everything that one can have."""
    resource = f"{PARENT}/models/12345"
    vertex.models[resource] = [
        {
            "name": resource,
            "versionId": str(number),
            "versionAliases": ["default"] if number == 1 else ["champion"] if number == 3 else [],
            "displayName": "Fraud détection",
            "description": "Finds fraud",
            "versionDescription": f"version {number}",
            "artifactUri": f"gs://vertex/models/fraud/{number}/",
            "containerSpec": {
                "imageUri": "europe-docker.pkg.dev/p/serving/fraud:1",
                "args": ["--workers", "2"],
                "env": [{"name": "A", "value": "b"}],
                "ports": [{"containerPort": 8080}],
                "predictRoute": "/predict",
                "healthRoute": "/health",
            },
            "predictSchemata": {"instanceSchemaUri": "gs://vertex/schemas/in.yaml"},
            "labels": {"team": "risk"},
            "createTime": "2026-11-01T00:00:00Z",
            "versionCreateTime": f"2026-11-0{number}T00:00:00Z",
            "explanationSpec": {"parameters": {}},
        }
        for number in (1, 2, 3)
    ]


def moves(source: Any, target: Any, pairs: tuple[tuple[str, str], ...], name: str = "m") -> CatalogueMoves:
    return CatalogueMoves(
        source.connection, target.connection, pairs, name=name, options={"artifacts": False}
    )


def test_vertex_to_azure_and_back(vertex: VertexServer, azure: AzureMlServer) -> None:
    fill_vertex(vertex)
    there = moves(vertex, azure, TO_AZURE)
    looked = there.look()
    assert {(each.what, each.count) for each in looked.losses} == {("model version: explanationSpec", 3)}
    assert there.copy().passed
    proof = there.verify()
    assert proof.passed, proof.differences
    (name,) = azure.models
    assert name.startswith("Fraud-d-tection-")
    third = azure.models[name]["versions"]["3"]["properties"]
    assert third["modelUri"] == f"{datastore(azure)}/fraud/3"
    assert third["tags"]["heavylift.kept.containers/0/predict_route"] == "/predict"
    assert third["tags"]["heavylift.kept.made/created_at"] == "2026-11-03T00:00:00Z"
    written = len(azure.writes)
    assert (there.sync().written, len(azure.writes)) == (0, written)

    other = VertexServer(polls=2)
    back = moves(azure, other, (("az://models", "gs://vertex/models"), TO_AZURE[1]), "back")
    assert back.copy().passed
    assert back.verify().passed
    assert other.rejected == []
    (versions,) = other.models.values()
    for ours, theirs in zip(vertex.models[f"{PARENT}/models/12345"], versions, strict=True):
        for field in ("versionDescription", "containerSpec", "predictSchemata", "description"):
            assert theirs[field] == ours[field]
        assert theirs["artifactUri"] == ours["artifactUri"].rstrip("/")
        assert theirs["labels"]["team"] == "risk"
    assert [each["versionAliases"] for each in versions] == [["default"], [], ["champion"]]
    assert back.sync().written == 0
    other.close()


def test_azure_to_vertex_with_a_lost_answer(vertex: VertexServer, azure: AzureMlServer) -> None:
    fill_azure(azure)
    vertex.polls, vertex.loses = 1, 2
    there = moves(azure, vertex, TO_VERTEX)
    looked = there.look()
    lost = {(each.what, each.item): each.count for each in looked.losses}
    assert lost["registered model", "itself"] == 1
    assert lost["model version", "number"] == 2
    assert lost["model version", "metadata/Team"] == 3
    assert there.copy().passed
    (versions,) = vertex.models.values()
    assert [each["labels"]["heavylift-source-version"] for each in versions] == ["1", "3", "4"]
    assert {each["containerSpec"]["imageUri"] for each in versions} == {
        "europe-docker.pkg.dev/p/serving/adapter:1"
    }
    proof = there.verify()
    assert proof.passed, proof.differences
    assert "1 have no place on the target" in proof.statement
    assert {each.what: each.source for each in proof.compared} == {"registered model": 1, "model version": 3}
    written = len(vertex.writes)
    assert (there.sync().written, len(vertex.writes)) == (0, written)


def test_what_changes_follows(vertex: VertexServer, azure: AzureMlServer) -> None:
    fill_vertex(vertex)
    there = moves(vertex, azure, TO_AZURE)
    there.copy()
    source = vertex.models[f"{PARENT}/models/12345"]
    source[2]["versionAliases"], source[1]["versionAliases"] = [], ["champion"]
    source[0]["versionDescription"] = "other"
    source[0]["labels"] = {"team": "fraud"}
    record = there.sync()
    assert (record.updated, record.passed) == (2, True)
    assert there.verify().passed
    source[0]["artifactUri"] = "gs://vertex/models/elsewhere"
    record = there.sync()
    assert not record.passed
    assert "containers/0/artifact changed" in record.failures[0].reason
    (name,) = azure.models
    azure.models[name]["versions"]["2"]["properties"]["tags"]["team"] = "someone"
    with pytest.raises(ConflictError, match="changed-by-others"):
        there.sync()


def test_without_an_image_for_vertex_nothing_moves(azure: AzureMlServer, vertex: VertexServer) -> None:
    fill_azure(azure)
    extra = {key: value for key, value in vertex.connection.extra.items() if key != "serving_image"}
    target = Connection("vertex", "google_cloud_platform", extra=extra)
    there = CatalogueMoves(azure.connection, target, TO_VERTEX, options={"artifacts": False})
    with pytest.raises(ConflictError, match=r"image-needed: 3 versions"):
        there.copy()
    unmapped = CatalogueMoves(azure.connection, vertex.connection, options={"artifacts": False})
    with pytest.raises(ConflictError, match=r"artifacts-unmapped: 3 artifacts"):
        unmapped.copy()
    assert vertex.writes == []


def test_a_connection_that_lacks_something_is_told() -> None:
    with pytest.raises(ConnectionConfigError, match="HL-7195"):
        VertexCatalogue(Connection("v", "google_cloud_platform", extra={"project": "p"}), 1)
    with pytest.raises(ConnectionConfigError, match="HL-7198"):
        AzureMlCatalogue(Connection("a", "azure", extra={"subscription_id": "s"}), 1)
    extra = {"project": "p", "location": "l", "endpoint_url": "http://vertex.example"}
    with pytest.raises(ConnectionConfigError, match="HL-7190"):
        VertexCatalogue(Connection("v", "google_cloud_platform", extra=extra), 1)
