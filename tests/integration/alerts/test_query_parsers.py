"""The vendors' own parsers read what is written: Microsoft's of KQL, with types, and Grafana's of LogQL."""

from __future__ import annotations

import json
import subprocess

import pytest

from heavylift.alerts.queries.logql import RANGE
from heavylift.alerts.queries.model import Language
from heavylift.alerts.queries.tokens import UnsaidError
from heavylift.alerts.queries.translate import read, translate
from sandbox import node
from tests.support.log_queries import QUERIES, WHERE

pytestmark = pytest.mark.long


def told(asked: list[tuple[str, str]]) -> list[list[str]]:
    tool = node.querylint()
    argv = [tool.node, tool.script]
    ran = subprocess.run(
        argv, input=json.dumps(asked), capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(ran.stdout)


def test_the_parsers_find_no_fault_in_what_is_written_and_some_in_what_is_wrong() -> None:
    asked = []
    for text in QUERIES.values():
        for language in (Language.KQL, Language.LOGQL):
            try:
                made = translate(read(Language.INSIGHTS, text), Language.INSIGHTS, language, WHERE[language])
            except UnsaidError:
                continue
            # Grafana fills in the range. Its grammar, unlike Loki's, has no offset after unwrap.
            plain = made.text.replace(RANGE, "1h")
            asked.append((language.value, plain.replace(" offset 1ms", "") if "unwrap" in plain else plain))
    assert len(asked) >= 2 * len(QUERIES) - 2
    assert dict(zip(asked, told(asked), strict=True)) == {each: [] for each in asked}
    wrong = [("kql", "T | where Foo == 1"), ("kql", "T | extend n = no(1)"), ("logql", "sum by (x) (")]
    assert all(told(wrong))
