"""heavylift report, status and audit: what they print, write and exit with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heavylift.aio import run as run_to_end
from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.evidence import paths
from heavylift.evidence.audit_verify import verify_trail
from heavylift.evidence.store import open_evidence
from tests.unit.report.rich_run import RUN, RichRun


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_EVIDENCE", raising=False)


async def _write(url: str, *, broken: bool) -> None:
    async with open_evidence(url) as store:
        await RichRun(store, objects=1_200).write(broken=broken)


@pytest.fixture
def good(tmp_path: Path) -> str:
    url = (tmp_path / "evidence").as_uri()
    run_to_end(_write(url, broken=False))
    return url


@pytest.fixture
def broken(tmp_path: Path) -> str:
    url = (tmp_path / "evidence").as_uri()
    run_to_end(_write(url, broken=True))
    return url


def test_status_of_a_good_run(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["status", "fraud-scoring", "--evidence", good]) == 0
    shown = capsys.readouterr().out
    assert "fraud-scoring transfer: PASSED: Everything the source had is on the target" in shown
    assert "gate      transfer-verified passed and was approved by Ada Lovelace" in shown
    assert shown.count("audit trail\n") == 1
    assert "WRONG" not in shown


def test_status_of_a_broken_run_says_what_to_do(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["status", "fraud-scoring", "--evidence", broken, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    phase = document["phases"][0]
    assert not document["passed"]
    assert phase["standing"] == "failed"
    problems = [advice["problem"] for advice in phase["advice"]]
    assert problems[0].startswith("transactions: 1 shard unfinished (7); the first failure: put of gs://")
    assert problems[1].startswith("transactions: 2 differences")
    assert "clear task transactions.copy" in phase["advice"][0]["remedy"]


def test_status_of_an_unknown_migration_is_refused(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["status", "nope", "--evidence", good]) == 2
    assert "HL-4202" in capsys.readouterr().err


def test_nothing_is_made_where_no_evidence_is(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert run(app, ["status", "m", "--evidence", absent.as_uri()]) == 2
    assert run(app, ["audit", "verify", "--evidence", absent.as_uri()]) == 2
    assert not absent.exists()


def test_a_report_becomes_evidence_that_the_trail_names(
    good: str, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "manual__2026-11-22T09:14:03+00:00"
    arguments = [
        "report",
        "fraud-scoring",
        "--phase",
        "transfer",
        "--run",
        title,
        "--evidence",
        good,
        "--json",
    ]
    assert run(app, arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["report"].endswith(paths.report_path(RUN, 1))

    async def check() -> None:
        async with open_evidence(good) as store:
            assert (await store.ref_of(paths.report_path(RUN, 1))).sha256 == document["sha256"]
            assert (await verify_trail(store, "fraud-scoring")).intact

    run_to_end(check())


def test_a_report_to_a_file_leaves_the_store_alone(
    good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def names() -> list[str]:
        async with open_evidence(good) as store:
            return await store.names()

    before = run_to_end(names())
    output = tmp_path / "report.html"
    assert run(app, ["report", "fraud-scoring", "--output", str(output), "--evidence", good]) == 0
    assert output.read_text().startswith("<!doctype html>")
    assert str(output) in capsys.readouterr().out
    assert run_to_end(names()) == before


def test_the_evidence_connection_is_used(
    good: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = {"conn_type": "file", "extra": {"path": str(tmp_path / "evidence")}}
    monkeypatch.setenv("AIRFLOW_CONN_EVIDENCE", json.dumps(connection))
    assert run(app, ["audit", "verify", "fraud-scoring"]) == 0
    assert "fraud-scoring: intact" in capsys.readouterr().out


def test_audit_verify_finds_damage(good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["audit", "verify", "--evidence", good, "--json"]) == 0
    head = json.loads(capsys.readouterr().out)["migrations"][0]["head"]
    assert run(app, ["audit", "verify", "fraud-scoring", "--head", head, "--evidence", good]) == 0
    plan = tmp_path / "evidence" / paths.plan_path(RUN, "transactions")
    plan.write_bytes(plan.read_bytes().replace(b"fraud-data", b"fraud-date"))
    capsys.readouterr()
    assert run(app, ["audit", "verify", "--evidence", good]) == 1
    shown = capsys.readouterr().out
    assert "fraud-scoring: DAMAGED" in shown
    assert f"changed evidence: {paths.plan_path(RUN, 'transactions')}" in shown
    assert run(app, ["audit", "verify", "--no-files", "--evidence", good]) == 0
    (tmp_path / "evidence" / "fraud-scoring" / "audit" / "000000000026.json").unlink()
    assert run(app, ["audit", "verify", "fraud-scoring", "--no-files", "--evidence", good]) == 0
    short = ["audit", "verify", "fraud-scoring", "--no-files", "--head", head, "--evidence", good]
    assert run(app, short) == 1


def test_audit_verify_of_nothing_is_refused(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["audit", "verify", "nope", "--evidence", good]) == 2
    assert "HL-4201" in capsys.readouterr().err
    assert run(app, ["audit", "verify", "nope", "--head", "0" * 64, "--evidence", good]) == 1
    assert run(app, ["audit", "verify", "--head", "0" * 64, "--evidence", good]) == 2


def test_audit_show_prints_the_last_entries(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["audit", "show", "fraud-scoring", "--last", "2", "--evidence", good]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["no.", "25", "26"]
    assert "transfer/manual__2026-11-22T09:14:03+00:00" in lines[1]
    assert "run.finished" in lines[2]
