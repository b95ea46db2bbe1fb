"""AzCopy moves a dataset: a program of the same arguments, environment and output, which copies."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import ConnectionConfigError, IncompleteError, TransientError, UnsupportedError
from heavylift_airflow.operators.services.azcopy import RunAzCopyOperator
from tests.integration.objects.places import Servers
from tests.integration.services.conftest import Moving
from tests.integration.services.tasks import copy_rest, plan, serve, task, verify
from tests.plugins.world import context_of
from tests.support import fake_azcopy

SECRET = "the-client-secret"


class Program:
    """The stand-in for AzCopy: its settings, and what it was given."""

    def __init__(self, folder: Path, moving: Moving) -> None:
        azure = moving.servers.connection("azure_target")
        host = str(azure.host).rstrip("/")
        self.file = folder / "settings.json"
        self.plans = folder / "plans"
        self.settings: dict[str, Any] = {
            "seen": str(folder / "seen.json"),
            "s3": moving.servers.connection("aws_source").extra["endpoint_url"],
            "azure": host,
            "azure_key": azure.password,
            "account_path": "/" + host.rpartition("/")[2],
        }
        self.set()

    def set(self, **changes: Any) -> None:
        """Change what the next run does."""
        self.settings |= changes
        self.file.write_text(json.dumps(self.settings))

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What each run was given."""
        seen = Path(self.settings["seen"])
        runs: list[dict[str, Any]] = json.loads(seen.read_text()) if seen.exists() else []
        return runs


