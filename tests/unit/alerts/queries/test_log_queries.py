"""Queries of logs give the same rows in another language, or are said to differ, or are refused."""

from __future__ import annotations

import pytest

from heavylift.alerts.queries.lines import line
from heavylift.alerts.queries.model import Language, Where
from heavylift.alerts.queries.tokens import UnsaidError
from heavylift.alerts.queries.translate import beside, read, translate
from heavylift.alerts.queries.trials import trial_lines
from heavylift.errors import SpecError
from tests.support.log_queries import QUERIES, WHERE

START = 1_700_000_100_000
SAID = {
    Language.KQL: set(QUERIES),
    Language.LOGQL: set(QUERIES) - {"numbers"},
    Language.SQL: set(QUERIES),
    Language.LOGGING: {"lines", "patterns", "numbers", "quotes"},
    Language.INSIGHTS: set(QUERIES),
}
TEXTS_ONLY = {"lines", "patterns", "groups"}
"""They ask the text of a line, which Cloud Logging does not keep of a line of JSON."""


def rows(source: Language, text: str, target: Language, *lines: object) -> str:
    """Return how a translation differs over lines; empty where it does not."""
    query = read(source, text)
    made = translate(query, source, target, WHERE[target])
    given = lines or trial_lines(query)
    return beside((source, query), (target, made), WHERE[target], given).why  # type: ignore[arg-type]


@pytest.mark.parametrize("target", list(SAID))
def test_each_query_gives_the_same_rows_or_is_refused(target: Language) -> None:
    said = set()
    for name, text in QUERIES.items():
        query = read(Language.INSIGHTS, text)
        try:
            made = translate(query, Language.INSIGHTS, target, WHERE[target])
        except UnsaidError:
            continue
        said.add(name)
        lines = trial_lines(query)
        ran = beside((Language.INSIGHTS, query), (target, made), WHERE[target], lines)
        assert ran.source_rows, name
        if target in (Language.SQL, Language.LOGGING) and name in TEXTS_ONLY:
            assert ran.why, name
            texts = [each for each in lines if not each.structured]
            ran = beside((Language.INSIGHTS, query), (target, made), WHERE[target], texts)
        assert ran.why == "", (name, made.text)
    assert said == SAID[target]


@pytest.mark.parametrize("back", [Language.INSIGHTS, Language.KQL, Language.LOGQL, Language.SQL])
def test_what_was_written_is_a_source_too(back: Language) -> None:
    for source in (Language.KQL, Language.LOGQL):
        for name in ("bins", "top", "all", "glob", "lines"):
            made = translate(read(Language.INSIGHTS, QUERIES[name]), Language.INSIGHTS, source, WHERE[source])
            if made.parameters and source is Language.LOGQL and name == "lines":
                continue
            query = read(source, made.text)
            texts = back is Language.SQL and name in TEXTS_ONLY
            lines = [each for each in trial_lines(query) if not (texts and each.structured)]
            again = translate(query, source, back, WHERE[back])
            assert beside((source, query), (back, again), WHERE[back], lines).why == "", (source, name)


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ('jsonPayload.level="error"', 2),  # Case does not count,
        ('jsonPayload.level=~"^error$"', 1),  # but in patterns.
        ('jsonPayload.level!="error"', 2),  # A missing field is another one.
        ("jsonPayload.code>=500", 1),
        ('textPayload:"PLAIN"', 1),
        ('-jsonPayload.level:"err" jsonPayload.code:*', 0),
    ],
)
def test_cloud_logging_reads_case_and_missing_fields_in_its_own_way(text: str, matching: int) -> None:
    lines = [
        line(0, START, '{"level": "ERROR", "code": 500}'),
        line(1, START, '{"level": "error", "code": "100"}'),
        line(2, START, '{"level": null}'),
        line(3, START, "plain"),
    ]
    query = read(Language.LOGGING, text)
    for target in (Language.KQL, Language.INSIGHTS, Language.SQL):
        made = translate(query, Language.LOGGING, target, WHERE[target])
        ran = beside((Language.LOGGING, query), (target, made), WHERE[target], lines)
        if "textPayload" in text or "!=" in text:
            assert ran.source_rows == (matching if "!=" not in text else 2)
        else:
            assert (ran.source_rows, ran.why) == (matching, ""), (target, made.text)


