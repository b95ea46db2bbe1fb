"""A run of Airflow's own, with a database: secrets stand neither in that nor in any log of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.canary import Canary
from tests.support.key_vault_server import KeyVaultServer
from tests.support.secret_manager_server import SecretManagerServer

DAG = """
from airflow.sdk import DAG
from heavylift_airflow.operators.secrets import CopySecretsOperator, VerifySecretsOperator

given = {{"spec_path": {spec!r}, "phase": "provision"}}
with DAG("moves", schedule=None, params={{"dry_run": False}}):
    CopySecretsOperator(task_id="copy", **given) >> VerifySecretsOperator(task_id="verify", **given)
"""


class Site:
    """Airflow with one DAG, in a folder of its own."""

    def __init__(self, home: Path, repository: Path, connections: dict[str, object]) -> None:
        self.home, self.repository = home, repository
        for name in ("dags", "specs", "printed"):
            (home / name).mkdir()
        spec = {
            "apiVersion": "heavylift/v1", "migration": "small", "owner": "team", "secrets": {},
            "source": {"platform": "gcp", "connection": "here"},
            "target": {"platform": "azure", "connection": "there"},
            "evidence": {"url": (home / "evidence").as_uri()},
        }  # fmt: skip
        path = home / "specs" / "small.yaml"
        path.write_text(yaml.safe_dump(spec))
        (home / "dags" / "moves.py").write_text(DAG.format(spec=str(path)))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(home),
            "AIRFLOW_HOME": str(home),
            "PYTHONPATH": f"{repository / 'include'}:{repository / 'plugins'}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in connections.items()},
        }

    def airflow(self, *arguments: str) -> str:
        """Run a command of Airflow's; what it prints is kept with the rest."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment, cwd=self.repository, capture_output=True, text=True, check=False,
        )  # fmt: skip
        printed = done.stdout + done.stderr
        (self.home / "printed" / f"{'-'.join(arguments)}.txt").write_text(printed)
        return printed


@pytest.mark.long
def test_neither_database_nor_logs_have_a_secret(
    tmp_path: Path, repository: Path, google: SecretManagerServer, vault: KeyVaultServer
) -> None:
    value, password = Canary(), Canary()
    google.add("db", value.value.encode())
    google.add("web", value.value.encode() + b"2")
    connections = {
        "here": {"conn_type": "google_cloud_platform", "password": password.value, "extra": google.extra},
        "there": {"conn_type": "azure", "password": password.value, "extra": vault.extra},
        "evidence": {"conn_type": "file"},
    }
    site = Site(tmp_path, repository, connections)
    site.airflow("db", "migrate")
    assert "state=success" in site.airflow("dags", "test", "moves")
    assert vault.current("db")["value"] == value.value

    vault.add("db", "somebody's")
    vault.denied.add("web")
    printed = site.airflow("dags", "test", "moves", "2026-11-01")
    assert "state=failed" in printed
    assert "HL-8816" in printed
    google.unauthorised = True
    printed = site.airflow("dags", "test", "moves", "2026-11-02")
    assert "HL-7659" in printed

    database = (tmp_path / "airflow.db").read_bytes()
    assert b"created" in database, "the XCom is in the database"
    assert not value.in_files([tmp_path])
    assert not password.in_files([tmp_path])