@pytest.fixture
def to_azure(
    moving: Moving, container_on: Callable[[Servers, str], str], monkeypatch: pytest.MonkeyPatch
) -> Moving:
    """Return a migration from S3 to Azure Blob, through AzCopy."""
    moving.target = container_on(moving.servers, "azure_target")
    moving.spec["target"] = {"platform": "azure", "connection": "azure_target"}
    moving.save(via="azcopy", target=f"az://{moving.target}/{moving.prefix}", service={"connection": "entra"})
    entra = {
        "conn_type": "wasb",
        "login": "the-client",
        "password": SECRET,
        "extra": {"tenant_id": "the-tenant"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ENTRA", json.dumps(entra))
    source = json.loads(moving.servers.stack.env["AIRFLOW_CONN_AWS_SOURCE"])
    source["extra"]["azcopy_source_endpoint"] = "https://s3.us-east-1.amazonaws.com"
    monkeypatch.setenv("AIRFLOW_CONN_AWS_SOURCE", json.dumps(source))
    for number in range(4):
        moving.put(f"part={number}.bin", bytes([number]) * 1000 * number, ContentType="application/x-part")
    return moving


@pytest.fixture
def program(to_azure: Moving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return the stand-in, found by its variable."""
    made = Program(tmp_path, to_azure)
    script = tmp_path / "azcopy"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {fake_azcopy.__file__} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("HEAVYLIFT_AZCOPY", str(script))
    monkeypatch.setenv("AZCOPY_TEST_SETTINGS", str(made.file))
    monkeypatch.setenv("AZCOPY_JOB_PLAN_LOCATION", str(made.plans))
    return made


def serve_azcopy(moving: Moving, **changes: Any) -> dict[str, int]:
    return serve(moving.spec_path, RunAzCopyOperator, **changes)


def test_a_dataset_goes_through_azcopy_and_is_proved_by_us(to_azure: Moving, program: Program) -> None:
    assert plan(to_azure.spec_path) == []
    counts = serve_azcopy(to_azure)
    assert (counts["found"], counts["moved"]) == (4, 4)
    assert verify(to_azure.spec_path)["objects"] == 4


def test_secrets_go_through_the_environment_and_nothing_else_of_ours_does(
    to_azure: Moving, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(to_azure.spec_path)
    serve_azcopy(to_azure)
    [run] = program.runs
    key = to_azure.servers.connection("aws_source").password
    told = json.dumps(run["arguments"])
    assert SECRET not in told
    assert str(key) not in told
    assert run["environment"]["AZCOPY_SPA_CLIENT_SECRET"] == SECRET
    assert run["environment"]["AWS_SECRET_ACCESS_KEY"] == key
    assert not [name for name in run["environment"] if name.startswith("AIRFLOW")]
    kept = "".join(p.read_text("utf-8", "replace") for p in to_azure.evidence.rglob("*") if p.is_file())
    shown = capsys.readouterr()
    for secret in (SECRET, str(key)):
        assert secret not in kept + shown.out + shown.err


def test_keys_that_azcopy_is_not_trusted_with_are_moved_by_our_workers(
    to_azure: Moving, program: Program
) -> None:
    for key in ("folder/", "per%20cent", "é"):
        to_azure.put(key, b"")
    shards = plan(to_azure.spec_path)
    assert sum(shard["objects"] for shard in shards) == 3
    assert serve_azcopy(to_azure)["moved"] == 4
    assert copy_rest(to_azure.spec_path, shards) == 3
    assert verify(to_azure.spec_path)["objects"] == 7


def test_failed_objects_are_named_without_their_signature_and_a_second_attempt_copies_the_rest(
    to_azure: Moving, program: Program
) -> None:
    program.set(refuse=["part=2.bin"])
    plan(to_azure.spec_path)
    with pytest.raises(IncompleteError, match=r"1 objects failed.*part=2\.bin") as caught:
        serve_azcopy(to_azure)
    assert "sig=" not in str(caught.value)
    program.set(refuse=[])
    counts = serve_azcopy(to_azure, attempt=2)
    assert (counts["moved"], counts["unchanged"]) == (1, 3)
    assert verify(to_azure.spec_path)["objects"] == 4


def stop_when_begun(made: Any, program: Program) -> threading.Thread:
    def stop() -> None:
        plan_file = program.plans / f"{fake_azcopy.JOB}--00000.steV22"
        while not plan_file.exists():
            time.sleep(0.02)
        while not list(Path(made.spec_path).parent.rglob("service-1.json")):
            time.sleep(0.02)
        made.on_kill()

    thread = threading.Thread(target=stop)
    thread.start()
    return thread


def test_a_killed_task_interrupts_the_program_and_a_retry_resumes_its_job(
    to_azure: Moving, program: Program
) -> None:
    program.set(wait=True)
    plan(to_azure.spec_path)
    made = task(RunAzCopyOperator, to_azure.spec_path)
    stopper = stop_when_begun(made, program)
    with pytest.raises(TransientError, match="HL-8003"):
        made.execute(context_of(made))
    stopper.join()
    program.set(wait=False)
    assert serve_azcopy(to_azure, attempt=2)["moved"] == 4
    assert program.runs[-1]["arguments"][:3] == ["jobs", "resume", fake_azcopy.JOB]
    assert verify(to_azure.spec_path)["objects"] == 4


def test_on_another_machine_a_new_job_skips_what_is_there(to_azure: Moving, program: Program) -> None:
    program.set(wait=True)
    plan(to_azure.spec_path)
    made = task(RunAzCopyOperator, to_azure.spec_path)
    stopper = stop_when_begun(made, program)
    with pytest.raises(TransientError):
        made.execute(context_of(made))
    stopper.join()
    for file in program.plans.iterdir():
        file.unlink()
    program.set(wait=False)
    assert serve_azcopy(to_azure, attempt=2)["moved"] == 4
    assert program.runs[-1]["arguments"][0] == "copy"


def test_without_the_program_or_an_identity_nothing_starts(
    to_azure: Moving, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(to_azure.spec_path)
    with monkeypatch.context() as patched:
        patched.setenv("HEAVYLIFT_AZCOPY", "no-such-program")
        with pytest.raises(UnsupportedError, match="HL-5540"):
            serve_azcopy(to_azure)
    to_azure.save(service={"connection": "azure_target"})
    with pytest.raises(ConnectionConfigError, match="HL-5541"):
        serve_azcopy(to_azure)
    assert program.runs == []


def test_a_store_that_only_speaks_the_protocol_of_s3_is_refused(
    to_azure: Moving, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_SOURCE", to_azure.servers.stack.env["AIRFLOW_CONN_AWS_SOURCE"])
    plan(to_azure.spec_path)
    with pytest.raises(UnsupportedError, match="HL-5542"):
        serve_azcopy(to_azure)


def test_a_program_that_says_nothing_has_not_begun(to_azure: Moving, program: Program) -> None:
    Path(str(program.file.parent / "azcopy")).write_text("#!/bin/sh\nexit 0\n")
    plan(to_azure.spec_path)
    with pytest.raises(IncompleteError, match="HL-5544"):
        serve_azcopy(to_azure)
