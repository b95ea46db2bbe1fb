"""A secret that is moved, is refused or fails stands in no file and no output, in no form."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import heavylift
from tests.integration.secrets.stores import Aws
from tests.support.canary import Canary, forms
from tests.support.cluster_secrets_server import ClusterSecretsServer
from tests.support.key_vault_server import KeyVaultServer
from tests.support.secret_manager_server import SecretManagerServer

LOUD = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, filename=sys.argv.pop(1))
logging.basicConfig = lambda **_: None
logging.getLogger("heavylift").debug("at its loudest")
from heavylift.__main__ import main
main()
"""
"""The command line with every logger at its loudest, into a file."""


def test_the_canary_is_found_in_each_form(tmp_path: Path) -> None:
    for made in (Canary(), Canary(plain=True)):
        for name, form in forms(made.value).items():
            file = tmp_path / "written"
            file.write_bytes(b"\x00before" + form + b"behind\xff")
            assert made.in_files([tmp_path]), name
            file.write_bytes(b"nothing of it")
            assert not made.in_files([tmp_path])


class Shell:
    """Runs the command line in a process, and keeps all that it writes."""

    def __init__(self, folder: Path, connections: dict[str, dict[str, Any]]) -> None:
        self.folder = folder
        for name in ("out", "temporary", "home", "logs"):
            (folder / name).mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(heavylift.__file__).parents[1]),
            "TMPDIR": str(folder / "temporary"),
            "HOME": str(folder / "home"),
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in connections.items()},
        }
        self.runs = 0

    def run(self, *arguments: str) -> int:
        self.runs += 1
        log = self.folder / "logs" / f"{self.runs}.log"
        command = [sys.executable, "-X", "faulthandler", "-c", LOUD, str(log), *arguments]
        command += ["--evidence", (self.folder / "evidence").as_uri(), "--json"]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, timeout=120, check=False
        )
        (self.folder / "out" / f"{self.runs}.out").write_bytes(done.stdout)
        (self.folder / "out" / f"{self.runs}.err").write_bytes(done.stderr)
        assert done.stdout, done.stderr
        return done.returncode


@pytest.fixture
def canaries() -> dict[str, Canary]:
    """Return what must not be found: values that move, and what the connections prove themselves with."""
    return {
        name: Canary(plain=name in ("token", "key"))
        for name in ("value", "airflow", "password", "token", "key", "other")
    }


def test_no_file_and_no_output_has_a_secret(
    tmp_path: Path,
    canaries: dict[str, Canary],
    aws: Aws,
    google: SecretManagerServer,
    vault: KeyVaultServer,
    cluster: ClusterSecretsServer,
) -> None:
    password, token, key = (canaries[name].value for name in ("password", "token", "key"))
    aws.secrets.create_secret(Name="db/password", SecretString=canaries["value"].value)
    aws.secrets.create_secret(Name="db/binary", SecretBinary=b"\xff" + canaries["value"].value.encode())
    aws.secrets.create_secret(
        Name="airflow/connections/smtp", SecretString=f"smtp://u:{canaries['airflow'].value}@host"
    )
    aws.secrets.create_secret(
        Name="airflow/connections/odd", SecretString=json.dumps({"pass": canaries["airflow"].value})
    )
    cluster_url = cluster.connection().host
    given = {
        "aws": {"conn_type": "aws", "login": key, "password": password, "extra": aws.extra},
        "google": {"conn_type": "google_cloud_platform", "extra": {**google.extra, "note": password}},
        "vault": {"conn_type": "azure", "login": "x", "password": password, "extra": vault.extra},
        "cluster": {
            "conn_type": "kubernetes", "host": cluster_url, "extra": {"token": token, "namespace": "ml"},
        },
    }  # fmt: skip
    shell = Shell(tmp_path, given)
    both = ("--source-conn", "aws", "--target-conn")

    # Everything that goes well.
    exclude = ("--exclude", "airflow/connections/odd", "--exclude", "db/binary")
    for target in ("google", "vault", "cluster"):
        assert shell.run("secrets", "copy", *both, target, *exclude) == 0
        assert shell.run("secrets", "verify", *both, target, *exclude) == 0
    assert shell.run("secrets", "list", *both, "google", "--airflow") == 0

    # A value that the target does not take, and a connection that few backends read.
    assert shell.run("secrets", "copy", *both, "vault", "--airflow") == 1
    # Another value on the target.
    google.versions["db-password"].append(canaries["other"].value.encode())
    assert shell.run("secrets", "copy", *both, "google", *exclude) == 1
    # Refusals that echo what was sent.
    aws.secrets.put_secret_value(SecretId="db/password", SecretString=canaries["value"].value + "2")
    for status in (400, 403):
        google.refuses = {"addVersion": status}
        assert shell.run("secrets", "copy", *both, "google", *exclude, "--conflict", "new_version") == 1
    google.refuses = {}
    vault.denied, cluster.denied = {"db-password"}, {"db-password"}
    assert shell.run("secrets", "copy", *both, "vault", *exclude) == 1
    assert shell.run("secrets", "copy", *both, "cluster", *exclude) == 1
    # Credentials that are refused, and a connection that cannot be used.
    google.unauthorised = True
    assert shell.run("secrets", "copy", *both, "google", *exclude) == 2
    shell.environment["AIRFLOW_CONN_GOOGLE"] = json.dumps({"conn_type": "smtp", "password": password})
    assert shell.run("secrets", "copy", *both, "google") == 2
    # A store that cannot be reached.
    shell.environment["AIRFLOW_CONN_VAULT"] = json.dumps(
        {**given["vault"], "extra": {**vault.extra, "vault_url": "http://127.0.0.1:9"}}
    )
    assert shell.run("secrets", "verify", *both, "vault", *exclude) == 1

    assert len(list(tmp_path.rglob("*.json"))) > 10, "evidence was written"
    logs = "".join(each.read_text() for each in (tmp_path / "logs").iterdir())
    assert logs.count("DEBUG:heavylift:at its loudest") == shell.runs
    found = {name: each.in_files([tmp_path]) for name, each in canaries.items()}
    assert not any(found.values()), found
    assert vault.rejected == google.rejected == cluster.rejected == []


def test_the_debugging_log_of_the_sdk_is_held_where_it_would_show_values(
    aws: Aws, google: SecretManagerServer, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.integration.secrets.stores import copied

    canary = Canary()
    before = logging.getLogger("botocore").level
    try:
        aws_connection = aws.connection()
        aws.secrets.create_secret(Name="a", SecretString=canary.value)
        with caplog.at_level(logging.DEBUG):
            assert copied(aws_connection, google.connection(), stores=["secrets_manager"]).passed
    finally:
        logging.getLogger("botocore").setLevel(before)
    assert not canary.in_text(caplog.text)
