"""A copy that is killed midway is carried on by the next run, which does only the rest."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

from tests.integration.secrets.stores import Aws, copied
from tests.support.secret_manager_server import SecretManagerServer
from tests.support.shell import start

NAMES = [f"secret-{number:02}" for number in range(12)]


def test_the_next_run_does_only_the_rest(aws: Aws, google: SecretManagerServer, tmp_path: Path) -> None:
    for name in NAMES:
        aws.secrets.create_secret(Name=name, SecretString=f"value of {name}")
    reached, go_on = threading.Event(), threading.Event()

    def stop_there(count: int) -> None:
        if count == 5:
            reached.set()
            go_on.wait(60)

    google.before_version = stop_there
    environment = {
        **os.environ,
        "AIRFLOW_CONN_AWS": json.dumps(
            {"conn_type": "aws", "login": "test", "password": "test", "extra": aws.extra}
        ),
        "AIRFLOW_CONN_GOOGLE": json.dumps({"conn_type": "google_cloud_platform", "extra": google.extra}),
    }
    command = ["secrets", "copy", "--source-conn", "aws", "--target-conn", "google"]
    running = start([*command, "--evidence", tmp_path.as_uri()], environment)
    assert reached.wait(60)
    os.kill(running.pid, signal.SIGKILL)
    assert running.end()[0] == -signal.SIGKILL
    go_on.set()
    google.before_version = None
    done = {name for name, versions in google.versions.items() if versions}
    assert done
    assert done != set(NAMES)
    shells = set(google.versions) - done

    record = copied(aws.connection(), google.connection(), stores=["secrets_manager"])
    assert record.passed
    outcomes = {each.source: each.outcome for each in record.rows}
    # The request at which it was killed may have been carried out after all.
    assert {name for name, each in outcomes.items() if each == "equal"} >= done
    assert all(outcomes[name] == "created" for name in set(NAMES) - done - shells)
    assert {name: versions for name, versions in google.versions.items()} == {
        name: [f"value of {name}".encode()] for name in NAMES
    }
