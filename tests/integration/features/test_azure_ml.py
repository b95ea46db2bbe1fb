"""Azure ML's feature store as target and source, over a real Blob server (Azurite)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from azure.storage.blob import BlobServiceClient

from heavylift.connections import Connection
from heavylift.errors import ConflictError
from tests.integration.features.sides import blob_client
from tests.support.azure_features_server import GUID, AzureFeaturesServer
from tests.support.feature_moves import FeatureMoves
from tests.support.memory_features import Pair
from tests.support.small_redis import SmallRedis


@pytest.fixture
def blobs(lakes: Callable[[str], Connection]) -> Connection:
    """Return a Blob server."""
    return lakes("az")


@pytest.fixture
def lake(blobs: Connection) -> Iterator[BlobServiceClient]:
    """Return the Blob server's own client, with empty containers."""
    client = blob_client(blobs)
    for name in ("specs", "lake"):
        client.create_container(name)
    yield client
    for name in ("specs", "lake"):
        client.delete_container(name)


@pytest.fixture
def redis() -> Iterator[SmallRedis]:
    server = SmallRedis()
    yield server
    server.close()


@pytest.fixture
def azure(lake: BlobServiceClient, redis: SmallRedis) -> Iterator[AzureFeaturesServer]:
    server = AzureFeaturesServer(redis.extra)
    yield server
    server.close()
    assert server.rejected == []


@pytest.fixture
def moves(pair: Pair, azure: AzureFeaturesServer, blobs: Connection) -> FeatureMoves:
    """Return a move from memory to Azure ML."""
    pairs = ((f"file://{pair.folder}/a", "az://lake/features"),)
    return FeatureMoves(pair.moves.source, azure.connection, pairs, {}, target_history=blobs)


def names(lake: BlobServiceClient, container: str) -> list[str]:
    return [each.name for each in lake.get_container_client(container).list_blobs()]


def spec_of(lake: BlobServiceClient, azure: AzureFeaturesServer, version: str) -> dict[str, Any]:
    path = azure.things[f"featuresets/drivers/versions/{version}"]["properties"]["specification"]["path"]
    start = "azureml://subscriptions/s/resourceGroups/g/workspaces/w/datastores/workspaceblobstore/paths/"
    assert path.startswith(start)
    blob = lake.get_blob_client("specs", f"{path.removeprefix(start)}/FeatureSetSpec.yaml")
    found: dict[str, Any] = yaml.safe_load(blob.download_blob().readall())
    return found


