"""Report and status tell what a sync did with objects that have gone from the source."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run as run_to_end
from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.evidence import paths
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.records import (
    DeletesRecord,
    EvidenceRef,
    Failure,
    Finding,
    PlanRecord,
    RunKey,
    Severity,
    Tally,
    VerificationRecord,
)
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.gates.summary import summarise, write_summary
from heavylift.report.advice import advice_on
from heavylift.report.build import render_report
from heavylift.report.deletions import deletion_in_words, deletions_of
from heavylift.report.story import RunStory, read_story
from heavylift.report.text import visible
from heavylift.report.timeline import lanes_of
from heavylift.report.verdict import Standing, headline_of
from heavylift.report.view import view_of
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.report.rich_run import HOSTILE
from tests.unit.report.test_report import Page

RUN = RunKey(migration="nightly", phase="sync", run="2026-11-24")
BEGAN = datetime(2026, 11, 24, 3, tzinfo=UTC)
BRAKE = "40 of 50 objects would go from the target, which is 80.0% and more than 50.0%"
QUARANTINE = "gs://lake-eu/out/d.heavylift-quarantine/2026-11-24/"


def tally(objects: int) -> Tally:
    return Tally(objects=objects, size_bytes=objects * 1_000)


class SyncRun:
    """Writes the evidence of a sync of dataset ``d``: 10 objects are there, ``gone`` have gone."""

    def __init__(self, store: EvidenceStore, gone: int = 40, *, brake: str = "", dry: bool = False) -> None:
        self.store = store
        self.gone = gone
        self.brake = brake
        self.dry = dry

    async def plan(self, **changes: Any) -> None:
        finding = Finding(
            rule="too-many-deletions", severity=Severity.WARNING, subject="d",
            detail=f"{self.brake}: the deletion will be refused", remedy="allow it for one run",
        )  # fmt: skip
        values: dict[str, Any] = {
            "run": RUN, "dataset": "d", "created_at": BEGAN, "seconds": 2.0, "dry_run": self.dry,
            "source_url": "s3://lake/d/", "target_url": "gs://lake-eu/out/d/", "found": tally(10),
            "to_copy": Tally(), "unchanged": tally(10), "refused": Tally(),
            "only_on_target": tally(self.gone), "deletes": "quarantine", "to_delete": tally(self.gone),
            "brake": self.brake, "findings": (finding,) if self.brake else (),
            "finding_count": 1 if self.brake else 0,
            "gone_rows": await self._rows("gone"), "target_rows": await self._rows("target-rows"),
        }  # fmt: skip
        await self.store.write_json(paths.plan_path(RUN, "d"), PlanRecord(**values | changes))

    async def _rows(self, name: str) -> EvidenceRef:
        path = f"{paths.dataset_folder(RUN, 'd')}/{name}.parquet"
        return await self.store.write_bytes(path, b"PAR1", "application/octet-stream")

    async def attempt(self, number: int, **changes: Any) -> None:
        values: dict[str, Any] = {
            "run": RUN, "dataset": "d", "policy": "quarantine", "planned": tally(self.gone),
            "started_at": BEGAN + timedelta(seconds=5 * number),
            "ended_at": BEGAN + timedelta(seconds=5 * number + 3),
            "quarantine_url": QUARANTINE, "allowed_beyond_brake": self.brake,
            "rows": (await self._rows(f"deletes/{number}"),),
        }  # fmt: skip
        record = DeletesRecord(**values | changes)
        ref = await self.store.write_json(paths.deletes_path(RUN, "d", number), record)
        act = Act(
            actor="airflow:nightly.sync/d.deletes", action="gone.deleted", phase=RUN.phase, run=RUN.run,
            subject="d", evidence=(ref,), details={"run_started_by": "ada"},
        )  # fmt: skip
        await AuditTrail(self.store, RUN.migration).append(act)

    async def end(self) -> None:
        record = VerificationRecord(
            run=RUN, dataset="d", source_url="s3://lake/d/", target_url="gs://lake-eu/out/d/",
            verified_at=BEGAN + timedelta(seconds=20), source=tally(10), target=tally(10), equal=tally(10),
            methods={"crc32c": 10}, passed=True,
        )  # fmt: skip
        await self.store.write_json(paths.verification_path(RUN, "d", 1), record)
        await write_summary(self.store, await summarise(self.store, RUN, ["d"], []))

    async def told(self) -> tuple[RunStory, Page]:
        return await read_story(self.store, RUN), Page(await render_report(self.store, RUN))


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


async def test_what_was_put_aside_is_told_with_where_it_lies(store: EvidenceStore) -> None:
    sync = SyncRun(store)
    await sync.plan()
    await sync.attempt(1, quarantined=tally(37), kept=tally(2), already_gone=tally(1))
    await sync.end()
    story, page = await sync.told()
    assert headline_of(story).standing is Standing.PASSED
    assert "37 objects that had gone from the source went from the target, too" in page.text
    assert "deleted or put aside 37" in page.text
    assert QUARANTINE in page.text
    assert "to go = deleted + put aside + already gone + kept + failed" in page.text
    assert deletion_in_words(deletions_of(story)) == (
        "40 objects gone from the source: 37 put aside, 1 gone already, 2 kept"
    )
    assert [bar.kind for lane in lanes_of(story) for bar in lane.bars] == ["plan", "gone", "proof"]


async def test_a_run_without_deletions_says_nothing_of_them(store: EvidenceStore) -> None:
    sync = SyncRun(store, gone=0)
    await sync.plan()
    await sync.attempt(1)
    await sync.end()
    story, page = await sync.told()
    assert deletions_of(story).rows == ()
    for words in ("What has gone", "deleted or put aside", "deletion"):
        assert words not in page.text


async def test_all_files_of_a_deletion_are_among_the_evidence(store: EvidenceStore) -> None:
    sync = SyncRun(store)
    await sync.plan()
    await sync.attempt(1, failed=tally(40))
    await sync.attempt(2, quarantined=tally(40))
    story, _page = await sync.told()
    named = {file.path for file in view_of(story).files}
    folder = paths.dataset_folder(RUN, "d")
    assert {
        f"{folder}/{name}"
        for name in (
            "plan.json", "gone.parquet", "target-rows.parquet", "deletes-1.json", "deletes-2.json",
            "deletes/1.parquet", "deletes/2.parquet",
        )
    } <= named  # fmt: skip


async def test_each_attempt_has_its_row_and_the_last_one_decides(store: EvidenceStore) -> None:
    sync = SyncRun(store)
    await sync.plan()
    await sync.attempt(1, quarantined=tally(30), failed=tally(10), failures=(_failure("one"),))
    await sync.attempt(2, quarantined=tally(10), already_gone=tally(30))
    await sync.end()
    story, page = await sync.told()
    told = deletions_of(story)
    assert (told.dealt_with, told.failed, told.planned) == (tally(40), 0, tally(40))
    assert [(row.attempt, row.standing, row.adds_up) for row in told.rows] == [
        (1, "failed", True), (2, "done", True),
    ]  # fmt: skip
    assert "attempt 1 of 2" in page.text
    assert "What an earlier attempt dealt with, a later one finds already gone" in page.text
    assert "HTTP 403" not in page.text, "the failure of an attempt that does not count any more"
    assert headline_of(story).standing is Standing.PASSED


@pytest.mark.parametrize(
    "outcomes",
    [
        {"quarantined": tally(39)},
        {"quarantined": Tally(objects=40, size_bytes=39_999)},
        {"quarantined": tally(41), "planned": tally(41)},
    ],
)
async def test_numbers_that_do_not_add_up_are_told(store: EvidenceStore, outcomes: dict[str, Tally]) -> None:
    sync = SyncRun(store)
    await sync.plan()
    await sync.attempt(1, **outcomes)
    _story, page = await sync.told()
    assert "The counts do not add up for d : the deletion's own books are wrong" in page.text
    assert "to go = deleted" not in page.text


async def test_a_refused_deletion_is_told_with_the_brakes_reason(store: EvidenceStore) -> None:
    sync = SyncRun(store, brake=BRAKE)
    await sync.plan()
    await sync.end()
    story, page = await sync.told()
    assert f"Refused, nothing was deleted: {BRAKE}" in page.text
    assert "✗ refused" in page.text
    assert headline_of(story).standing is Standing.FAILED
    (advice,) = advice_on(story)
    assert advice.problem == f"d: the deletion was refused: {BRAKE}"
    assert advice.remedy == "allow it for one run"
    assert deletion_in_words(deletions_of(story)) == "40 objects gone from the source: 40 not dealt with"


async def test_a_deletion_that_was_allowed_names_who_allowed_it(store: EvidenceStore) -> None:
    sync = SyncRun(store, brake=BRAKE)
    await sync.plan()
    await sync.attempt(1, quarantined=tally(40))
    await sync.end()
    _story, page = await sync.told()
    assert f"Allowed by ada for this run, although {BRAKE}" in page.text


async def test_a_deletion_that_never_came_is_told(store: EvidenceStore) -> None:
    sync = SyncRun(store)
    await sync.plan()
    await sync.end()
    story, page = await sync.told()
    assert "✗ not done" in page.text
    assert [each.remedy for each in advice_on(story)] == [
        "look at task d.deletes of DAG nightly.sync; clear it when mended"
    ]


async def test_a_dry_run_tells_what_would_go(store: EvidenceStore) -> None:
    sync = SyncRun(store, brake=BRAKE, dry=True)
    await sync.plan()
    story, page = await sync.told()
    assert "40 objects would go from the target." in headline_of(story).sentence
    assert "would go from the target 40" in page.text
    assert "Would be refused unless somebody allows it" in page.text
    assert deletion_in_words(deletions_of(story)) == "40 objects gone from the source would be dealt with"


async def test_a_failed_deletion_after_the_summary_takes_the_verdict_back(store: EvidenceStore) -> None:
    sync = SyncRun(store)
    await sync.plan()
    await sync.attempt(1, quarantined=tally(40))
    await sync.end()
    await sync.attempt(2, already_gone=tally(39), failed=tally(1), failures=(_failure("late"),))
    story, _page = await sync.told()
    headline = headline_of(story)
    assert headline.standing is Standing.FAILED
    assert headline.reasons == ("d: what has gone from the source has not been dealt with",)
    assert [bar.kind for lane in lanes_of(story) for bar in lane.bars] == ["plan", "gone", "bad", "proof"]


async def test_hostile_keys_of_failures_and_findings_are_shown_and_do_nothing(store: EvidenceStore) -> None:
    hostile = f"<i>{HOSTILE}"
    finding = Finding(
        rule="target-changed", severity=Severity.WARNING, subject=f"gs://lake-eu/{hostile}", detail="was kept"
    )
    sync = SyncRun(store, brake=f"<b>{hostile}")
    await sync.plan()
    await sync.attempt(
        1, policy=f"<u>{hostile}", quarantine_url=f"gs://lake-eu/{hostile}", kept=tally(38), failed=tally(2),
        failures=(_failure(hostile), _failure("k" * 1_000)), findings=(finding,),
    )  # fmt: skip
    await sync.end()
    html = await render_report(store, RUN)
    page = Page(html)
    assert not {"script", "b", "u"} & set(page.tags)
    assert b"<i>logs" not in html
    assert b"<script" not in html
    for shown in (visible(hostile), f"gs://lake-eu/{visible(hostile)}", f"<b>{visible(hostile)}", "was kept"):
        assert str(shown) in page.text
    for part in ("2 objects failed", "HTTP 403", "it is as it was", "grant s3:DeleteObject", "HL-3001"):
        assert part in page.text
    assert "dataset d , deletion, attempt 1" in page.text


def test_status_tells_deletions_in_a_line_and_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = (tmp_path / "evidence").as_uri()

    async def write() -> None:
        async with open_evidence(url) as store:
            sync = SyncRun(store)
            await sync.plan()
            await sync.attempt(1, quarantined=tally(39), failed=tally(1), failures=(_failure("x"),))
            await sync.end()

    run_to_end(write())
    assert run(app, ["status", "nightly", "--evidence", url]) == 1
    shown = capsys.readouterr().out
    assert "  deletions 40 objects gone from the source: 39 put aside, 1 failed" in shown
    assert (
        "d: 1 object could not be deleted or put aside; the first failure: delete of x: got HTTP 403" in shown
    )
    assert "to do     grant s3:DeleteObject; then clear task d.deletes" in shown
    assert run(app, ["status", "nightly", "--evidence", url, "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["phases"][0]["deletions"]
    assert row["standing"] == "failed"
    assert row["planned"] == {"objects": 40, "size_bytes": 40_000}
    assert row["quarantined"]["objects"] == 39
    assert row["failed"]["objects"] == 1


def _failure(key: str) -> Failure:
    error = {
        "type": "PermissionDeniedError", "code": "HL-3001", "what": f"delete of {key}", "got": "HTTP 403",
        "expected": "success", "state": "it is as it was", "remedy": "grant s3:DeleteObject",
        "retry_safe": True,
    }  # fmt: skip
    return Failure(key=key, error=error)
