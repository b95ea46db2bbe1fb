"""The batch and the number of processes, for any numbers of machines and devices."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heavylift.training.batch import spread

SMALL = st.integers(1, 16)


@given(nodes=SMALL, processes=SMALL, accumulation=SMALL, devices=st.integers(0, 16), known=st.booleans())
def test_what_is_called_exact_keeps_the_batch(
    nodes: int, processes: int, accumulation: int, devices: int, known: bool
) -> None:
    made = spread(nodes, processes, accumulation, devices, batch_known=known)
    before = nodes * processes * accumulation
    assert made.exact == (made.world * made.accumulation == before)
    assert made.nodes >= 1
    assert made.processes >= 1
    assert made.accumulation >= 1
    if devices:
        assert made.processes + made.idle == devices
    if not known:
        # Without a parameter for it the accumulation cannot be changed.
        assert made.accumulation == accumulation
        assert not made.exact or made.world == nodes * processes


@given(nodes=SMALL, processes=SMALL, accumulation=SMALL, known=st.booleans())
def test_machines_like_the_sources_change_nothing(
    nodes: int, processes: int, accumulation: int, known: bool
) -> None:
    made = spread(nodes, processes, accumulation, processes, batch_known=known)
    assert (made.nodes, made.processes, made.accumulation, made.idle) == (nodes, processes, accumulation, 0)


@given(nodes=SMALL, processes=st.integers(1, 8), more=st.integers(0, 8), known=st.booleans())
def test_more_devices_than_before_always_keep_it(nodes: int, processes: int, more: int, known: bool) -> None:
    assert spread(nodes, processes, 1, processes + more, batch_known=known).exact


def test_the_words_tell_how() -> None:
    whole = spread(4, 4, 1, 8, batch_known=False)
    assert (whole.nodes, whole.processes, whole.exact) == (2, 8, True)
    assert "16 processes as before" in whole.reason
    steps = spread(3, 4, 4, 8, batch_known=True)
    assert (steps.nodes, steps.processes, steps.accumulation) == (1, 8, 6)
    assert "keep the batch" in steps.reason
    idle = spread(3, 1, 1, 8, batch_known=False)
    assert (idle.world, idle.idle) == (3, 5)
    lost = spread(1, 7, 1, 4, batch_known=False)
    assert not lost.exact
    assert "do not divide" in lost.reason
