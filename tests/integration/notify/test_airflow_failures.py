"""A run of Airflow's own: however a task fails, its log ends with what to do, and people are told once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.message_sinks import web_hook

DAG = """
import time
from datetime import timedelta
from airflow.sdk import DAG
from heavylift_airflow.callbacks import tell_failure
from heavylift_airflow.operators.transfer import PlanTransferOperator


class ForeignOperator(PlanTransferOperator):
    def execute(self, context):
        raise ZeroDivisionError("by nothing")


class SlowOperator(PlanTransferOperator):
    def execute(self, context):
        while True:
            time.sleep(0.1)


given = {{"spec_path": {spec!r}, "phase": "transfer", "dataset": "data"}}
defaults = {{"retries": 0, "on_failure_callback": tell_failure}}
with DAG("fails", schedule=None, params={{"dry_run": False}}, default_args=defaults):
    PlanTransferOperator(task_id="own", **given)
    ForeignOperator(task_id="foreign", **given)
    SlowOperator(task_id="slow", execution_timeout=timedelta(seconds=1), **given)
"""
CODES = {"own": "HL-3201", "foreign": "HL-8031", "slow": "HL-8963"}


@pytest.mark.long
def test_each_kind_of_failure_ends_its_log_with_what_to_do(tmp_path: Path, repository: Path) -> None:
    spec = {
        "apiVersion": "heavylift/v1", "migration": "small", "owner": "team",
        "source": {"platform": "kubernetes", "connection": "here"},
        "target": {"platform": "kubernetes", "connection": "there"},
        "evidence": {"url": (tmp_path / "evidence").as_uri()},
        "notify": {"connection": "pager"},
        "datasets": [
            {"name": "data", "source": (tmp_path / "gone").as_uri(), "target": (tmp_path / "to").as_uri()}
        ],
    }  # fmt: skip
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(spec))
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "fails.py").write_text(DAG.format(spec=str(path)))
    with web_hook() as hook:
        connections = {
            "PAGER": {"conn_type": "http", "host": f"http://127.0.0.1:{hook.port}"},
            "EVIDENCE": {"conn_type": "file"},
            "HERE": {"conn_type": "file"},
            "THERE": {"conn_type": "file"},
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path),
            "PYTHONPATH": f"{repository / 'include'}:{repository / 'plugins'}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            **{f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in connections.items()},
        }
        printed = ""
        for arguments in (("db", "migrate"), ("dags", "test", "fails")):
            done = subprocess.run(
                [sys.executable, "-m", "airflow", *arguments],
                env=environment, cwd=repository, capture_output=True, text=True, check=False,
            )  # fmt: skip
            printed = done.stdout + done.stderr
    told = {body["title"].split()[1]: body["code"] for body in hook.bodies}
    assert told == CODES, printed[-3000:]
    assert len(hook.bodies) == len(CODES)
    for code in CODES.values():
        before, found, after = printed.partition(f"Runbook: docs/runbooks/codes.md#{code.lower()}")
        assert found, before[-2000:]
        last = next(line for line in after.splitlines()[1:] if "Retry:" in line)
        assert f"[{code}]" in last
        assert "To fix:" in last
