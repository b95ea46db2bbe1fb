"""The user's own names: metrics, labels, scopes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.alerts.model import Platform
from heavylift.alerts.translate import read_mapping, translate
from heavylift.errors import SpecError
from tests.support.alarms import alarm


def save(folder: Path, content: Any) -> Path:
    path = folder / "names.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_own_names_come_before_the_tables_and_nothing_is_left_to_do(tmp_path: Path) -> None:
    names = {
        "metrics": {"AWS/RDS/DatabaseConnections": {"name": "pg_connections", "unit": "count"}},
        "labels": {"DBInstanceIdentifier=orders": {"server": "orders-eu", "zone": "b"}},
    }
    mapping = read_mapping(save(tmp_path, names), Platform.PROMETHEUS)
    found = translate(alarm(), Platform.CLOUDWATCH, Platform.PROMETHEUS, mapping)
    assert 'pg_connections{server="orders-eu",zone="b"}' in found.translated[0].document["expr"]
    assert (found.translated[0].equal, found.losses, found.untranslated) == (True, [], [])


def test_a_unit_that_does_not_fit_is_listed(tmp_path: Path) -> None:
    names = {"metrics": {"AWS/RDS/DatabaseConnections": {"name": "pg_connections", "unit": "s"}}}
    mapping = read_mapping(save(tmp_path, names), Platform.PROMETHEUS)
    found = translate(alarm(), Platform.CLOUDWATCH, Platform.PROMETHEUS, mapping)
    assert [each.what for each in found.untranslated] == ["the unit count as s"]


def test_azure_watches_the_scope_that_is_named(tmp_path: Path) -> None:
    mapping = read_mapping(save(tmp_path, {"scopes": ["/subscriptions/s"]}), Platform.AZURE)
    one = alarm(EvaluationPeriods=1, DatapointsToAlarm=1)
    made = translate(one, Platform.CLOUDWATCH, Platform.AZURE, mapping, given=[]).translated[0].document
    assert made["properties"]["scopes"] == ["/subscriptions/s"]
    assert translate(
        one, Platform.CLOUDWATCH, Platform.AZURE, read_mapping(None, Platform.AZURE)
    ).untranslated


@pytest.mark.parametrize(
    "content",
    ["{", "[]", {"other": 1}, {"metrics": []}, {"metrics": {"a": {}}}, {"labels": {"a": 1}}, {"scopes": [1]},
     {"labels": {"a": {"b": 1}}}, "[" * 100_000],
)  # fmt: skip
def test_odd_names_are_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(SpecError, match="HL-9351"):
        read_mapping(save(tmp_path, content), Platform.PROMETHEUS)
