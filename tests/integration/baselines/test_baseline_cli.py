"""``heavylift baseline`` against real HTTP servers of known behaviour."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.asked_server import (
    ENDLESS,
    HUGE,
    NO_HTTP,
    REFUSED,
    Asked,
    Behaviour,
    asked_server,
)
from tests.support.shell import Command, start

PASSWORD = "do-not-show-me"
SHOWN = (PASSWORD, base64.b64encode(f"someone:{PASSWORD}".encode()).decode())
QUICK = ("--no-floor", "--warm-up-seconds", "0", "--step-seconds", "1", "--arrivals", "even")


@dataclass
class Shell:
    """Runs the command against one server, with a folder of evidence."""

    folder: Path

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    def begin(self, server: Asked, *options: str) -> Command:
        requests = self.folder / "requests.jsonl"
        if not requests.exists():
            requests.write_text('{"inputs": [1]}\n{"inputs": [2]}\n{"inputs": [3]}\n')
        connection = {"conn_type": "http", "host": server.url, "login": "someone", "password": PASSWORD}
        environment = {**os.environ, "AIRFLOW_CONN_EP": json.dumps(connection)}
        arguments = ["baseline", "--source-conn", "ep", "--requests", str(requests), "--json"]
        return start([*arguments, "--evidence", f"file://{self.evidence}", *options], environment)

    def run(self, server: Asked, *options: str) -> tuple[int, dict[str, Any], str]:
        status, output, errors = self.begin(server, *options).end()
        for secret in SHOWN:
            assert secret not in output + errors
        return status, json.loads(output), errors

    def records(self) -> list[Path]:
        return sorted(self.evidence.rglob("*baseline*.json"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def p(step: dict[str, Any], quantile: float) -> float:
    return next(each["ms"] for each in step["quantiles"] if each["quantile"] == quantile)


def test_one_stall_is_seen_by_all_that_were_due_meanwhile(shell: Shell) -> None:
    with asked_server(Behaviour(service=0.005, freeze_at=60)) as server:
        status, found, _ = shell.run(server, *QUICK, "--rates", "50", "--step-seconds", "3")
    step = found["baseline"]["steps"][0]
    assert step["planned"] == step["answered"] == 150
    # 25 were due while it stood still, and waited 250 ms on average. A closed loop sees one in 150.
    assert p(step, 0.5) < 100
    assert p(step, 0.9) > 150
    assert 400 < p(step, 0.99) < 700
    slow = sum(
        count for block in step["blocks"] for bucket, count in block["counts"].items() if int(bucket) >= 2368
    )
    assert 15 <= slow <= 40
    assert status == 0
    assert len(shell.records()) == 1
    written = shell.records()[0].read_text()
    assert not any(secret in written for secret in SHOWN)
    assert json.loads(written) == found["baseline"]
    assert any(b"Authorization: Basic" in head for head in server.heads)


def test_a_rate_beyond_the_capacity_is_told_and_ends_it(shell: Shell) -> None:
    with asked_server(Behaviour(service=0.01, serial=True)) as server:
        options = (*QUICK, "--rates", "20,300,600", "--connections", "8", "--usd-per-hour", "0.72")
        status, found, errors = shell.run(server, *options)
    record = found["baseline"]
    assert status == 0
    assert record["max_sustained"] == 20
    assert record["ceiling_reached"]
    assert record["not_tried"] == [600]
    assert 60 < record["steps"][1]["achieved"] < 110
    assert record["cost"]["per_thousand"] == "0.010000"
    assert "not sustained" in errors


def test_a_baseline_is_held_against_an_earlier_one(shell: Shell) -> None:
    timing = ("--rates", "50", "--step-seconds", "2")
    with asked_server(Behaviour(service=0.02)) as server:
        _, first, _ = shell.run(server, *QUICK, *timing)
        held = ("--compare", first["evidence"]["path"], "--judged", "0.5")
        status, same, _ = shell.run(server, *QUICK, *timing, *held, "--max-ratio", "2")
    assert same["baseline"]["comparison"]["passed"], same["baseline"]["comparison"]
    assert status == 0
    with asked_server(Behaviour(service=0.1)) as server:
        status, slower, _ = shell.run(server, *QUICK, *timing, *held, "--max-ratio", "2")
        refused, error, _ = shell.run(server, *QUICK, "--rates", "7", *held)
    assert status == 1
    assert "slower-than-baseline" in {each["rule"] for each in slower["baseline"]["findings"]}
    assert (refused, error["error"]["code"]) == (2, "HL-7679")


def test_an_endpoint_that_goes_away_is_told(shell: Shell) -> None:
    with asked_server(Behaviour(gone_at=60)) as server:
        status, found, _ = shell.run(server, *QUICK, "--rates", "40,80")
    record = found["baseline"]
    assert status == 1
    assert record["max_sustained"] == 40
    assert "endpoint-gone" in {each["rule"] for each in record["findings"]}
    last = record["steps"][-1]
    assert last["errors"].keys() == {"no answer"}
    assert last["answered"] + sum(last["errors"].values()) + last["not_sent"] == last["planned"]


def test_connections_that_the_server_closes_are_no_errors(shell: Shell) -> None:
    with asked_server(Behaviour(close_after_each=True)) as server:
        status, found, _ = shell.run(server, *QUICK, "--rates", "20")
    assert status == 0
    assert found["baseline"]["steps"][0]["errors"] == {}


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 3)], ids=["kill", "term"]
)
def test_a_run_that_is_killed_leaves_no_record(shell: Shell, number: int, status: int) -> None:
    with asked_server(Behaviour()) as server:
        command = shell.begin(server, *QUICK, "--rates", "50", "--step-seconds", "60")
        assert server.asked.wait(30)
        os.kill(command.pid, number)
        assert command.end()[0] == status
    assert shell.records() == []


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (Behaviour(answer=REFUSED), 2, "HL-7675"),
        (Behaviour(answer=HUGE), 1, "HL-7674"),
        (Behaviour(answer=ENDLESS, endless=True), 1, "HL-7674"),
        (Behaviour(answer=NO_HTTP), 1, "HL-7674"),
        (Behaviour(silent=True), 1, "HL-7674"),
    ],
    ids=["credentials", "huge", "endless", "no-http", "silent"],
)
def test_an_endpoint_that_can_t_be_measured_is_refused_at_once(
    shell: Shell, behaviour: Behaviour, status: int, code: str
) -> None:
    with asked_server(behaviour) as server:
        found = shell.run(server, *QUICK, "--rates", "50", "--timeout-seconds", "1")
        assert server.count == 1
    assert (found[0], found[1]["error"]["code"]) == (status, code)
    assert shell.records() == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--rates", "5,fast"), "HL-7690"),
        (("--rates", "20,10"), "HL-7690"),
        (("--arrivals", "often"), "HL-7691"),
        (("--usd-per-hour", "cheap"), "HL-7689"),
        (("--compare", "shell/assess/none.json"), "HL-3201"),
    ],
)
def test_a_wrong_command_sends_nothing(shell: Shell, options: Sequence[str], code: str) -> None:
    with asked_server(Behaviour()) as server:
        status, found, _ = shell.run(server, *options)
        assert server.count == 0
    assert (status, found["error"]["code"]) == (2, code)


def test_no_request_and_a_dry_run_send_nothing(shell: Shell) -> None:
    with asked_server(Behaviour()) as server:
        status, found, _ = shell.run(server, "--dry-run", "--rates", "5,10")
        assert (status, found["planned"]["bodies"]) == (0, 3)
        # One to look, 3 s of warm-up and 20 s against itself at 5 a second, 10 s at each rate.
        assert found["planned"]["requests"] == 1 + 15 + 100 + 50 + 100
        (shell.folder / "requests.jsonl").write_text("\n")
        status, found, _ = shell.run(server)
        assert (status, found["error"]["code"]) == (2, "HL-7672")
        assert server.count == 0
    assert not shell.evidence.exists()
