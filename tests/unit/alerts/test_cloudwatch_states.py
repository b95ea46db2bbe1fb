"""CloudWatch's states where data is missing, by the tables of its documentation as they are remembered."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.alerts import cloudwatch
from heavylift.alerts.replay import State, judge
from tests.support.alarms import alarm

OK, ALARM, NONE, KEPT = "ok", "alarm", "no_data", "kept"
TABLES = [
    # Datapoints to alarm, the newest five (oldest first), missing, ignore, breaching, notBreaching.
    (3, "0 - X - X", OK, OK, OK, OK),
    (3, "- - - - 0", OK, OK, OK, OK),
    (3, "- - - - -", NONE, KEPT, ALARM, OK),
    (3, "0 X X - X", ALARM, ALARM, ALARM, ALARM),
    (3, "- - X - -", ALARM, KEPT, ALARM, OK),
    (2, "0 - X - X", ALARM, ALARM, ALARM, ALARM),
    (2, "0 0 X 0 X", ALARM, ALARM, ALARM, ALARM),
    (2, "0 - X - -", OK, OK, ALARM, OK),
    (2, "- - - - 0", OK, OK, ALARM, OK),
    (2, "- - - X -", ALARM, KEPT, ALARM, OK),
]
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@pytest.mark.parametrize("row", TABLES, ids=lambda row: f"{row[0]} of 3: {row[1]}")
def test_the_tables_of_missing_data(row: tuple[Any, ...]) -> None:
    needed, points, *expected = row
    windows = [{"X": True, "0": False, "-": None}[each] for each in reversed(points.split())]
    for treatment, state in zip(TREATMENTS, expected, strict=True):
        [rule], _ = cloudwatch.read(alarm(DatapointsToAlarm=needed, TreatMissingData=treatment))
        for before in State:
            wanted = before if state == KEPT else State(state)
            assert judge(rule, windows, before) is wanted, (treatment, before)


@pytest.mark.parametrize("points", ["- - - - X", "- - - X -"])
def test_an_alarm_does_not_begin_too_early(points: str) -> None:
    windows = [{"X": True, "-": None}[each] for each in reversed(points.split())]
    [rule], _ = cloudwatch.read(alarm(DatapointsToAlarm=3))
    assert judge(rule, windows, State.OK) is not State.ALARM
