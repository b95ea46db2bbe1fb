"""The split in Envoy's files: written, read back, and nothing else touched."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from heavylift.connections import Connection
from heavylift.cutover.ports import Side, Split
from heavylift.cutover.traffic import envoy_files, envoy_lock, envoy_tcp
from heavylift.cutover.traffic.envoy_routes import split_of, with_split
from heavylift.cutover.traffic.envoy_settings import EnvoySettings, envoy_settings
from heavylift.errors import (
    ConflictError,
    ConnectionConfigError,
    IntegrityError,
    NotFoundError,
    TransientError,
)

PLAIN = {
    "config_dir": "/etc/envoy/dynamic",
    "admin_url": "http://127.0.0.1:9901/",
    "route": "scoring",
    "source_cluster": "blue",
    "target_cluster": "green",
}
OUTLETS = {**PLAIN, "source_live_cluster": "blue_else_green", "target_live_cluster": "green_else_blue"}


def settings(extra: dict[str, str] | None = None) -> EnvoySettings:
    return envoy_settings(Connection("traffic", "envoy", extra=extra or PLAIN))


def routes(*actions: dict[str, Any]) -> dict[str, Any]:
    listed = [{"match": {"prefix": f"/{number}"}, "route": each} for number, each in enumerate(actions)]
    return {"name": "scoring", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": listed}]}


SPLITS = st.builds(
    lambda percent, mirror, epoch: Split(percent, 0 if percent == 100 else mirror, epoch),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(1, 10**9),
)


@given(st.lists(SPLITS, min_size=1, max_size=5), st.sampled_from([PLAIN, OUTLETS]))
def test_what_is_written_is_read_back_and_the_way_there_leaves_no_trace(
    splits: list[Split], extra: dict[str, str]
) -> None:
    known = settings(extra)
    first = routes({"cluster": "blue", "timeout": "3s"}, {"cluster": "pages"}, {"cluster": "blue"})
    made = first
    for split in splits:
        made = with_split(made, split, known)
        assert split_of(made, known) == split
    assert made == with_split(first, splits[-1], known)
    assert [
        each for each in made["virtual_hosts"][0]["routes"] if each["route"].get("cluster") == "pages"
    ] == [first["virtual_hosts"][0]["routes"][1]]
    percent = splits[-1].target_percent
    assert len(made["virtual_hosts"][0]["routes"]) == (5 if 0 < percent < 100 else 3)


@pytest.mark.parametrize("extra", [PLAIN, OUTLETS])
def test_at_0_the_target_gets_no_live_request_and_is_no_way_out(extra: dict[str, str]) -> None:
    text = json.dumps(with_split(routes({"cluster": "blue"}), Split(0, 100, 1), settings(extra)))
    assert "blue_else_green" not in text
    assert '"cluster": "green"' in text  # the mirror


def test_weights_that_people_wrote_are_read_and_taken_over() -> None:
    weighted = {"clusters": [{"name": "blue", "weight": 3}, {"name": "green", "weight": 1}]}
    found = routes({"weighted_clusters": weighted, "retry_policy": {"retry_on": "5xx"}})
    assert split_of(found, settings()) == Split(25, 0, 0)
    made = with_split(found, Split(50, 0, 2), settings())
    first, second = (each["route"] for each in made["virtual_hosts"][0]["routes"])
    assert (first["cluster"], second["cluster"]) == ("green", "blue")
    assert "weighted_clusters" not in first
    assert first["retry_policy"] == second["retry_policy"] == {"retry_on": "5xx"}


@pytest.mark.parametrize(
    ("denominator", "numerator", "percent"),
    [("HUNDRED", 30, 30), ("TEN_THOUSAND", 500, 5), (None, None, 100)],
)
def test_mirrors_that_people_wrote_are_read(denominator: str, numerator: int, percent: int) -> None:
    policy: dict[str, Any] = {"cluster": "green"}
    if denominator:
        share = {"numerator": numerator, "denominator": denominator}
        policy["runtime_fraction"] = {"default_value": share}
    found = routes({"cluster": "blue", "request_mirror_policies": [policy, {"cluster": "audit"}]})
    assert split_of(found, settings()).mirror_percent == percent
    made = with_split(found, Split(0, 0, 1), settings())
    kept = made["virtual_hosts"][0]["routes"][0]["route"]["request_mirror_policies"]
    assert kept == [{"cluster": "audit"}]


@pytest.mark.parametrize(
    "found",
    [
        routes({"cluster": "pages"}),
        routes(),
        routes(
            {"weighted_clusters": {"clusters": [{"name": "blue", "weight": 1}, {"name": "x", "weight": 1}]}}
        ),
        {"name": "scoring"},
    ],
)
def test_a_route_that_leads_elsewhere_is_refused(found: dict[str, Any]) -> None:
    before = deepcopy(found)
    with pytest.raises(NotFoundError):
        with_split(found, Split(1, 0, 1), settings())
    with pytest.raises(NotFoundError):
        split_of(found, settings())
    assert found == before


def test_a_fraction_of_the_users_own_is_refused() -> None:
    found = routes({"cluster": "blue"})
    fraction = {"default_value": {"numerator": 5}}
    found["virtual_hosts"][0]["routes"][0]["match"]["runtime_fraction"] = fraction
    with pytest.raises(NotFoundError, match="runtime_fraction"):
        with_split(found, Split(1, 0, 1), settings())


def test_routes_that_do_not_agree_are_told() -> None:
    with pytest.raises(NotFoundError, match=r"0 %, 100 %"):
        split_of(routes({"cluster": "blue"}, {"cluster": "green"}), settings())


def test_the_epochs_of_other_listeners_in_the_file_stay() -> None:
    version = envoy_tcp.version_with("17", "writes", 3)
    version = envoy_tcp.version_with(version, "reads", 9)
    version = envoy_tcp.version_with(version, "writes", 4)
    assert version == "heavylift reads:9 writes:4"
    assert [envoy_tcp.epoch_in(version, name) for name in ("writes", "reads", "x")] == [4, 9, 0]
    assert [envoy_tcp.epoch_in(text, "writes") for text in ("", "17", "heavylift", "other writes:4")] == [
        0
    ] * 4


def test_a_listener_leads_to_one_side() -> None:
    proxy = {"cluster": "blue", "stat_prefix": "writes"}
    listener = {"name": "writes", "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}]}
    made = envoy_tcp.with_side(listener, Split(100, 0, 1), settings())
    assert envoy_tcp.side_of(made, settings()) is Side.TARGET
    assert envoy_tcp.side_of(listener, settings()) is Side.SOURCE
    with pytest.raises(NotFoundError):
        envoy_tcp.side_of({"name": "writes", "filter_chains": []}, settings())


@pytest.mark.parametrize("name", ["config_dir", "admin_url", "route", "source_cluster", "target_cluster"])
def test_a_connection_that_says_too_little_is_refused(name: str) -> None:
    with pytest.raises(ConnectionConfigError, match=name):
        settings({key: value for key, value in PLAIN.items() if key != name})


@pytest.mark.parametrize(
    "more",
    [{"kind": "udp"}, {"confirm_seconds": "soon"}, {"confirm_seconds": "-1"}, {"target_cluster": "blue"}],
)
def test_a_connection_that_says_something_wrong_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(ConnectionConfigError):
        settings({**PLAIN, **more})


@pytest.mark.parametrize("name", ["scoring.json", "scoring.yaml"])
def test_a_file_is_written_as_it_was_and_whole(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    document = {"version_info": "1", "resources": [routes({"cluster": "blue"})]}
    file.write_text(json.dumps(document) if name.endswith("json") else yaml.safe_dump(document))
    file.chmod(0o640)
    assert envoy_files.read_document(file) == document
    (tmp_path / f".{name}.killed.new").write_text("half")
    envoy_files.write_document(file, {**document, "version_info": "2"})
    assert envoy_files.read_document(file)["version_info"] == "2"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "scoring.json"
    file.write_text('{"resources": []}')

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TransientError, match="No space left"):
        envoy_files.write_document(file, {"resources": [{}]})
    assert file.read_text() == '{"resources": []}'
    assert [each.name for each in tmp_path.iterdir()] == ["scoring.json"]


@pytest.mark.parametrize("text", ["", "[1", "[]", "{}", '{"resources": {}}', '{"resources": [1]}'])
def test_what_is_no_answer_of_discovery_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scoring.json"
    file.write_text(text)
    with pytest.raises(IntegrityError, match=r"scoring\.json"):
        envoy_files.read_document(file)
    with pytest.raises(NotFoundError):
        envoy_files.read_document(tmp_path / "other.json")


async def test_only_one_process_changes_a_file(tmp_path: Path) -> None:
    file = tmp_path / "scoring.json"
    async with envoy_lock.alone(file):
        with pytest.raises(ConflictError, match=f"process {os.getpid()}"):
            async with envoy_lock.alone(file, 0.05):
                pass
        waiting = asyncio.create_task(_entered(file))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
    assert await waiting
    with (tmp_path / ".scoring.json.lock").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def _entered(file: Path) -> bool:
    async with envoy_lock.alone(file):
        return True


async def test_a_later_turn_takes_the_lock_from_one_that_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envoy_lock, "STILL_SECONDS", 0.05)
    file = tmp_path / "scoring.json"
    file.write_text('{"resources": []}')
    async with envoy_lock.alone(file, epoch=7) as asleep:
        with pytest.raises(ConflictError, match="HL-8732"):
            async with envoy_lock.alone(file, 0.2, epoch=7):
                pass
        async with envoy_lock.alone(file, epoch=8) as later:
            envoy_files.write_document(file, {"resources": [], "version_info": "8"}, later)
        with pytest.raises(TransientError, match="HL-9425"):
            envoy_files.write_document(file, {"resources": [], "version_info": "7"}, asleep)
    assert envoy_files.read_document(file)["version_info"] == "8"
    async with envoy_lock.alone(file, epoch=1) as folder:
        envoy_files.write_document(file, {"resources": [], "version_info": "1"}, folder)
    assert envoy_files.read_document(file)["version_info"] == "1"
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {"scoring.json", ".scoring.json.lock", ".scoring.json.lock.over"}


async def test_of_many_that_take_over_only_one_is_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envoy_lock, "STILL_SECONDS", 0.02)
    file = tmp_path / "scoring.json"
    file.write_text('{"resources": []}')
    inside = 0

    async def one(number: int) -> None:
        nonlocal inside
        async with envoy_lock.alone(file, epoch=2) as folder:
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            envoy_files.write_document(file, {"resources": [], "version_info": str(number)}, folder)
            inside -= 1

    async with envoy_lock.alone(file, epoch=1) as asleep:
        await asyncio.gather(*(one(number) for number in range(20)))
        assert not asleep.exists()
    assert envoy_files.read_document(file)["version_info"] in {str(number) for number in range(20)}
