"""What was done to a fence, and how both sides stand, in a few numbers and in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.wording import counted
from heavylift.fencing import Writes

if TYPE_CHECKING:
    from heavylift.evidence.fence_records import FenceRecord
    from heavylift.fencing import Side, WriteState
    from heavylift.tables.wording import Figures

_LISTED = 5


def fence_figures(record: FenceRecord) -> Figures:
    """Return an act on a fence in a few numbers."""
    return {
        "side": record.side,
        "act": record.act,
        "epoch": record.epoch,
        "writes": record.writes,
        "tables": record.tables,
        "already": record.already,
        "seconds": round(record.seconds, 3),
        "position": record.position,
    }


def fence_line(record: FenceRecord) -> str:
    """Return an act on a fence in one line."""
    at = f" from position {record.position} on" if record.position else ""
    if record.already:
        return f"the {record.side} was {record.writes} already, at epoch {record.epoch}"
    if record.act == "frozen":
        return (
            f"the {record.side} is frozen at epoch {record.epoch}: {counted(record.tables, 'table')} refuse"
            f" writes{at}, after {record.seconds:.1f} s"
        )
    word = "open" if record.act == "opened" else "without a fence"
    return f"the {record.side} is {word} at epoch {record.epoch}, after {record.seconds:.1f} s"


def state_line(side: Side, state: WriteState) -> str:
    """Return how one side stands in one line."""
    line = f"{side.value}: {state.writes.value}, epoch {state.epoch}"
    if not state.partly:
        return line
    named = ", ".join(state.partly[:_LISTED])
    more = f" and {len(state.partly) - _LISTED} more" if len(state.partly) > _LISTED else ""
    word = "open" if state.writes is Writes.FROZEN else "refusing"
    return f"{line}; {word} all the same, so that it counts as open: {named}{more}"
