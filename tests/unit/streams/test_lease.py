"""The order of the topic's records alone decides who mirrors."""

from __future__ import annotations

from heavylift.streams.lease import HELD, Lease


def test_of_two_that_claim_the_same_epoch_the_first_wins() -> None:
    before = Lease()
    one, two = before.claimed_by("one"), before.claimed_by("two")
    assert before.after(one).after(two) == one
    assert before.after(two).after(one) == two


def test_signs_of_life_and_the_end_are_the_owners_only() -> None:
    ours = Lease().after(Lease().claimed_by("us"))
    assert ours.after(ours.beaten()).beat == 1
    assert ours.after(Lease(1, "them", HELD, 7)) == ours
    assert not ours.after(ours.released()).held


def test_who_was_fenced_changes_nothing_any_more() -> None:
    ours = Lease().after(Lease().claimed_by("us"))
    theirs = ours.after(ours.claimed_by("them"))
    assert theirs.epoch == 2
    assert theirs.after(ours.beaten()) == theirs
    assert theirs.after(ours.released()) == theirs


def test_a_claim_that_skips_an_epoch_is_none() -> None:
    assert Lease().after(Lease(5, "x", HELD, 0)) == Lease()
