"""Feature stores in gates, in a run's report and in ``heavylift status``."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run as run_to_end
from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.evidence.records import Finding, Severity, utc_now
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.gates.evaluate import evaluate_gate
from heavylift.gates.summary import summarise, write_summary
from heavylift.report.build import render_report
from heavylift.report.story import read_story
from heavylift.report.verdict import Standing, headline_of
from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check, Phase
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates.feature_builder import (
    NAME,
    history,
    move,
    online,
    preflight,
    unequal,
    verification,
    write_features,
)
from tests.unit.gates.run_builder import RUN

CHECKS = (Check.FEATURES_EQUAL, Check.COUNTS_EQUAL, Check.CHECKSUMS_EQUAL, Check.NO_FINDINGS)
EQUAL = {"features_equal", "checksums_equal"}
WARNING = Finding(rule="types", severity=Severity.WARNING, subject="trips", detail="wider", remedy="look")


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


def good() -> list[Any]:
    return [preflight(), move(), verification()]


async def failed_checks(store: EvidenceStore, *records: Any) -> dict[str, str]:
    """Return which checks of a gate fail on these records, and why."""
    await write_features(store, *records)
    gate = Gate(name="all", phase=Phase.REGISTRY, checks=CHECKS)
    result, _ = await evaluate_gate(store, RUN, gate, [], feature_stores=[NAME])
    return {check.name: check.detail for check in result.checks if not check.passed}


@pytest.mark.parametrize(
    ("records", "failing"),
    [
        (good(), set()),
        ([preflight(), move()], EQUAL | {"counts_equal", "freshness"}),
        ([*good()[:-1], unequal(history(missing=1))], EQUAL | {"counts_equal"}),
        ([*good()[:-1], unequal(history(different=1))], EQUAL),
        ([*good()[:-1], verification(online=(online(different=1),))], EQUAL),
        ([*good()[:-1], verification(passed=False)], EQUAL),
        ([*good()[:-1], verification(histories=())], EQUAL | {"counts_equal"}),
        ([*good(), move(1, ended_at=utc_now() + timedelta(hours=1))], {"freshness"}),
        ([*good()[:-1], verification(verified_at=utc_now() - timedelta(days=2))], {"freshness"}),
        ([preflight(findings=(WARNING,)), *good()[1:]], {"no_findings"}),
        ([], EQUAL | {"counts_equal", "no_findings", "freshness"}),
    ],
)
async def test_a_gate_opens_on_good_evidence_alone(
    store: EvidenceStore, records: list[Any], failing: set[str]
) -> None:
    assert set(await failed_checks(store, *records)) == failing


async def test_a_gate_without_a_feature_store_says_so(store: EvidenceStore) -> None:
    gate = Gate(name="all", phase=Phase.REGISTRY, checks=(Check.FEATURES_EQUAL,))
    result, _ = await evaluate_gate(store, RUN, gate, [])
    assert [each.detail for each in result.checks] == ["there is no feature store to judge"]


async def test_report_and_headline_tell_of_them(store: EvidenceStore) -> None:
    await write_features(store, *good())
    await write_summary(store, await summarise(store, RUN, [], [], feature_stores=[NAME]))
    assert [each.feature_stores for each in await list_runs(store, RUN.migration)] == [(NAME,)]
    story = await read_story(store, RUN)
    headline = headline_of(story)
    assert headline.standing is Standing.PASSED
    assert "9 rows of history in 1 feature store were read afresh" in headline.sentence
    page = (await render_report(store, RUN)).decode()
    assert '<section id="features"' in page
    assert 'href="#features"' in page
    assert "Joins by time in drivers" in page
    assert "at most so many of all keys differ" in page
    assert "<td>100.00 %</td>" in page
    assert '<section id="moved"' not in page


async def test_what_differs_is_told_by_key(store: EvidenceStore) -> None:
    await write_features(store, preflight(), move(), unequal(history(different=2)))
    await write_summary(store, await summarise(store, RUN, [], [], feature_stores=[NAME]))
    story = await read_story(store, RUN)
    assert headline_of(story).standing is Standing.FAILED
    page = (await render_report(store, RUN)).decode()
    assert "driver=7" in page
    assert "its verification failed (2 things differ)" in page


async def test_a_later_verification_that_failed_takes_the_word_back(store: EvidenceStore) -> None:
    await write_features(store, *good())
    await write_summary(store, await summarise(store, RUN, [], [], feature_stores=[NAME]))
    await write_features(store, unequal(history(missing=1)))
    assert headline_of(await read_story(store, RUN)).label == "Not passed any more"


def test_status_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"file://{tmp_path}/evidence"

    async def fill() -> None:
        async with open_evidence(url) as store:
            await write_features(store, preflight(), move(), unequal(history(missing=1)))
            await write_summary(store, await summarise(store, RUN, [], [], feature_stores=[NAME]))

    run_to_end(fill())
    assert run(app, ["status", RUN.migration, "--evidence", url]) == 1
    shown = capsys.readouterr().out
    assert (
        "features  drivers: 9 rows written by this run; verified 9 rows in 1 view: 1 thing differs" in shown
    )
    assert "find out who else writes to the target" in shown
    run(app, ["status", RUN.migration, "--evidence", url, "--json"])
    (phase,) = json.loads(capsys.readouterr().out)["phases"]
    (row,) = phase["feature_stores"]
    assert (row["feature_store"], row["verified"], row["views"]) == (NAME, False, {"trips": False})