def test_to_azure_ml_and_back(
    pair: Pair,
    azure: AzureFeaturesServer,
    blobs: Connection,
    lake: BlobServiceClient,
    redis: SmallRedis,
    moves: FeatureMoves,
) -> None:
    host = moves.target.extra.pop("redis_host")
    assert {each.item for each in moves.look(accept_losses=False).losses} == {"online"}
    with pytest.raises(ConflictError, match="losses-not-accepted"):
        moves.copy(accept_losses=False)
    assert (azure.writes, names(lake, "lake"), names(lake, "specs")) == ([], [], [])
    moves.target.extra["redis_host"] = host
    assert moves.look(accept_losses=False).losses == ()
    record = moves.copy()
    assert record.passed, record.failures
    assert names(lake, "lake") == ["features/drivers/x.parquet"], "the very file, as it is"
    assert spec_of(lake, azure, "1") == {
        "$schema": "http://azureml/sdk-2-0/FeatureSetSpec.json",
        "source": {
            "type": "parquet",
            "path": "abfss://lake@lake.dfs.core.windows.net/features/drivers",
            "timestamp_column": {"name": "became"},
        },
        "features": [
            {"name": "rate", "type": "double"},
            {"name": "trips", "type": "long", "description": "how many", "tags": {"unit": "1"}},
        ],
        "index_columns": [{"name": "driver_id", "type": "long"}],
        "temporal_join_lookback": {"days": 1, "hours": 0, "minutes": 0},
    }
    entity = azure.things["featurestoreEntities/driver/versions/1"]["properties"]
    assert entity["indexColumns"] == [{"columnName": "driver_id", "dataType": "Long"}]
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert (proof.histories[0].target.rows, proof.online[0].equal, proof.joins[0].rows) == (200, 50, 60)
    start = f"featurestore:{GUID}:featureset:drivers:version:1:".lower()
    held = redis.hashes[f"{start}driver_id:7"]
    assert (held[b"trips"], len(base64.b64decode(held[b"rate"])), set(held)) == (
        b"0",
        9,
        {b"rate", b"trips", b"became"},
    )
    assert redis.expiries[f"{start}driver_id:7"] == int(held[b"became"]) + 86_400
    writes = len(azure.writes)
    assert (moves.copy().written, len(azure.writes)) == (0, writes)

    pairs = (("az://lake/features", f"file://{pair.folder}/b"),)
    back = FeatureMoves(azure.connection, pair.moves.target, pairs, {}, source_history=blobs)
    assert back.look(accept_losses=False).losses == ()
    assert back.copy().passed
    proof = back.verify()
    assert proof.passed, proof.differences
    assert (proof.histories[0].target.rows, back.copy().written) == (200, 0)

    # An older row never replaces a newer one, and one that was lost is found.
    held[b"became"], held[b"trips"] = b"9999999999", b"77"
    del redis.hashes[f"{start}driver_id:8"]
    proof = moves.verify()
    assert {(each.kind, each.id, each.fields) for each in proof.differences} == {
        ("different", "drivers: 7", ("trips", "event time")),
        ("missing", "drivers: 8", ()),
    }
    pair.source.change("drivers", description="copied again")
    assert moves.copy().passed
    assert held[b"trips"] == b"77"
    assert [each.id for each in moves.verify().differences] == ["drivers: 7"]

    blob = lake.get_blob_client("lake", "features/drivers/x.parquet")
    local = pair.folder / "b/drivers/x.parquet"
    pair.rewrite("SELECT * FROM '{path}' WHERE driver_id <> 7")
    blob.upload_blob(local.read_bytes(), overwrite=True)
    assert ("history row", "missing") in moves.differing()


def test_what_a_version_cannot_change_makes_a_new_one(
    pair: Pair, azure: AzureFeaturesServer, lake: BlobServiceClient, moves: FeatureMoves
) -> None:
    assert moves.copy().passed
    pair.source.change("drivers", description="others", metadata={"team": "fraud"})
    assert moves.copy().passed
    assert "featuresets/drivers/versions/2" not in azure.things
    assert azure.things["featuresets/drivers/versions/1"]["properties"]["description"] == "others"
    pair.source.change("drivers", ttl_seconds="90")
    assert {each.item for each in moves.look().losses} == {"ttl_seconds"}
    assert moves.copy().passed
    assert spec_of(lake, azure, "2")["temporal_join_lookback"] == {"days": 0, "hours": 0, "minutes": 2}
    assert "temporal_join_lookback" in spec_of(lake, azure, "1")
    assert moves.copy().written == 0


PLACES: dict[str, tuple[Callable[[AzureFeaturesServer], None], str]] = {
    "a feature set of others": (
        lambda azure: azure.things.update(
            {
                "featuresets/drivers": {"name": "drivers", "properties": {}},
                "featuresets/drivers/versions/1": {"name": "1", "properties": {"tags": {"a": "b"}}},
            }
        ),
        "HL-9473",
    ),
    "an entity with another column": (
        lambda azure: azure.things.update(
            {
                "featurestoreEntities/driver": {"name": "driver", "properties": {}},
                "featurestoreEntities/driver/versions/1": {
                    "name": "1",
                    "properties": {"indexColumns": [{"columnName": "id", "dataType": "Long"}]},
                },
            }
        ),
        "HL-9471",
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_what_others_have_is_not_touched(azure: AzureFeaturesServer, moves: FeatureMoves, name: str) -> None:
    plant, code = PLACES[name]
    plant(azure)
    before = dict(azure.things)
    record = moves.copy()
    assert [each.code for each in record.failures] == [code]
    assert {key: azure.things[key] for key in before} == before


def test_a_connection_that_lacks_a_place_writes_nothing(moves: FeatureMoves) -> None:
    del moves.target.extra["storage_account"]
    with pytest.raises(ConflictError, match=r"read-only: .*storage_account"):
        moves.copy()
