"""Streams in a run's report and in ``heavylift status``: records, lag, and what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run as run_to_end
from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.stream_records import RecordDifference
from heavylift.gates.summary import summarise, write_summary
from heavylift.report.build import render_report
from heavylift.report.story import read_story
from heavylift.report.verdict import Standing, headline_of
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates import database_builder, stream_builder
from tests.unit.gates.run_builder import RUN, write_good_run
from tests.unit.gates.stream_builder import NAME, write_stream
from tests.unit.report.rich_run import HOSTILE, SCRIPT


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


def good() -> list[Any]:
    return [stream_builder.plan(), stream_builder.mirror(), stream_builder.verification()]


async def write_run(store: EvidenceStore, *records: Any, datasets: tuple[str, ...] = ()) -> None:
    """Write a run that ends with a summary."""
    for name in datasets:
        await write_good_run(store, name)
    await write_stream(store, *records)
    await write_summary(store, await summarise(store, RUN, datasets, [], [], [NAME]))


async def test_a_run_of_streams_alone_is_told_as_passed(store: EvidenceStore) -> None:
    await write_run(store, *good())
    headline = headline_of(await read_story(store, RUN))
    assert headline.standing is Standing.PASSED
    assert headline.sentence.startswith("7 records in 1 partition of 1 stream were read from both sides")
    html = (await render_report(store, RUN)).decode()
    assert 'id="streams"' in html
    assert "objects found" not in html
    assert "old:9092" in html


async def test_objects_rows_and_records_are_told_together(store: EvidenceStore) -> None:
    built = database_builder
    await built.write_database(store, built.preflight(), built.snapshot(), built.sync(), built.verification())
    await write_good_run(store, "train")
    await write_stream(store, *good())
    await write_summary(store, await summarise(store, RUN, ("train",), [], [built.NAME], [NAME]))
    sentence = headline_of(await read_story(store, RUN)).sentence
    for told in ("10 objects", "10 rows in 1 table", "7 records in 1 partition"):
        assert told in sentence


async def test_attempts_are_counted_together_and_the_last_one_decides(store: EvidenceStore) -> None:
    broken = stream_builder.mirror(sent=4, size_bytes=400, complete=False)
    await write_run(store, stream_builder.plan(), broken, *good()[1:])
    story = await read_story(store, RUN)
    assert [(each.sent, each.size_bytes) for each in story.streams] == [(11, 1100)]
    assert headline_of(story).standing is Standing.PASSED


async def test_records_that_differ_are_shown_by_their_offsets_and_do_nothing(store: EvidenceStore) -> None:
    hostile = RecordDifference(topic=HOSTILE, partition=0, kind="extra", target_offset=41)
    wrong = stream_builder.verification(missing=1, differences=(hostile,))
    await write_run(store, stream_builder.plan(), stream_builder.mirror(), wrong)
    html = (await render_report(store, RUN)).decode()
    assert SCRIPT not in html
    assert '<td class="n">–</td><td class="n">41</td>' in html
    headline = headline_of(await read_story(store, RUN))
    assert headline.standing is Standing.FAILED
    assert headline.reasons == (f"{NAME}: its verification failed (1 record differs)",)


async def test_a_summary_that_the_evidence_contradicts_is_not_believed(store: EvidenceStore) -> None:
    await write_run(store, *good())
    await write_stream(store, stream_builder.mirror(complete=False))
    headline = headline_of(await read_story(store, RUN))
    assert headline.standing is Standing.FAILED
    assert f"{NAME}: its mirror did not come to the end" in headline.reasons


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_dry_run_of_streams_has_moved_nothing(store: EvidenceStore, dry_run: bool) -> None:
    await write_run(store, stream_builder.plan(dry_run=dry_run, refusals=({"code": "6500"},)))
    headline = headline_of(await read_story(store, RUN))
    assert (headline.label == "Dry run") is dry_run
    if dry_run:
        assert headline.sentence == "About 7 records in 1 stream would be mirrored. 1 refusal would stop it."


async def test_a_stream_is_no_dataset(store: EvidenceStore) -> None:
    await write_stream(store, *good())
    [seen] = await list_runs(store, RUN.migration)
    assert (seen.datasets, seen.databases, seen.streams) == ((), (), (NAME,))


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("AIRFLOW_CONN_EVIDENCE", raising=False)
    return (tmp_path / "evidence").as_uri()


async def _kept(url: str, *records: Any) -> None:
    async with open_evidence(url) as store:
        await write_run(store, *records)


def test_status_tells_records_and_lag(evidence: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_to_end(_kept(evidence, *good()))
    assert run(app, ["status", "fraud", "--evidence", evidence]) == 0
    shown = capsys.readouterr().out
    assert (
        f"stream    {NAME}: 7 records mirrored, 3.0 s, 2 records behind; verified 1 partition: equal" in shown
    )
    assert "objects" not in shown


def test_status_says_what_to_do_about_records_that_differ(
    evidence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_to_end(_kept(evidence, *good()[:2], stream_builder.verification(missing=2)))
    assert run(app, ["status", "fraud", "--evidence", evidence, "--json"]) == 1
    [phase] = json.loads(capsys.readouterr().out)["phases"]
    [stream] = phase["streams"]
    assert (stream["verified"], stream["differences"], stream["records_sent"]) == (False, 2, 7)
    assert phase["advice"][0]["problem"].endswith(
        "2 records differ, the first: missing orders, partition 0, offset 0"
    )
