"""Registries in gates, in a run's report and in ``heavylift status``."""

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
from heavylift.evidence.registry_records import (
    RegistryCompared,
    RegistryDifference,
    RegistryFailure,
    RegistryLeftover,
    RegistryLoss,
    RegistryTableProof,
)
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.gates.evaluate import evaluate_gate
from heavylift.gates.summary import summarise, write_summary
from heavylift.report.build import render_report
from heavylift.report.registries import registry_advice, registry_line, registry_rows
from heavylift.report.story import read_story
from heavylift.report.verdict import Standing, headline_of
from heavylift.spec.gates import DEFAULT_REGISTRY_GATE, Gate
from heavylift.spec.vocabulary import Check, Phase
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates.registry_builder import NAME, move, preflight, verification, write_registry
from tests.unit.gates.run_builder import RUN
from tests.unit.report.rich_run import HOSTILE, SCRIPT

CHECKS = (Check.REGISTRIES_EQUAL, Check.COUNTS_EQUAL, Check.CHECKSUMS_EQUAL, Check.NO_FINDINGS)
EQUAL = {"registries_equal", "checksums_equal"}
UNEQUAL = RegistryTableProof(table="metrics", source="1:a:b", target="2:a:b", equal=False)
WARNING = Finding(
    rule="encryption-keys", severity=Severity.WARNING, subject="secrets", detail="keys", remedy="give them"
)


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


def good() -> list[Any]:
    return [preflight(), move(), move("sync", 2), verification()]


async def failed_checks(store: EvidenceStore, *records: Any, gate: Gate | None = None) -> dict[str, str]:
    """Return which checks of a gate fail on these records, and why."""
    await write_registry(store, *records)
    every = gate or Gate(name="all", phase=Phase.REGISTRY, checks=CHECKS)
    result, _ = await evaluate_gate(store, RUN, every, [], registries=[NAME])
    return {check.name: check.detail for check in result.checks if not check.passed}


async def test_good_evidence_opens_every_check(store: EvidenceStore) -> None:
    assert await failed_checks(store, *good()) == {}


@pytest.mark.parametrize(
    ("records", "failing"),
    [
        ([preflight(), move()], EQUAL | {"counts_equal", "freshness"}),
        ([*good()[:-1], verification(missing=1)], EQUAL | {"counts_equal"}),
        ([*good()[:-1], verification(tables=(UNEQUAL,), passed=False)], EQUAL),
        ([*good()[:-1], verification(passed=False)], EQUAL),
        ([*good()[:-1], verification(compared=(), passed=True)], EQUAL | {"counts_equal"}),
        ([*good(), move("sync", 1, ended_at=utc_now() + timedelta(hours=1))], {"freshness"}),
        (
            [*good()[:-1], verification(verified_at=utc_now() - timedelta(days=2))],
            {"freshness"},
        ),
        ([preflight(findings=(WARNING,)), *good()[1:]], {"no_findings"}),
        (
            [preflight(), move(leftovers=(RegistryLeftover(table="tags", column="v", prefix="s3", rows=1),)),
             verification()],
            {"no_findings"},
        ),
    ],
)  # fmt: skip
async def test_what_is_not_proved_shuts_the_gate(
    store: EvidenceStore, records: list[Any], failing: set[str]
) -> None:
    assert set(await failed_checks(store, *records)) == failing


async def test_what_is_newer_or_kept_is_no_difference(store: EvidenceStore) -> None:
    runs = RegistryCompared(what="run", source=9, target=9, equal=8, missing=1, extra=1, newer=1, kept=1)
    assert await failed_checks(store, *good()[:-1], verification(compared=(runs,))) == {}


async def test_the_default_gate_does_not_pass_on_nothing(store: EvidenceStore) -> None:
    result, _ = await evaluate_gate(store, RUN, DEFAULT_REGISTRY_GATE, ["artifacts"], registries=[])
    assert not result.passed
    assert [check.detail for check in result.checks] == ["there is no registry to judge"]


async def write_run(store: EvidenceStore, *records: Any) -> None:
    """Write a run that ends with a summary."""
    await write_registry(store, *records)
    await write_summary(store, await summarise(store, RUN, [], [], registries=[NAME]))


async def test_a_run_of_registries_alone_is_told_as_passed(store: EvidenceStore) -> None:
    await write_run(store, *good())
    story = await read_story(store, RUN)
    headline = headline_of(story)
    assert headline.standing is Standing.PASSED, headline.reasons
    assert headline.sentence.startswith("11 things in 1 registry were read from both servers")
    assert [each.written for each in story.registries] == [11]
    html = (await render_report(store, RUN)).decode()
    assert 'id="registries"' in html
    assert "objects found" not in html
    assert "old:5000" in html
    [seen] = await list_runs(store, RUN.migration)
    assert (seen.datasets, seen.registries) == ((), (NAME,))


