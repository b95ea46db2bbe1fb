"""What two servers differ in, judged: wrong, newer on a source that is in use, or kept on purpose."""

from __future__ import annotations

import pytest

from heavylift.registry.settling import Judgement

RUNS = {"a": {"name": b"1"}, "b": {"name": b"2"}}


def look(source: dict[str, object], target: dict[str, object], **more: object) -> Judgement:
    judged = Judgement(noting=True, **more)  # type: ignore[arg-type]
    judged.compare("run", source, target)
    return judged


def test_a_thing_that_the_source_shows_unchanged_twice_and_still_differs_is_wrong() -> None:
    wrong = {**RUNS, "b": {"name": b"planted"}}
    first = look(dict(RUNS), dict(wrong))
    assert not first.is_settled
    second = look(dict(RUNS), dict(wrong), earlier=first)
    assert second.is_settled
    assert second.difference_count == 1
    assert (second.differences[0].id, second.differences[0].fields) == ("b", ("name",))


@pytest.mark.parametrize(
    ("source", "target", "kind"),
    [
        ({**RUNS, "b": {"name": b"3"}}, RUNS, "different"),
        ({**RUNS, "c": {"name": b"3"}}, RUNS, "missing"),
        ({"a": RUNS["a"]}, RUNS, "extra"),
    ],
)
def test_what_changed_between_two_readings_of_the_source_is_newer(
    source: dict[str, object], target: dict[str, object], kind: str
) -> None:
    first = look(dict(RUNS), {"a": RUNS["a"]})
    second = look(source, target, earlier=first)
    [counts] = second.compared()
    assert (second.difference_count, counts.newer, getattr(counts, kind)) == (0, 1, 1)
    assert second.total("newer") == 1
    # What the first reading did not come to is looked at once more.
    assert second.is_settled == (kind != "missing")


def test_nothing_is_excused_of_a_sort_that_could_not_be_read_before() -> None:
    first = Judgement(noting=True)
    first.unreadable("run", "all runs on there: HL-7142")
    assert not first.is_settled
    second = look(dict(RUNS), {"a": RUNS["a"]}, earlier=first)
    assert second.difference_count == 1


def test_without_an_earlier_reading_everything_that_differs_is_a_difference() -> None:
    judged = look({**RUNS, "c": {}}, dict(RUNS))
    assert (judged.difference_count, judged.total("newer"), judged.is_settled) == (1, 0, False)
    assert look(dict(RUNS), dict(RUNS)).is_settled


@pytest.mark.parametrize(
    ("target", "keep", "kept"),
    [
        ({**RUNS, "gone": {"name": b"x"}}, True, True),
        ({**RUNS, "b": {"name": b"2", "tags[x]": b"y"}}, True, True),
        ({**RUNS, "b": {"name": b"other", "tags[x]": b"y"}}, True, False),
        ({**RUNS, "gone": {"name": b"x"}}, False, False),
        ({"a": RUNS["a"]}, True, False),
    ],
)
def test_what_has_gone_from_the_source_may_stay_where_the_policy_keeps_it(
    target: dict[str, object], keep: bool, kept: bool
) -> None:
    judged = look(dict(RUNS), target, keep=keep)
    assert (judged.difference_count, judged.total("kept")) == ((0, 1) if kept else (1, 0))
    [counts] = judged.compared()
    assert counts.source == counts.equal + counts.different + counts.missing
    assert counts.target == counts.equal + counts.different + counts.extra
