"""Search, filter, sort and pages of the list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from heavylift.board.lines import GateLine, MigrationLine, PhaseLine, State
from heavylift.board.picking import PER_PAGE, Query, pick

AT = datetime(2026, 11, 29, tzinfo=UTC)


def line(name: str, state: State = State.PASSED, owner: str = "team", days: int = 0) -> MigrationLine:
    gate = GateLine("g", "transfer", "r", State.WAITING, "", "")
    gates = (gate,) if state is State.WAITING else ()
    phase = PhaseLine("transfer", f"{name}.transfer", state, gates=gates)
    return MigrationLine(
        name, owner, "about <b>cats</b>", "aws", "gcp", (phase,), last_at=AT - timedelta(days)
    )


LINES = [
    line("b", State.FAILED, "zoo"),
    line("a", State.PASSED, days=2),
    line("c", State.WAITING, days=1),
]


def names(query: Query) -> list[str]:
    return [each.name for each in pick(LINES, query).lines]


def test_what_needs_somebody_comes_first_and_other_orders_can_be_had() -> None:
    assert names(Query()) == ["b", "c", "a"]
    assert names(Query(sort="name")) == ["a", "b", "c"]
    assert names(Query(sort="activity")) == ["b", "c", "a"]
    assert names(Query(sort="waiting")) == ["c", "a", "b"]
    assert names(Query(sort="owner")) == ["a", "c", "b"]
    assert names(Query(sort="no such order")) == ["b", "c", "a"]


def test_all_words_must_be_there_whatever_their_case() -> None:
    assert names(Query(text="ZOO aws")) == ["b"]
    assert names(Query(text="zoo azure")) == []
    assert names(Query(text="CATS")) == ["b", "c", "a"]


def test_states_are_counted_before_they_filter() -> None:
    page = pick(LINES, Query(state="failed"))
    assert [each.name for each in page.lines] == ["b"]
    assert (page.counts["failed"], page.counts["waiting"], page.counts["passed"]) == (1, 1, 1)


def test_a_page_beyond_the_last_is_the_last() -> None:
    many = [line(f"m-{number:04d}") for number in range(PER_PAGE * 2 + 1)]
    page = pick(many, Query(page=99))
    assert (page.page, page.pages, page.total) == (3, 3, PER_PAGE * 2 + 1)
    assert [each.name for each in page.lines] == [f"m-{PER_PAGE * 2:04d}"]
    shown = [each.name for number in (1, 2, 3) for each in pick(many, Query(page=number)).lines]
    assert shown == [each.name for each in many]
