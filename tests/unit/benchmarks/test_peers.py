"""The peers' command lines: the right stores, and no key in any argument."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.measure import Step
from tests.benchmarks.objects import ours, peers

SECRET = "s3cr3t"
ENV = {
    f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection)
    for name, connection in {
        "aws_source": {
            "conn_type": "aws",
            "login": "reader",
            "password": SECRET,
            "extra": {"endpoint_url": "http://127.0.0.1:1"},
        },
        "aws_target": {
            "conn_type": "aws",
            "login": "writer",
            "password": SECRET,
            "extra": {"endpoint_url": "http://127.0.0.1:2"},
        },
        "gcp_target": {
            "conn_type": "google_cloud_platform",
            "extra": {"endpoint_url": "http://127.0.0.1:3", "anonymous": True},
        },
        "azure_target": {
            "conn_type": "wasb",
            "login": "account",
            "password": SECRET,
            "host": "http://127.0.0.1:4/account",
        },
    }.items()
}


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rclone", "s5cmd"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr("tests.benchmarks.objects.peers.sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("tests.benchmarks.objects.peers.importlib.util.find_spec", lambda _name: None)


def steps(target_conn: str) -> list[Step]:
    return [
        peers.rclone(ENV, target_conn, "copy", "S:bench", "T:t"),
        *peers.s5cmd(ENV, "bench", "t", Path("/between")),
        ours.copy(ENV, "bench", "t", target_conn, Path("/evidence")),
    ]


@pytest.mark.parametrize("target_conn", ["aws_target", "gcp_target", "azure_target"])
def test_keys_are_in_the_environment_never_in_arguments(target_conn: str) -> None:
    for step in steps(target_conn):
        assert SECRET not in " ".join(step.command)
        assert any(SECRET in value for value in step.environment.values())


@pytest.mark.parametrize(
    ("target_conn", "kind", "endpoint"),
    [
        ("aws_target", "s3", "http://127.0.0.1:2"),
        ("gcp_target", "google cloud storage", "http://127.0.0.1:3/storage/v1/"),
        ("azure_target", "azureblob", "http://127.0.0.1:4/account"),
    ],
)
def test_rclone_gets_both_stores_and_no_configuration_of_the_users(
    target_conn: str, kind: str, endpoint: str
) -> None:
    given = peers.rclone(ENV, target_conn, "copy").environment
    assert given["RCLONE_CONFIG"] == "/dev/null"
    assert given["RCLONE_CONFIG_S_ENDPOINT"] == "http://127.0.0.1:1"
    assert (given["RCLONE_CONFIG_T_TYPE"], given["RCLONE_CONFIG_T_ENDPOINT"]) == (kind, endpoint)


def test_s5cmd_goes_down_from_one_store_and_up_to_the_other() -> None:
    down, up = peers.s5cmd(ENV, "bench", "t", Path("/between"))
    assert ("http://127.0.0.1:1" in down.command, "http://127.0.0.1:2" in up.command) == (True, True)
    assert down.command[-2:] == ["s3://bench/*", "/between/"]
    assert up.command[-2:] == ["/between/", "s3://t/"]
    assert (down.environment["AWS_ACCESS_KEY_ID"], up.environment["AWS_ACCESS_KEY_ID"]) == (
        "reader",
        "writer",
    )


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="nothing-like-this is not installed"):
        peers.program("nothing-like-this")


def test_that_listings_differ_is_no_failure_of_a_comparison() -> None:
    assert ours.compare(Path("a"), Path("b"), Path("c")).accepts == {0, 1}
    assert ours.listing(ENV, "bench", Path("c")).accepts == {0}
