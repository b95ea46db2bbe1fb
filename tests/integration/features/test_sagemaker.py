"""SageMaker to Feast: groups by moto, histories in its S3, the runtime by a server that checks requests."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import pytest

from heavylift.errors import ConflictError, IncompleteError
from heavylift.registry.features.feast_process import FeastProcesses
from heavylift.registry.features.sagemaker import SageMakerFeatures
from tests.support.feature_group_server import FeatureGroupServer
from tests.support.feature_moves import FeatureMoves, feast

NAMES = ("customer_id", "event_time", "age", "score", "segment")
KINDS = ("Integral", "String", "Integral", "Fractional", "String")
NEWEST = (
    f"SELECT {', '.join(NAMES)} FROM (SELECT * FROM h QUALIFY row_number() OVER"
    " (PARTITION BY customer_id ORDER BY event_time DESC) = 1) WHERE NOT is_deleted"
)


def fill(server: FeatureGroupServer, folder: Path) -> str:
    """Make a group of 60 customers, of which every tenth was deleted, and one without a history."""
    server.s3.create_bucket(Bucket="lake")
    uri = server.create(
        FeatureGroupName="customers",
        RecordIdentifierFeatureName="customer_id",
        EventTimeFeatureName="event_time",
        FeatureDefinitions=[
            {"FeatureName": name, "FeatureType": kind} for name, kind in zip(NAMES, KINDS, strict=True)
        ],
        OnlineStoreConfig={"EnableOnlineStore": True, "TtlDuration": {"Unit": "Weeks", "Value": 1}},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://lake/fs"}},
        RoleArn="arn:aws:iam::123456789012:role/features",
        Description="what is known of customers",
        Tags=[{"Key": "team", "Value": "risk"}],
    )
    server.metadata["customers", "age"] = {
        "Description": "in years",
        "Parameters": [{"Key": "unit", "Value": "y"}],
    }
    now = int(time.time())
    with duckdb.connect() as db:
        db.execute(
            f"CREATE TABLE h AS SELECT i::BIGINT AS customer_id, strftime(make_timestamp(({now} - 3600 * j"
            " - i % 7)::BIGINT * 1000000::BIGINT), '%Y-%m-%dT%H:%M:%SZ') AS event_time,"
            " (20 + i + j)::BIGINT AS age, i / 3.0 + j AS score, 's' || (i % 4) AS segment,"
            f" make_timestamp({now} * 1000000::BIGINT) AS write_time,"
            f" make_timestamp({now} * 1000000::BIGINT) AS api_invocation_time,"
            " (i % 10 = 0 AND j = 0) AS is_deleted FROM range(60) a(i), range(5) b(j)"
        )
        db.execute(f"COPY h TO '{folder}/h.parquet' (FORMAT parquet)")
        rows = db.execute(NEWEST).fetchall()
    server.s3.upload_file(
        f"{folder}/h.parquet", "lake", f"{uri.removeprefix('s3://lake/')}/year=2026/month=11/x.parquet"
    )
    server.records["customers"] = {
        str(row[0]): [
            {"FeatureName": name, "ValueAsString": str(value)} for name, value in zip(NAMES, row, strict=True)
        ]
        for row in rows
    }
    return uri


@pytest.mark.long
def test_sagemaker_to_feast(
    sagemaker: FeatureGroupServer, processes: FeastProcesses, feast_python: Path, empty: Path, tmp_path: Path
) -> None:
    uri = fill(sagemaker, tmp_path)
    target = feast(empty, feast_python)
    pairs = ((uri, f"file://{tmp_path}/customers"),)
    moves = FeatureMoves(sagemaker.connection, target, pairs, processes=processes)
    assert {each.item for each in moves.look().losses} == {"deletions in the history", "ttl_seconds"}
    record = moves.copy()
    assert record.passed, record.failures
    told = processes.of(target).ask("read", repository=str(empty))
    (view,) = told["views"]
    assert view["features"]["age"] == {
        "type": "int64",
        "description": "in years",
        "tags": {"unit": "y"},
    }
    assert (view["ttl_seconds"], view["tags"]["team"], view["created"]) == (604_800, "risk", "write_time")

    sagemaker.unprocessed = 5
    proof = moves.verify()
    assert proof.passed, proof.differences
    (online,) = proof.online
    assert (online.sampled, online.equal, online.absent) == (60, 54, 6)
    assert proof.histories[0].source.rows == 294
    assert proof.joins[0].own_rows
    assert moves.copy().written == 0
    assert sagemaker.asked.count("BatchGetRecord") == 2

    sagemaker.records["customers"]["7"][2]["ValueAsString"] = "99"
    del sagemaker.records["customers"]["8"]
    found = {(each.kind, each.id, each.fields) for each in moves.verify().differences}
    assert found == {("different", "customers: 7", ("age",)), ("extra", "customers: 8", ())}
    later = moves.verify(moment=time.time() + 8 * 86_400)
    assert (later.online[0].expired, later.online[0].different, later.passed) == (8, 0, True)

    back = FeatureMoves(target, sagemaker.connection, ((pairs[0][1], "s3://lake/back"),), processes=processes)
    with pytest.raises(ConflictError, match="name-taken"):
        back.copy()
    other = FeatureGroupServer("eu-west-1", beside=sagemaker)
    try:
        back.target = other.connection
        assert {each.item for each in back.look().losses} == {"entities", "ttl_seconds"}
        assert back.copy().passed
        proof = back.verify()
        # Feast serves none of the keys that were deleted on SageMaker, and its history does not tell why.
        assert {(each.what, each.kind) for each in proof.differences} == {("online key", "extra")}
        assert (proof.histories[0].passed, proof.joins[0].passed, proof.online[0].equal) == (True, True, 54)
        assert proof.histories[0].target.rows == 294
        assert other.rejected == []
    finally:
        other.close()


def test_a_group_that_cannot_be_read_online_is_told(sagemaker: FeatureGroupServer, tmp_path: Path) -> None:
    fill(sagemaker, tmp_path)
    store = SageMakerFeatures(sagemaker.connection, 1, threading.Event())
    (group,) = store.read()
    sagemaker.refuses = True
    with pytest.raises(IncompleteError, match="HL-7715"):
        store.online(group.view, [(1,)])
