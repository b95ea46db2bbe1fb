"""How old what a gate rests on may be."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.evidence.run_evidence import CLOCK_SKEW
from heavylift.evidence.wording import duration


def age_problem(made_at: datetime, max_age: timedelta, now: datetime) -> str | None:
    """Return why something made at ``made_at`` does not count, or None."""
    age = now - made_at
    if age > max_age:
        return f"is {duration(age)} old, more than {duration(max_age)}"
    if age < -CLOCK_SKEW:
        return f"is dated {duration(-age)} in the future: mend the workers' clocks"
    return None
