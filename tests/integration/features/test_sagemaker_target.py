"""Feature groups as a target: from a store like Feast, and from SageMaker of another region."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from heavylift.errors import ConflictError
from heavylift.registry.features.description import Feature
from tests.integration.features.test_sagemaker import fill
from tests.support.feature_group_server import FeatureGroupServer
from tests.support.feature_moves import FeatureMoves
from tests.support.memory_features import Pair


@pytest.fixture
def group_moves(sagemaker: FeatureGroupServer, pair: Pair) -> tuple[Pair, FeatureMoves]:
    """Return a store in memory with one view, and a move of it to SageMaker."""
    sagemaker.s3.create_bucket(Bucket="lake")
    pairs = ((f"file://{pair.folder}/a", "s3://lake/fs"),)
    return pair, FeatureMoves(pair.moves.source, sagemaker.connection, pairs, pair.moves.options)


def listed(server: FeatureGroupServer) -> dict[str, bytes]:
    """Return the objects of the lake."""
    found = server.s3.list_objects_v2(Bucket="lake").get("Contents", [])
    keys = [each["Key"] for each in found]
    return {key: server.s3.get_object(Bucket="lake", Key=key)["Body"].read() for key in keys}


def test_a_store_with_entities_to_sagemaker(
    group_moves: tuple[Pair, FeatureMoves], sagemaker: FeatureGroupServer
) -> None:
    _pair, moves = group_moves
    looked = moves.look(accept_losses=False)
    assert {each.item for each in looked.losses} == {"entities", "ttl_seconds"}
    with pytest.raises(ConflictError, match="losses-not-accepted"):
        moves.copy(accept_losses=False)
    assert sagemaker.writes == []

    sagemaker.creating, sagemaker.throttled = 1, 3
    record = moves.copy()
    assert record.passed, record.failures
    made = sagemaker.created["drivers"]
    assert {each["FeatureName"]: each["FeatureType"] for each in made["FeatureDefinitions"]} == {
        "driver_id": "Integral",
        "became": "Fractional",
        "rate": "Fractional",
        "trips": "Integral",
    }
    assert made["OnlineStoreConfig"]["TtlDuration"] == {"Unit": "Seconds", "Value": 86_400}
    assert sagemaker.metadata["drivers", "trips"]["Parameters"] == [{"Key": "unit", "Value": "1"}]
    keys = list(listed(sagemaker))
    assert all("/offline-store/drivers-" in each and "/data/year=" in each for each in keys)

    proof = moves.verify()
    assert proof.passed, proof.differences
    assert (proof.histories[0].target.rows, proof.online[0].equal) == (200, 50)
    assert proof.joins[0].filled > 0
    before, writes = listed(sagemaker), len(sagemaker.writes)
    assert moves.copy().written == 0
    assert (len(sagemaker.writes), listed(sagemaker)) == (writes, before)
    sagemaker.records["drivers"]["7"][2]["ValueAsString"] = "9.5"
    assert moves.differing() == {("online key", "different")}


@pytest.mark.long
def test_what_can_be_changed_of_a_group_is_changed(
    group_moves: tuple[Pair, FeatureMoves], sagemaker: FeatureGroupServer
) -> None:
    pair, moves = group_moves
    assert moves.copy().passed
    pair.source.change("drivers", metadata={"owner": "ann"}, ttl_seconds="172800")
    features = {"rate": Feature("float64", "a rate"), "trips": Feature("int64", "how many", {"unit": "2"})}
    pair.source.change("drivers", features=features)
    assert moves.copy().passed
    assert moves.differing() == set()
    pair.source.change("drivers", description="others")
    record = moves.copy()
    assert [(each.id, each.code) for each in record.failures] == [("drivers", "HL-9450")]


def test_a_name_that_others_have_is_not_touched(
    group_moves: tuple[Pair, FeatureMoves], sagemaker: FeatureGroupServer
) -> None:
    _pair, moves = group_moves
    sagemaker.create(
        FeatureGroupName="drivers",
        RecordIdentifierFeatureName="driver_id",
        EventTimeFeatureName="became",
        FeatureDefinitions=[
            {"FeatureName": "driver_id", "FeatureType": "Integral"},
            {"FeatureName": "became", "FeatureType": "Fractional"},
        ],
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://lake/others"}},
        RoleArn="arn:aws:iam::123456789012:role/features",
    )
    with pytest.raises(ConflictError, match="name-taken"):
        moves.copy()
    sagemaker.looks["drivers"] = 3  # it is being made, and no listing of groups that can be read has it
    record = moves.copy()
    assert [each.code for each in record.failures] == ["HL-9453"]
    assert sagemaker.writes == []


def test_a_connection_without_a_role_writes_nothing(
    group_moves: tuple[Pair, FeatureMoves], sagemaker: FeatureGroupServer
) -> None:
    _pair, moves = group_moves
    del moves.target.extra["feature_role_arn"]
    with pytest.raises(ConflictError, match=r"read-only: .*feature_role_arn"):
        moves.copy()


@pytest.mark.long
def test_sagemaker_to_sagemaker_keeps_files_and_deletions(
    sagemaker: FeatureGroupServer, tmp_path: Path
) -> None:
    uri = fill(sagemaker, tmp_path)
    other = FeatureGroupServer("eu-west-1", beside=sagemaker)
    try:
        pairs = ((uri, "s3://lake/new"),)
        moves = FeatureMoves(sagemaker.connection, other.connection, pairs)
        assert moves.look().losses == ()
        record = moves.copy(accept_losses=False)
        assert record.passed, record.failures
        (key,) = [each for each in listed(sagemaker) if each.startswith("new/")]
        assert key.endswith("/data/year=2026/month=11/x.parquet")
        assert len(other.records["customers"]) == 54
        proof = moves.verify()
        assert proof.passed, proof.differences
        assert proof.histories[0].target.rows == 300, "deletions are rows that are kept"
        assert moves.copy().written == 0
        revive(other, key, tmp_path)
        found = moves.differing()
        assert ("history row", "different") in found
        assert found <= {("history row", "different"), ("joined row", "different")}
        assert other.rejected == []
    finally:
        other.close()


def revive(server: FeatureGroupServer, key: str, folder: Path) -> None:
    """Make a deletion of a history a row like any other."""
    path = folder / "revived.parquet"
    path.write_bytes(server.s3.get_object(Bucket="lake", Key=key)["Body"].read())
    with duckdb.connect() as db:
        db.execute(
            f"CREATE TABLE t AS SELECT *"
            f" REPLACE (is_deleted AND customer_id <> 10 AS is_deleted) FROM '{path}'"
        )
        db.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    server.s3.put_object(Bucket="lake", Key=key, Body=path.read_bytes())
