"""A line of the board says what the evidence says, and whose turn it is."""

from __future__ import annotations

import pytest

from heavylift.board.lines import MigrationLine, State
from tests.support.board_place import RUN_ID, Place


def line_of(place: Place) -> MigrationLine:
    index = place.index()
    index.refresh()
    snapshot = index.snapshot()
    assert not snapshot.unread
    assert not snapshot.unreachable
    return snapshot.lines[0]


def test_a_migration_without_evidence_has_not_begun(place: Place) -> None:
    place.spec()
    line = line_of(place)
    assert [(each.phase, each.state) for each in line.phases] == [
        ("transfer", State.NONE),
        ("sync", State.NONE),
    ]
    assert (line.standing, line.wrong, line.last_at) == (State.NONE, "", None)


def test_a_run_without_a_last_word_is_open(place: Place) -> None:
    place.spec()
    place.plan(place.run())
    transfer = line_of(place).phases[0]
    assert (transfer.state, transfer.run_id, transfer.dag_id) == (State.OPEN, RUN_ID, "small.transfer")


def test_a_gate_that_passed_waits_for_its_approval_and_is_open_after_it(place: Place) -> None:
    place.spec()
    result = place.gate(place.run())
    line = line_of(place)
    assert line.standing is State.WAITING
    assert [gate.gate for gate in line.waiting] == ["proved"]
    place.answer(place.run(), result)
    line = line_of(place)
    assert line.waiting == ()
    assert line.phases[0].gates[0].words == "gate proved was approved by Ada"


def test_an_answer_to_an_earlier_result_opens_nothing(place: Place) -> None:
    place.spec()
    place.answer(place.run(), place.gate(place.run()))
    place.gate(place.run(), number=2)
    assert line_of(place).standing is State.WAITING


def test_a_rejected_gate_and_a_gate_that_failed_are_told(place: Place) -> None:
    place.spec()
    place.answer(place.run(), place.gate(place.run()), approved=False)
    assert line_of(place).wrong == "transfer: gate proved was rejected by Ada"
    place.gate(place.run(), passed=False, number=2)
    assert line_of(place).wrong == "transfer: gate proved did not pass: counts_equal of data"


def test_nobody_is_asked_once_the_run_has_ended(place: Place) -> None:
    place.spec()
    place.gate(place.run())
    place.summary(place.run(), passed=False, reasons=("data: there is no verification",))
    line = line_of(place)
    assert line.waiting == ()
    assert line.wrong == "transfer: data: there is no verification"


def test_a_dry_run_is_no_failure_but_one_that_has_not_looked_at_everything_is(place: Place) -> None:
    place.spec()
    place.summary(place.run(), passed=False, reasons=("data: nothing was moved",), dry_run=True)
    place.summary(place.run("sync"), passed=False, reasons=("data: there is no plan",))
    states = {phase.phase: phase.state for phase in line_of(place).phases}
    assert states == {"transfer": State.DRY, "sync": State.FAILED}


def test_the_tenth_result_counts_more_than_the_ninth(place: Place) -> None:
    place.spec()
    for number in range(1, 11):
        place.gate(place.run(), passed=number == 10, approval=False, number=number)
    assert line_of(place).phases[0].gates[0].state is State.PASSED


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema_version": "heavylift/summary/v9"}', b"\xff\x00"])
def test_a_damaged_record_is_told_and_takes_nothing_else_with_it(place: Place, content: bytes) -> None:
    place.spec()
    place.spec("other")
    place.summary(place.run("sync"))
    place.summary(place.run("sync", "other"))
    ref = place.summary(place.run())
    (place.evidence / ref.path).write_bytes(content)
    index = place.index()
    index.refresh()
    small, other = sorted(index.snapshot().lines, key=lambda line: line.name, reverse=True)
    assert small.standing is State.UNREADABLE
    assert small.wrong.startswith(f"{ref.path} cannot be read: ")
    assert [(each.phase, each.state) for each in small.phases] == [
        ("transfer", State.UNREADABLE),
        ("sync", State.PASSED),
    ]
    assert other.standing is State.PASSED


def test_a_reader_of_one_dag_sees_that_phase_only(place: Place) -> None:
    place.spec()
    place.summary(place.run(), passed=False, reasons=("secret trouble",))
    place.summary(place.run("sync"))
    seen = line_of(place).only({"small.sync"})
    assert [phase.phase for phase in seen.phases] == ["sync"]
    assert (seen.wrong, seen.standing) == ("", State.PASSED)


def test_evidence_of_a_phase_without_a_dag_is_shown_too(place: Place) -> None:
    place.spec()
    place.summary(place.run("drift"))
    assert [phase.phase for phase in line_of(place).phases] == ["transfer", "sync", "drift"]


def test_names_that_decode_to_nothing_are_shown_as_they_lie_there(place: Place) -> None:
    place.spec()
    strange = place.evidence / "small" / "transfer" / "~FF~FE"
    strange.mkdir(parents=True)
    (strange / "summary-1.json").write_text("{}")
    assert line_of(place).standing is State.UNREADABLE
