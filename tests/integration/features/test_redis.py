"""What Azure ML's feature store serves, over the protocol of Redis."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from heavylift.connections import Connection
from heavylift.errors import CredentialError, ServerUnavailableError
from heavylift.registry.features.azure_ml_online import Layout, RedisOnline
from heavylift.registry.features.description import Feature, View
from tests.support.small_redis import SmallRedis

FEATURES = {
    "a": Feature("float64"),
    "b": Feature("int64"),
    "c": Feature("bool"),
    "d": Feature("string"),
    "e": Feature("bytes"),
    "f": Feature("float32"),
}
MANY = View("Many", ("k", "l"), {"k": "int64", "l": "string"}, event_time="t", features=FEATURES)


@pytest.fixture
def redis() -> Iterator[SmallRedis]:
    server = SmallRedis()
    yield server
    server.close()


def online(redis: SmallRedis, **changes: str) -> RedisOnline:
    return RedisOnline(Connection("c", "azure", extra={**redis.extra, **changes}), threading.Event())


def test_both_layouts_of_redis_are_read(redis: SmallRedis, tmp_path: Path) -> None:
    query = (
        "SELECT 7::BIGINT AS k, 'x' AS l, TIMESTAMP '2026-11-01' AS t, 0.1::DOUBLE AS a, -5::BIGINT AS b,"
        " true AS c, 'ü' AS d, '\\xAA'::BLOB AS e, NULL::FLOAT AS f"
    )
    with duckdb.connect() as db:
        db.execute(f"COPY ({query}) TO '{tmp_path}/r.parquet' (FORMAT parquet)")
    store, first = online(redis), Layout("G", "Many", "2")
    assert store.put(first, MANY, tmp_path / "r.parquet") == 1
    assert list(redis.hashes) == ["featurestore:g:featureset:many:version:2:k:7:l:x"]
    (served, none) = store.fetch(first, MANY, [(7, "x"), (8, "x")])
    assert served.values == {"a": 0.1, "b": "-5", "c": True, "d": "ü", "e": "aa", "f": None}
    assert (served.event_seconds, none.values) == (1_793_491_200.0, None)

    second = Layout("G", "Many", "2", schema=2, materialised="m1")
    redis.hashes[second.key(("k", "l"), (7, "x"))] = {
        b"a": struct.pack("<d", 0.1),
        b"b": struct.pack("<i", -5),
        b"c": b"1",
        b"d": "ü".encode(),
        b"e": b"\xaa",
        b"f": struct.pack("<f", 0.5),
        b"t": b"1793491200",
    }
    assert second.key(("k", "l"), (7, "x")).endswith("(7:x)")
    (served,) = store.fetch(second, MANY, [(7, "x")])
    assert served.values == {"a": 0.1, "b": -5, "c": True, "d": "ü", "e": "aa", "f": 0.5}
    store.close()


def test_a_redis_that_refuses_or_is_not_there_is_told(redis: SmallRedis) -> None:
    with pytest.raises(CredentialError, match="HL-9476") as told:
        online(redis, redis_password="wrong-password").fetch(Layout("G", "m", "1"), MANY, [(1, "x")])
    assert "wrong-password" not in str(told.value)
    with pytest.raises(ServerUnavailableError, match="HL-9477"):
        online(redis, redis_port="1").fetch(Layout("G", "m", "1"), MANY, [(1, "x")])
