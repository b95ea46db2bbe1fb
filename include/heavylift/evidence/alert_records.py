"""The record of alerts: what was translated, and what both rules did over the same series."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now

ALERTS_FOLDER = "~alerts"
ALERTS_PHASE = "provision"


class AlertReplay(Record):
    """What two rules did over one series.

    :param missing: the series has gaps, or points that come late.
    :param source: seconds at which the source's rule began and ceased to fire, in turn; likewise ``target``.
    """

    series: str
    missing: bool
    source: tuple[float, ...]
    target: tuple[float, ...]
    equal: bool
    why: str


class AlertRule(Record):
    """One rule and what it became.

    :param document: in the target's form.
    :param replays: the number of series that both were replayed over.
    :param differing: the first of those on which they differ.
    """

    name: str
    source_metric: str
    target_metric: str
    document: dict[str, Any]
    replays: int
    equal: bool
    accepted: bool
    outcome: str
    differing: tuple[AlertReplay, ...]


class AlertGap(Record):
    """What did not come along, or not as it was, and what mends it."""

    rule: str
    what: str
    remedy: str


class AlertRecord(Record):
    """One translation.

    :param document: all rules in the target's form, as one file.
    :param digest: SHA-256 of the rules, the losses and what is untranslated.
    :param passed: each rule was replayed and found equal, or is accepted; so is what is untranslated.
    """

    schema_version: Literal[1] = 1
    run: RunKey
    created_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    rules: tuple[AlertRule, ...]
    losses: tuple[AlertGap, ...]
    untranslated: tuple[AlertGap, ...]
    document: dict[str, Any]
    digest: str
    passed: bool
    failures: tuple[str, ...]


class DashboardLine(Record):
    """One line of a widget, and what both sides drew of the same series.

    :param source: what it asks there; likewise ``target``.
    :param points: how many the source's line has.
    :param equal: every point was the same.
    :param note: what is needed for them to be equal.
    """

    widget: str
    source: str
    target: str
    series: int
    points: int
    equal: bool
    accepted: bool
    why: str
    note: str


class DashboardRecord(Record):
    """One dashboard and what it became.

    :param document: in the target's form.
    :param untranslated: widgets that became a text which says so; ``losses``: what is shown otherwise.
    :param digest: SHA-256 of the document, the lines, the losses and what is untranslated.
    :param passed: each line was drawn the same, or its widget is accepted; so is what is untranslated.
    """

    schema_version: Literal[1] = 1
    run: RunKey
    created_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    title: str
    widgets: int
    lines: tuple[DashboardLine, ...]
    losses: tuple[AlertGap, ...]
    untranslated: tuple[AlertGap, ...]
    document: dict[str, Any]
    digest: str
    passed: bool
    failures: tuple[str, ...]


def dashboards_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th :class:`DashboardRecord`, from 1."""
    return f"{run.folder}/{ALERTS_FOLDER}/dashboard-{number}.json"


def alerts_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th :class:`AlertRecord`, from 1."""
    return f"{run.folder}/{ALERTS_FOLDER}/translation-{number}.json"


class LogQuery(Record):
    """One query of logs, what it became, and what both gave over the same lines.

    :param parameters: what is told beside the text where it is run.
    :param equal: the same rows came out, and there were some.
    """

    name: str
    source: str
    target: str
    parameters: dict[str, str]
    lines: int
    source_rows: int
    target_rows: int
    equal: bool
    accepted: bool
    outcome: str
    notes: tuple[AlertGap, ...]


class LogQueryRecord(Record):
    """One translation of queries.

    :param digest: SHA-256 of the queries and of what is untranslated.
    :param passed: each query gave the same rows, or is accepted; so is what is untranslated.
    """

    schema_version: Literal["heavylift/log-queries/v1"] = "heavylift/log-queries/v1"
    run: RunKey
    created_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    queries: tuple[LogQuery, ...]
    untranslated: tuple[AlertGap, ...]
    digest: str
    passed: bool
    failures: tuple[str, ...]


def log_queries_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th :class:`LogQueryRecord`, from 1."""
    return f"{run.folder}/{ALERTS_FOLDER}/queries-{number}.json"
