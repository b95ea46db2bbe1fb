"""``heavylift streams`` as a person at a shell meets it, against real brokers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from tests.integration.streams.brokers import Brokers


@pytest.fixture
def shell(brokers: Brokers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs a command on the test's topic and returns status, document and errors."""
    for name, value in brokers.env.items():
        monkeypatch.setenv(name, value)

    def command(name: str, *more: str, topic: str = brokers.topic) -> tuple[int, Any, str]:
        places = ["--source-conn", "kafka_source", "--target-conn", "kafka_target", "--name", brokers.mark]
        evidence = [] if name == "status" else ["--evidence", (brokers.folder / "evidence").as_uri()]
        status = run(app, ["streams", name, *places, "--topics", topic, *evidence, "--json", *more])
        out, err = capsys.readouterr()
        return status, json.loads(out), err

    return command


def test_mirror_verify_status_and_groups(brokers: Brokers, shell: Any) -> None:
    brokers.make("source", 2)
    brokers.fill("source", 300, partitions=2)
    status, document, _ = shell("mirror", "--dry-run")
    assert (status, document["plan"]["to_mirror"]) == (0, 300)
    assert brokers.topic not in brokers.names("target")
    status, document, _ = shell("mirror")
    assert (status, document["exit_status"], document["mirror"]["sent"]) == (0, 0, 300)
    assert document["verification"]["passed"]
    brokers.fill("source", 20, seed=2, partitions=2)
    status, document, _ = shell("status")
    assert (status, document["status"]["lag_records"]) == (0, 20)
    assert document["status"]["lag_seconds"] > 0
    status, document, _ = shell("verify")
    assert (status, document["verification"]["newer"]) == (0, 20)
    status, document, _ = shell("verify", "--drained")
    assert (status, document["exit_status"]) == (1, 1)
    status, document, _ = shell("groups", "--group", "nobody-*")
    assert (status, document["groups"]["groups"]) == (0, 0)
    actions = [json.loads(path.read_text())["action"] for path in trail(brokers.folder)]
    assert actions == [
        "stream.mirrored",
        "stream.verified",
        "stream.verified",
        "stream.verified",
        "stream.groups_translated",
    ]


def trail(folder: Path) -> list[Path]:
    return sorted((folder / "evidence" / "shell" / "audit").glob("*.json"))


def test_what_is_refused_ends_with_2_and_what_differs_with_1(brokers: Brokers, shell: Any) -> None:
    status, document, _ = shell("mirror", topic="no-such-topic")
    assert (status, document["error"]["code"]) == (2, "HL-6520")
    status, document, _ = shell("mirror", "--engine", "kinesis")
    assert (status, document["error"]["code"]) == (2, "HL-6535")
    assert "kinesis" in document["error"]["got"]
    status, document, _ = shell("mirror", "--engine", "rabbit")
    assert (status, document["error"]["code"]) == (2, "HL-6580")
    brokers.make("source", 1)
    brokers.fill("source", 10, partitions=1)
    assert shell("mirror")[0] == 0
    brokers.fill("target", 1, seed=8, partitions=1)
    status, document, err = shell("verify")
    assert status == 1
    assert document["verification"]["differences"][0]["kind"] == "extra"
    assert "pw" not in err