def test_a_line_on_the_border_of_two_bins_falls_into_the_same() -> None:
    lines = [line(0, START // 300_000 * 300_000, '{"level":"ERROR","status":500,"model":"a"}')]
    assert rows(Language.INSIGHTS, QUERIES["bins"], Language.LOGQL, *lines) == ""
    late = 'sum by (m) (count_over_time({a="b"} | json m="m" | drop __error__, __error_details__ [5m]))'
    query = read(Language.LOGQL, late)
    assert query.stats is not None
    assert query.stats.late
    with pytest.raises(UnsaidError, match="bins that have their end"):
        translate(query, Language.LOGQL, Language.KQL, WHERE[Language.KQL])


def test_a_seeded_fault_is_found() -> None:
    query = read(Language.INSIGHTS, QUERIES["bins"])
    made = translate(query, Language.INSIGHTS, Language.KQL, WHERE[Language.KQL])
    lines = trial_lines(query)
    faults = {
        ">= 500": "> 500",
        "5m": "10m",
        '== "ERROR"': '=~ "ERROR"',
        "count()": "max(toreal(_json.status))",
    }
    for good, bad in faults.items():
        wrong = type(made)(made.text.replace(good, bad))
        assert wrong != made
        ran = beside((Language.INSIGHTS, query), (Language.KQL, wrong), WHERE[Language.KQL], lines)
        assert ran.why, bad


@pytest.mark.parametrize(
    ("source", "text", "told"),
    [
        (Language.INSIGHTS, "stats pct(latency, 99) by bin(5m)", "the function pct"),
        (Language.INSIGHTS, "filter level = 'a' | dedup level", "the command dedup"),
        (Language.INSIGHTS, "fields strcontains(level, 'a')", "a computed field"),
        (Language.INSIGHTS, "filter @message like /a(?=b)/", "the pattern"),
        (Language.INSIGHTS, "filter @timestamp > 5", "a condition of time"),
        (Language.KQL, "T | where Level has 'a'", "the operator has"),
        (Language.KQL, "T | join kind=inner (U) on x", "the command join"),
        (Language.LOGQL, 'rate({a="b"}[5m])', "the function rate"),
        (Language.LOGQL, '{a="b"} | logfmt', "the stage logfmt"),
        (Language.LOGQL, '{a="b"} | json | level="x"', "json without names"),
        (Language.LOGGING, "severity>=ERROR", "the field severity"),
        (Language.SQL, "SELECT 1", "queries in SQL"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(source: Language, text: str, told: str) -> None:
    with pytest.raises(UnsaidError, match=told.replace("(", r"\(")):
        read(source, text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Language.INSIGHTS, "filter level ="),
        (Language.INSIGHTS, "select 1"),
        (Language.INSIGHTS, "filter " + "(" * 200 + "a = 1" + ")" * 200),
        (Language.INSIGHTS, "filter a = 1 " * 4000),
        (Language.INSIGHTS, 'parse @message "* *" as a'),
        (Language.INSIGHTS, "filter a like /(/"),
        (Language.KQL, "T | where a == "),
        (Language.LOGQL, "{"),
        (Language.LOGGING, "jsonPayload.a="),
    ],
)
def test_a_text_that_is_no_query_is_an_error(source: Language, text: str) -> None:
    with pytest.raises(SpecError, match="HL-9750"):
        read(source, text)


def test_texts_cannot_leave_their_quotes() -> None:
    odd = 'a" or true //\\'
    query = read(Language.INSIGHTS, 'filter level = "a\\" or true //\\\\"')
    lines = [line(0, START, '{"level": "a\\" or true //\\\\"}'), line(1, START, '{"level": "b"}')]
    assert lines[0].fields["level"] == odd
    for target in (Language.KQL, Language.LOGQL, Language.SQL, Language.LOGGING):
        made = translate(query, Language.INSIGHTS, target, WHERE[target])
        ran = beside((Language.INSIGHTS, query), (target, made), WHERE[target], lines)
        assert (ran.source_rows, ran.why) == (1, ""), made.text
    with pytest.raises(UnsaidError, match="no stream"):
        translate(query, Language.INSIGHTS, Language.LOGQL, Where(selector='{a="b"} |= "x"'))
