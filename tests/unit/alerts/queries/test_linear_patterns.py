"""Patterns that others have written: time that grows with the text alone, and a clear word otherwise."""

from __future__ import annotations

import subprocess
import sys

import pytest

from heavylift.alerts.queries.linear import compiled, group_names
from heavylift.alerts.queries.lines import line
from heavylift.alerts.queries.model import Language
from heavylift.alerts.queries.tokens import UnsaidError, pattern
from heavylift.alerts.queries.translate import beside, read, translate
from heavylift.alerts.queries.trials import trial_lines
from heavylift.errors import SpecError
from tests.support.log_queries import WHERE

EVIL = ("(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", "([a-z]+)*\\d", "(?:a*)*b")
"""Python's own engine needs steps without number for each of them, over a line of fifty signs."""
LONG = "a" * 50_000 + "!"


def test_evil_patterns_are_run_over_a_long_line() -> None:
    # In a process of its own, which ends with the test where it does not end by itself.
    program = (
        "import sys; from heavylift.alerts.queries.linear import compiled;"
        " print([bool(compiled(each).search('a' * 50_000 + '!')) for each in sys.argv[1:]])"
    )
    env = {"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin:/bin"}
    asked = [sys.executable, "-c", program, *EVIL]
    ran = subprocess.run(asked, env=env, capture_output=True, text=True, timeout=300, check=True)
    assert ran.stdout.strip() == str([False, True, False, False, False, False])


@pytest.mark.parametrize("evil", ["(a+)+$", "(a|aa)+$"])
def test_a_query_with_an_evil_pattern_is_translated_and_run(evil: str) -> None:
    query = read(Language.INSIGHTS, f"filter @message like /x{evil}/")
    made = translate(query, Language.INSIGHTS, Language.LOGQL, WHERE[Language.LOGQL])
    lines = [*trial_lines(query), line(10_000, 1_700_000_100_000, "x" + LONG)]
    ran = beside((Language.INSIGHTS, query), (Language.LOGQL, made), WHERE[Language.LOGQL], lines)
    assert (ran.why, ran.lines) == ("", len(lines))


@pytest.mark.parametrize("text", ["(?=a)", "(?<!a)b", "(a)\\1", "a++", "(?>a)", "(?P<a>b)(?P=a)", "a{3}+"])
def test_what_the_engine_lacks_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnsaidError, match=r"look-around, back references or possessive.*HL-9751"):
        pattern(text)


@pytest.mark.parametrize("text", ["(", "[b-a]", "a{2000}", "(?(1)a|b)", "((a{100}){100}){100}", "\ud800"])
def test_what_is_no_pattern_or_too_large_is_an_error(text: str) -> None:
    with pytest.raises(SpecError, match="HL-9750"):
        pattern(text)


def test_classes_and_ends_are_those_of_the_targets() -> None:
    assert pattern("(?<user>\\w+)") == "(?P<user>\\w+)"
    assert group_names("(?P<b>.)(?P<a>.)(.)") == ["b", "a"]
    assert compiled("^\\w+$").search("grün") is None
    assert compiled("a$").search("a\n") is None
    assert compiled("ERROR", fold=True).search("an error") is not None
    found = compiled("(?P<code>\\d+)?x").search("é 12x")
    assert found["code"] == "12"
