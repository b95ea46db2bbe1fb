"""The loss of the target, for real: Envoy's endpoint is killed, traffic is led back, clients are watched."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest

from sandbox import processes, records
from sandbox.examples.scoring_model import BODY
from sandbox.stack import Stack
from sandbox.waiting import until
from tests.support.shell import start

CONN = ("--traffic-conn", "traffic")
WAIT = 120.0


def shift(stack: Stack, folder: Path, percent: int) -> None:
    env = {**stack.env, "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    _status, output, _ = start(["cutover", "traffic", "show", *CONN, "--json"], env).end()
    epoch = str(json.loads(output)["split"]["epoch"] + 1)
    asked = ["--target-percent", str(percent), "--epoch", epoch]
    status, _output, errors = start(["cutover", "traffic", "shift", *CONN, *asked, "--json"], env).end()
    assert status == 0, errors


@pytest.mark.long
def test_requests_are_answered_again_after_the_target_is_lost(proxied: Stack, tmp_path: Path) -> None:
    golden = tmp_path / "golden.jsonl"
    golden.write_text(BODY)
    live = {"conn_type": "http", "host": json.loads(proxied.env["AIRFLOW_CONN_TRAFFIC"])["extra"]["address"]}
    env = {**proxied.env, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    env["AIRFLOW_CONN_CLIENTS"] = json.dumps(live)
    platform = {"platform": "kubernetes", "connection": "evidence"}
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        json.dumps(
            {
                "apiVersion": "heavylift/v1",
                "migration": "drilled",
                "owner": "tests",
                "source": platform,
                "target": platform,
                "evidence": {"url": f"file://{tmp_path}/evidence"},
                "workload_tests": {
                    "requests": golden.as_uri(),
                    "connection": "scoring_target",
                    "continuity": {"connection": "clients", "recovered_within": 60},
                },
            }
        )
    )
    shift(proxied, tmp_path, 100)
    command = start(["workload", "drill", str(spec), "--seconds", "40", "--json"], env)
    told = command.folder / "errors"
    until(lambda: "take the target" in told.read_text(), seconds=WAIT)
    record = records.read(proxied.state_dir, "scoring_target")
    assert record is not None
    family = record.process.family()
    back = threading.Thread(target=shift, args=(proxied, tmp_path, 0))
    try:
        for each in family:
            each.send(signal.SIGKILL)
        assert not processes.wait_gone(family, WAIT)
        back.start()
        _status, output, errors = command.end()
    finally:
        back.join()
        proxied.ensure("scoring_target")
    [found] = json.loads(output)["tests"]
    lost, _way = found["test"]["cases"]
    assert lost["verdict"] == "passed", (lost, errors)
    assert "failed" in lost["got"]
