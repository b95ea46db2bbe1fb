"""A gate opens on proof alone: each way to lack proof keeps it shut and says what is missing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from heavylift.evidence import paths
from heavylift.evidence.records import CheckOutcome, ExpectationOutcome, Finding, Severity, Tally, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.checks import JUDGES
from heavylift.gates.evaluate import evaluate_gate, latest_gate_result
from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.gates import run_builder as built
from tests.unit.gates.run_builder import RUN, gate, shard, tally


@pytest.fixture
def store() -> EvidenceStore:
    return EvidenceStore(MemoryStore())


async def _outcome(store: EvidenceStore, check: Check, *records: object) -> CheckOutcome:
    await built.write(store, *records)
    result, _ref = await evaluate_gate(store, RUN, gate(check), ["train"])
    return next(outcome for outcome in result.checks if outcome.name == check.value)


async def test_a_good_run_passes_every_check(store: EvidenceStore) -> None:
    await built.write_good_run(store)
    result, ref = await evaluate_gate(store, RUN, gate(*JUDGES), ["train"])
    assert result.passed, [check.detail for check in result.checks if not check.passed]
    assert {check.name for check in result.checks} == {*JUDGES, "freshness"}
    assert all(check.evidence for check in result.checks)
    assert ref.path == "fraud/transfer/manual-1/gates/complete/1.json"
    _result, second = await evaluate_gate(store, RUN, gate(*JUDGES), ["train"])
    assert second.path.endswith("/2.json")
    latest = await latest_gate_result(store, RUN, "complete")
    assert latest is not None
    assert latest.ref == second


async def test_nothing_proves_nothing(store: EvidenceStore) -> None:
    result, _ref = await evaluate_gate(store, RUN, gate(*Check), ["train"])
    assert not result.passed
    assert not any(check.passed for check in result.checks)
    assert {"there is no plan; there is no verification", "there is no table check"} <= {
        check.detail for check in result.checks
    }


async def test_a_gate_over_no_dataset_does_not_pass(store: EvidenceStore) -> None:
    result, _ref = await evaluate_gate(store, RUN, gate(), [])
    assert not result.passed
    assert "no dataset" in result.checks[0].detail


async def test_a_gate_without_checks_does_not_pass(store: EvidenceStore) -> None:
    await built.write_good_run(store)
    empty = Gate.model_construct(**(dict(gate()) | {"checks": ()}))
    result, _ref = await evaluate_gate(store, RUN, empty, ["train"])
    assert not result.passed


async def test_one_bad_dataset_keeps_the_gate_shut(store: EvidenceStore) -> None:
    await built.write_good_run(store, "train")
    await built.write(store, built.plan("images"), built.verification("images", different=1))
    result, _ref = await evaluate_gate(store, RUN, gate(), ["train", "images"])
    assert not result.passed
    assert {check.subject for check in result.checks if not check.passed} == {"images"}


async def test_an_empty_dataset_passes_if_both_sides_are_empty(store: EvidenceStore) -> None:
    none = tally(0)
    empty_plan = built.plan(found=none, to_copy=none, unchanged=none, shards=())
    await built.write(store, empty_plan, built.empty_verification())
    result, _ref = await evaluate_gate(store, RUN, gate(), ["train"])
    assert result.passed, [check.detail for check in result.checks]
    assert "both sides are empty" in result.checks[0].detail


GOOD_COPY = (built.plan(), shard(0, 5), shard(1, 3))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"missing": 1, "target": tally(9)}, "1 object missing"),
        ({"target": tally(9)}, "the source has 10 objects, the target 9"),
        ({"target": tally(11)}, "the target 11"),
        ({"target": tally(12), "extra": 1}, "the target 11"),
        ({"target": tally(8), "accepted": 1}, "the target 8"),
    ],
)
async def test_counts_that_differ_fail(store: EvidenceStore, changes: dict[str, object], says: str) -> None:
    outcome = await _outcome(store, Check.COUNTS_EQUAL, *GOOD_COPY, built.verification(**changes))
    assert not outcome.passed
    assert says in outcome.detail


@pytest.mark.parametrize(
    "changes",
    [
        {"target": tally(12), "extra": 2},
        {"target": tally(9), "accepted": 1},
        {"source": tally(11), "newer_on_source": 1},
    ],
)
async def test_counts_that_are_explained_pass(store: EvidenceStore, changes: dict[str, object]) -> None:
    outcome = await _outcome(store, Check.COUNTS_EQUAL, *GOOD_COPY, built.verification(**changes))
    assert outcome.passed, outcome.detail


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ((built.plan(), shard(0, 5)), "1 shard unfinished: 1"),
        ((built.plan(), shard(0, 5), shard(1, 3, failed=tally(1), moved=tally(2))), "1 shard unfinished"),
        ((built.plan(), shard(0, 5), shard(1, 3, left=tally(1), moved=tally(2))), "1 shard unfinished"),
        ((built.plan(), shard(0, 5), shard(1, 2)), "do not add up to the plan: they differ by 1 object"),
        ((built.plan(found=tally(11)), shard(0, 5), shard(1, 3)), "the plan does not add up"),
        ((built.plan(dry_run=True),), "dry run"),
        ((), "there is no plan"),
    ],
)
async def test_books_that_do_not_add_up_fail(
    store: EvidenceStore, records: tuple[object, ...], says: str
) -> None:
    outcome = await _outcome(store, Check.COUNTS_EQUAL, *records, built.verification())
    assert not outcome.passed
    assert says in outcome.detail


async def test_a_shard_counts_as_done_when_a_later_attempt_did_the_rest(store: EvidenceStore) -> None:
    first = shard(1, 3, 1, moved=tally(1), failed=tally(2))
    second = shard(1, 3, 2, moved=tally(2), unchanged=tally(1))
    outcome = await _outcome(
        store, Check.COUNTS_EQUAL, built.plan(), shard(0, 5), first, second, built.verification()
    )
    assert outcome.passed, outcome.detail


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"different": 2}, "2 objects with other content"),
        ({"missing": 1}, "1 object missing"),
        ({"unverifiable": 1}, "1 object that could not be verified"),
        ({"equal": tally(9), "methods": {"crc32c": 9}}, "9 of 10 objects proved equal"),
        ({"methods": {"crc32c": 9}}, "a method is named for 9"),
        ({"equal": tally(0), "methods": {}}, "0 of 10 objects proved equal"),
        (
            {"equal": tally(0), "methods": {}, "statement": "content of 0 of 10 drawn at random"},
            "0 of 10 objects proved equal",
        ),
    ],
)
async def test_content_that_is_not_proved_fails(
    store: EvidenceStore, changes: dict[str, object], says: str
) -> None:
    outcome = await _outcome(store, Check.CHECKSUMS_EQUAL, built.verification(**changes))
    assert not outcome.passed
    assert says in outcome.detail


async def test_a_sample_passes_with_what_it_proves(store: EvidenceStore) -> None:
    said = "content of 3 of 10 drawn at random: fewer than 63% differ"
    sampled = built.verification(equal=tally(3), methods={"crc32c": 3}, statement=said)
    outcome = await _outcome(store, Check.CHECKSUMS_EQUAL, sampled)
    assert outcome.passed
    assert outcome.detail == said


def _finding(severity: Severity) -> Finding:
    return Finding(rule="key-too-long", severity=severity, subject="s3://b/k", detail="d")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"findings": (_finding(Severity.BLOCKER),), "finding_count": 1}, "blocker key-too-long on s3://b/k"),
        ({"findings": (_finding(Severity.WARNING),), "finding_count": 1}, "1 finding: warning"),
        ({"findings": (_finding(Severity.NOTE),), "finding_count": 4}, "3 findings more than the plan lists"),
    ],
)
async def test_findings_fail(store: EvidenceStore, changes: dict[str, object], says: str) -> None:
    outcome = await _outcome(store, Check.NO_FINDINGS, built.plan(**changes), built.verification())
    assert not outcome.passed
    assert says in outcome.detail


async def test_notes_pass_and_lost_attributes_fail(store: EvidenceStore) -> None:
    noted = built.plan(findings=(_finding(Severity.NOTE),), finding_count=1)
    outcome = await _outcome(store, Check.NO_FINDINGS, noted, built.verification())
    assert outcome.passed
    other = EvidenceStore(MemoryStore())
    outcome = await _outcome(other, Check.NO_FINDINGS, noted, built.verification(attributes_differ=1))
    assert outcome.detail == "1 difference in attributes of moved objects"


def _expectation(side: str, *, passed: bool = True) -> ExpectationOutcome:
    return ExpectationOutcome.model_validate(
        {"side": side, "expectation": "expect_x", "kwargs": {}, "passed": passed}
    )


@pytest.mark.parametrize(
    ("check", "changes", "says"),
    [
        (Check.EXPECTATIONS_PASS, {"expectations": ()}, "no expectation was tried on the source"),
        (Check.EXPECTATIONS_PASS, {"expectations": (_expectation("source"),)}, "tried on the target"),
        (
            Check.EXPECTATIONS_PASS,
            {"expectations": (_expectation("source"), _expectation("target", passed=False))},
            "1 expectation not met: expect_x on the target",
        ),
        (Check.EXPECTATIONS_PASS, {"expectations_passed": False}, "says that expectations failed"),
        (Check.PROFILES_EQUAL, {"profiles_equal": False}, "says that profiles differ"),
        (Check.PROFILES_EQUAL, {"target_rows": 99}, "the source has 100 rows, the target 99"),
        (Check.PROFILES_EQUAL, {"files": 0}, "has read no file"),
    ],
)
async def test_tables_that_differ_fail(
    store: EvidenceStore, check: Check, changes: dict[str, object], says: str
) -> None:
    outcome = await _outcome(store, check, built.table_check(**changes))
    assert not outcome.passed
    assert says in outcome.detail


async def test_table_checks_are_for_tables_only(store: EvidenceStore) -> None:
    await built.write_good_run(store, "train")
    await built.write(store, built.plan("images"), shard(0, 5, dataset="images"))
    tables = gate(Check.EXPECTATIONS_PASS)
    result, _ref = await evaluate_gate(store, RUN, tables, ["train", "images"], tabular=["train"])
    assert result.passed
    assert {check.subject for check in result.checks} == {"train"}
    result, _ref = await evaluate_gate(store, RUN, tables, ["train", "images"], tabular=[])
    assert not result.passed, "a gate whose checks had nothing to judge"


@pytest.mark.parametrize(
    ("verified_at", "says"),
    [
        (utc_now() - timedelta(days=2), "is 2 d old, more than 1 d"),
        (utc_now() + timedelta(hours=1), "in the future"),
        (utc_now() - timedelta(hours=1), "objects were copied after the verification"),
    ],
)
async def test_stale_proof_fails(store: EvidenceStore, verified_at: object, says: str) -> None:
    await built.write(store, *GOOD_COPY, built.verification(verified_at=verified_at))
    result, _ref = await evaluate_gate(store, RUN, gate(), ["train"])
    assert not result.passed
    assert says in next(check.detail for check in result.checks if check.name == "freshness")


async def test_the_latest_verification_counts(store: EvidenceStore) -> None:
    await built.write_good_run(store)
    await store.write_json(paths.verification_path(RUN, "train", 2), built.verification(missing=1))
    result, _ref = await evaluate_gate(store, RUN, gate(), ["train"])
    assert not result.passed


def test_tallies_add_up() -> None:
    assert tally(2) + tally(3) == Tally(objects=5, size_bytes=5000)
