"""Models at a gate, in the summary, in the report: nothing passes on nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from heavylift.evidence.records import CheckOutcome, utc_now
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.checks import MODEL_JUDGES
from heavylift.gates.evaluate import evaluate_gate
from heavylift.gates.summary import summarise, write_summary
from heavylift.models.rules import finding
from heavylift.report.advice import advice_on
from heavylift.report.build import render_report
from heavylift.report.models import model_line, model_rows
from heavylift.report.story import read_story
from heavylift.report.verdict import Standing, headline_of
from heavylift.spec.vocabulary import Check
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates import model_builder as built
from tests.unit.gates.model_builder import NAME, VERSION, write_model
from tests.unit.gates.run_builder import RUN, gate
from tests.unit.report.rich_run import HOSTILE, SCRIPT

ALL = [(NAME, VERSION)]
SUBJECT = f"{NAME} {VERSION}"


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


async def judged(store: EvidenceStore, *checks: Check, max_age: int = 86_400) -> dict[str, CheckOutcome]:
    result, _ = await evaluate_gate(store, RUN, gate(*checks, max_age=max_age), [], models=ALL)
    return {check.name: check for check in result.checks}


async def reasons(store: EvidenceStore) -> tuple[str, ...]:
    return (await summarise(store, RUN, [], [], models=ALL)).reasons


async def test_a_model_that_was_proved_passes_every_check(store: EvidenceStore) -> None:
    await write_model(store, built.check(), built.comparison())
    outcomes = await judged(store, *MODEL_JUDGES)
    assert {name for name, each in outcomes.items() if not each.passed} == set()
    assert set(outcomes) == {*MODEL_JUDGES, "freshness"}
    assert all(each.evidence or each.name == "freshness" for each in outcomes.values())
    assert {each.subject for each in outcomes.values()} == {SUBJECT}
    assert await reasons(store) == ()


async def test_nothing_proves_nothing(store: EvidenceStore) -> None:
    outcomes = await judged(store, *MODEL_JUDGES)
    assert not any(each.passed for each in outcomes.values())
    assert await reasons(store) == (f"{SUBJECT}: it was not compared",)
    result, _ = await evaluate_gate(store, RUN, gate(Check.MODELS_AGREE), [])
    assert not result.passed
    assert result.checks[0].detail == "there is no model to judge"


@pytest.mark.parametrize(
    ("records", "check", "detail"),
    [
        ([built.check(passed=False, statement="1 finding")], Check.MODELS_COMPATIBLE, "1 finding"),
        ([built.check(target_url="")], Check.MODELS_COMPATIBLE, "only the source was checked"),
        ([built.comparison(passed=False, statement="9 rows")], Check.MODELS_AGREE, "9 rows"),
        ([built.check(digest="bb"), built.comparison()], Check.MODELS_AGREE, "not what was checked"),
        ([built.check(target_digest="bb"), built.comparison()], Check.MODELS_AGREE, "not what was checked"),
        (
            [built.check(findings=(finding("library-newer", "x", "y"),))],
            Check.NO_FINDINGS,
            "warning library-newer",
        ),
    ],
)
async def test_a_check_says_why_it_does_not_hold(
    store: EvidenceStore, records: list[Any], check: Check, detail: str
) -> None:
    await write_model(store, *records)
    outcome = (await judged(store, check))[check.value]
    assert not outcome.passed
    assert detail in outcome.detail


async def test_the_latest_record_decides_and_an_old_one_does_not_count(store: EvidenceStore) -> None:
    old = utc_now() - timedelta(hours=3)
    await write_model(store, built.check(), built.comparison(passed=False), built.comparison(compared_at=old))
    assert (await judged(store, Check.MODELS_AGREE))["models_agree"].passed
    assert not (await judged(store, Check.MODELS_AGREE, max_age=3600))["freshness"].passed


async def test_the_report_draws_what_the_records_say(store: EvidenceStore) -> None:
    await write_model(store, built.check(), built.comparison())
    await write_summary(store, await summarise(store, RUN, [], [], models=ALL))
    [seen] = await list_runs(store, RUN.migration)
    assert seen.models == (("fraud", "3"),)
    story = await read_story(store, RUN)
    headline = headline_of(story)
    assert headline.standing is Standing.PASSED
    assert headline.title == "Every model answers on the target as on the source"
    html = (await render_report(store, RUN)).decode()
    assert html.count("<svg") >= 3
    assert 'class="curve target"' in html
    assert html.count('class="dot"') == 2
    assert "objects found" not in html
    assert advice_on(story) == []
    [row] = model_rows(story)
    assert "agrees" in model_line(row)
    assert row.document["mismatch_bound"] == pytest.approx(0.0006)


async def test_a_model_that_fails_is_told_with_what_mends_it_and_nobody_s_markup(
    store: EvidenceStore,
) -> None:
    wicked = finding("malicious-code", HOSTILE, f"imports {SCRIPT}")
    await write_model(store, built.check(passed=False, findings=(wicked,), statement=SCRIPT))
    await write_summary(store, await summarise(store, RUN, [], [], models=ALL))
    story = await read_story(store, RUN)
    assert headline_of(story).standing is Standing.FAILED
    assert advice_on(story)[0].remedy == wicked.remedy
    assert SCRIPT not in (await render_report(store, RUN)).decode()


async def test_the_report_shows_portable_forms_and_those_that_were_not_made(store: EvidenceStore) -> None:
    refused = built.conversion(
        "onnx", passed=False, place="", tensors=None, statement=f"no converter {SCRIPT}"
    )
    await write_model(store, built.check(), built.comparison(), built.conversion("safetensors"), refused)
    await write_summary(store, await summarise(store, RUN, [], [], models=ALL))
    html = (await render_report(store, RUN)).decode()
    assert "Portable forms of the source's models" in html
    assert "models:/fraud-open/1" in html
    assert "9 tensors" in html
    assert SCRIPT not in html
    [row] = model_rows(await read_story(store, RUN))
    assert row.document["converted"] == {"onnx": None, "safetensors": "models:/fraud-open/1"}
    assert "NOT CONVERTED to onnx" in model_line(row)
    assert "converted to safetensors" in model_line(row)


async def test_a_run_without_conversions_has_no_table_of_them(store: EvidenceStore) -> None:
    await write_model(store, built.check(), built.comparison())
    assert "Portable forms" not in (await render_report(store, RUN)).decode()