@pytest.mark.parametrize(
    ("names", "title"),
    [
        ([NAME], "Everything the source had is on the target"),
        ([f"{NAME}.back"], "Everything the target had is on the source"),
        ([f"{NAME}.back", "other"], f"; {NAME}.back: what was on the target is on the source"),
    ],
)
async def test_the_headline_tells_which_way_a_registry_went(
    store: EvidenceStore, names: list[str], title: str
) -> None:
    for name in names:
        records = [each.model_copy(update={"registry": name}) for each in good()]
        await write_registry(store, *records, name=name)
    await write_summary(store, await summarise(store, RUN, [], [], registries=names))
    headline = headline_of(await read_story(store, RUN))
    assert (headline.standing, headline.title.endswith(title)) == (Standing.PASSED, True), headline


async def test_things_that_differ_are_shown_by_id_and_field_and_do_nothing(store: EvidenceStore) -> None:
    hostile = RegistryDifference(what="run", id=HOSTILE, kind="different", fields=("data.tags[x]", SCRIPT))
    wrong = verification(missing=1, differences=(hostile,), unread=("webhooks",), tables=(UNEQUAL,))
    await write_run(store, *good()[:-1], wrong)
    html = (await render_report(store, RUN)).decode()
    assert SCRIPT not in html
    assert "data.tags[x]" in html
    assert "0 of 1 table have equal digests, not <bdi>metrics</bdi>" in html
    headline = headline_of(await read_story(store, RUN))
    assert headline.reasons == (f"{NAME}: its verification failed (1 thing differs)",)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([preflight(passed=False)], "its preflight found what stands in the way"),
        ([preflight(), verification()], "there is neither a copy nor a sync"),
        ([preflight(), move(dry_run=True), verification()], "there is neither a copy nor a sync"),
        ([preflight(), move()], "it was not verified"),
        (
            [*good(), move(ended_at=utc_now() + timedelta(hours=1))],
            "rows were written after its verification",
        ),
        (
            [*good()[:-1], verification(tables=(UNEQUAL,), passed=False)],
            "its verification failed (the databases differ in metrics)",
        ),
    ],
)  # fmt: skip
async def test_a_run_that_is_not_proved_says_why(
    store: EvidenceStore, records: list[Any], reason: str
) -> None:
    await write_run(store, *records)
    headline = headline_of(await read_story(store, RUN))
    assert headline.standing is Standing.FAILED
    assert f"{NAME}: {reason}" in headline.reasons


THROUGH = move(
    path="api",
    losses=(
        RegistryLoss(what="job", item="all", reason="they ran on the source"),
        RegistryLoss(what="webhook", item="its secret", reason="no interface tells it", count=3),
    ),
    failures=(RegistryFailure(what="runs", id=HOSTILE, reason=f"too long: {SCRIPT}", code="HL-9557"),),
    failure_count=2,
    passed=False,
)


async def test_what_does_not_arrive_and_what_was_refused_is_told(store: EvidenceStore) -> None:
    await write_run(store, preflight(path="api"), THROUGH, verification())
    html = (await render_report(store, RUN)).decode()
    assert SCRIPT not in html
    assert html.index("its secret") < html.index("they ran on the source")
    assert "HL-9557" in html
    assert "1 thing more in the evidence file" in html
    [row] = registry_rows(await read_story(store, RUN))
    assert "9 things there, 9 written by this run" in registry_line(row)
    assert "2 refused; 3 lost, as listed" in registry_line(row)
    assert (row.document["losses"], row.document["refused"]) == (3, 2)
    [(problem, remedy)] = registry_advice(row, "fraud.registry")
    assert problem.startswith(f"{NAME}: 2 things did not arrive as they are, the first: runs {HOSTILE}")
    assert "group registry_history" in remedy


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("AIRFLOW_CONN_EVIDENCE", raising=False)
    return (tmp_path / "evidence").as_uri()


async def _kept(url: str, *records: Any) -> None:
    async with open_evidence(url) as store:
        await write_run(store, *records)


def test_status_tells_rows_age_and_proof(evidence: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_to_end(_kept(evidence, *good()))
    assert run(app, ["status", "fraud", "--evidence", evidence]) == 0
    shown = capsys.readouterr().out
    assert f"registry  {NAME}: 9 rows there, 11 written by this run, as of 5 min" in shown
    assert "verified 11 things: equal" in shown


def test_status_says_what_to_do_about_things_that_differ(
    evidence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_to_end(_kept(evidence, *good()[:-1], verification(missing=1)))
    assert run(app, ["status", "fraud", "--evidence", evidence, "--json"]) == 1
    [phase] = json.loads(capsys.readouterr().out)["phases"]
    [registry] = phase["registries"]
    assert (registry["verified"], registry["differences"], registry["rows_written"]) == (False, 1, 11)
    assert phase["advice"][0]["problem"] == f"{NAME}: 1 thing differs, the first: missing run r9"
    assert "registry_history.sync_registry" in phase["advice"][0]["remedy"]
