"""Connections: from Airflow's secrets to the library, and nothing else gets through."""

from __future__ import annotations

import asyncio
import json

import pytest

from heavylift.errors import ConnectionConfigError
from heavylift_airflow.hooks.evidence import EvidenceHook
from heavylift_airflow.hooks.object_store import ObjectStoreHook, look_up
from tests.plugins.world import World

STORE = {
    "conn_type": "aws",
    "login": "AKIA",
    "password": "very-secret",
    "host": "s3.example",
    "port": 444,
    "extra": {"endpoint_url": "http://127.0.0.1:1", "region_name": "eu-west-1"},
}


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(STORE))


def test_a_connection_is_read_whole() -> None:
    found = look_up("store")
    assert (found.conn_type, found.login, found.password) == ("aws", "AKIA", "very-secret")
    assert (found.host, found.port, found.text("region_name")) == ("s3.example", 444, "eu-west-1")


def test_a_trigger_reads_the_same_connection() -> None:
    assert asyncio.run(ObjectStoreHook("store").aget_conn()) == look_up("store")


def test_a_connection_does_not_show_its_secrets() -> None:
    assert "very-secret" not in repr(look_up("store"))


@pytest.mark.parametrize("extra", ["no json", "[1]"])
def test_an_unreadable_extra_is_told_without_its_text(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({**STORE, "extra": extra}))
    with pytest.raises(ConnectionConfigError, match="store") as caught:
        look_up("store")
    assert extra not in str(caught.value)


def test_a_missing_connection_is_told_with_a_remedy() -> None:
    with pytest.raises(ConnectionConfigError, match=r"'nowhere'.*add the connection.*HL-8001"):
        look_up("nowhere")
    with pytest.raises(ConnectionConfigError, match="HL-8001"):
        asyncio.run(ObjectStoreHook("nowhere").aget_conn())


def test_the_evidence_hook_opens_where_the_connection_points(world: World) -> None:
    async def write() -> str:
        async with EvidenceHook("evidence").open() as store:
            return (await store.write_json("m/x.json", {"a": 1})).path

    assert (world.evidence / asyncio.run(write())).is_file()
