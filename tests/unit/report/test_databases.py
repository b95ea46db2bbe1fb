"""Databases in a run's report and in ``heavylift status``: rows, changes, lag, and what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run as run_to_end
from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.records import Severity
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.table_records import TableDifference
from heavylift.gates.summary import summarise, write_summary
from heavylift.report.build import render_report
from heavylift.report.story import read_story
from heavylift.report.verdict import Standing, headline_of
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates import database_builder as built
from tests.unit.gates.database_builder import NAME, write_database
from tests.unit.gates.run_builder import RUN, write_good_run
from tests.unit.report.rich_run import HOSTILE, SCRIPT


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


async def write_run(store: EvidenceStore, *records: Any, datasets: tuple[str, ...] = ()) -> None:
    """Write a run that ends with a summary."""
    for name in datasets:
        await write_good_run(store, name)
    await write_database(store, *records)
    await write_summary(store, await summarise(store, RUN, datasets, [], [NAME]))


def good() -> list[Any]:
    return [built.preflight(), built.snapshot(), built.sync(), built.verification()]


async def test_a_run_of_databases_alone_is_told_as_passed(store: EvidenceStore) -> None:
    await write_run(store, *good())
    headline = headline_of(await read_story(store, RUN))
    assert headline.standing is Standing.PASSED
    assert headline.sentence.startswith("10 rows in 1 table of 1 database were proved equal")
    html = (await render_report(store, RUN)).decode()
    assert 'id="databases"' in html
    assert "objects found" not in html
    assert "0/20" in html


async def test_objects_and_rows_are_told_together(store: EvidenceStore) -> None:
    await write_run(store, *good(), datasets=("train",))
    sentence = headline_of(await read_story(store, RUN)).sentence
    assert "10 objects" in sentence
    assert "10 rows in 1 table" in sentence
    html = (await render_report(store, RUN)).decode()
    assert 'id="databases"' in html
    assert 'id="moved"' in html


async def test_rows_that_differ_are_shown_by_their_keys_and_do_nothing(store: EvidenceStore) -> None:
    hostile = TableDifference(table="public.features", kind="different", key={"id": HOSTILE, "x": None})
    wrong = built.verification(different=1, differences=(hostile,))
    await write_run(store, built.preflight(), built.snapshot(), wrong)
    html = (await render_report(store, RUN)).decode()
    assert SCRIPT not in html
    assert "NULL" in html
    assert headline_of(await read_story(store, RUN)).standing is Standing.FAILED


async def test_a_summary_that_the_evidence_contradicts_is_not_believed(store: EvidenceStore) -> None:
    await write_run(store, *good())
    await write_database(store, built.sync("0/40"))
    headline = headline_of(await read_story(store, RUN))
    assert headline.standing is Standing.FAILED
    assert headline.reasons == (f"{NAME}: changes were applied after its verification",)


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_dry_run_of_databases_has_moved_nothing(store: EvidenceStore, dry_run: bool) -> None:
    act = Act(actor="eva", action="run.started", phase=RUN.phase, run=RUN.run, details={"dry_run": dry_run})
    await AuditTrail(store, RUN.migration).append(act)
    blocked = built.preflight(built.finding(Severity.BLOCKER), passed=False)
    await write_run(store, blocked)
    headline = headline_of(await read_story(store, RUN))
    assert (headline.label == "Dry run") is dry_run
    if dry_run:
        assert headline.sentence == "About 10 rows in 1 database would be copied. 1 finding would stop it."


async def test_a_database_called_like_a_folder_is_no_dataset(store: EvidenceStore) -> None:
    await write_database(store, *good())
    [seen] = await list_runs(store, RUN.migration)
    assert (seen.datasets, seen.databases) == ((), (NAME,))


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("AIRFLOW_CONN_EVIDENCE", raising=False)
    return (tmp_path / "evidence").as_uri()


async def _kept(url: str, *records: Any) -> None:
    async with open_evidence(url) as store:
        await write_run(store, *records)


def test_status_tells_rows_changes_and_lag(evidence: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_to_end(_kept(evidence, *good()))
    assert run(app, ["status", "fraud", "--evidence", evidence]) == 0
    shown = capsys.readouterr().out
    assert f"database  {NAME}: 10 rows copied; 3 changes applied, 1.0 s, 100 B behind" in shown
    assert "verified 1 table: equal" in shown
    assert "objects" not in shown


def test_status_says_what_to_do_about_rows_that_differ(
    evidence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_to_end(_kept(evidence, built.preflight(), built.snapshot(), built.verification(different=2)))
    assert run(app, ["status", "fraud", "--evidence", evidence, "--json"]) == 1
    [phase] = json.loads(capsys.readouterr().out)["phases"]
    [database] = phase["databases"]
    assert (database["verified"], database["differences"]) == (False, 2)
    assert phase["advice"][0]["problem"].endswith(
        "2 rows differ, the first: different public.features (id=0)"
    )
