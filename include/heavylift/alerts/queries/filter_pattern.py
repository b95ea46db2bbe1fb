"""Patterns of CloudWatch's metric filters, read; and the metrics that they count, for other platforms."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.alerts.queries.insights import InsightsRules
from heavylift.alerts.queries.model import (
    LINE,
    Aggregate,
    AllOf,
    AnyOf,
    Check,
    Filter,
    Language,
    Node,
    Not,
    Op,
    Query,
    Stats,
)
from heavylift.alerts.queries.tokens import COMPARISONS, Reader, escaped, malformed, pattern, unsaid

_WORDS = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<regex>%[^%]+%)
    |(?P<path>\$(?:\.[A-Za-z_][\w\-]*|\["[^"\\]+"\])+)
    |(?P<number>-?\d+\.?\d*(?:[eE][+-]?\d+)?(?![\w.*]))
    |(?P<sign>&&|\|\||!=|<=|>=|[={}<>()!])
    |(?P<name>[^\s"(){}=<>!&|%]+)""",
    re.VERBOSE,
)
MINUTE = 60


class FilterRules(InsightsRules):
    """As Logs Insights, which is our reading; conditions of fields match lines of JSON only."""

    ordered = False


@dataclass(frozen=True)
class MetricFilter:
    """A metric that counts the lines that a pattern matches.

    :param default: what it is in a minute without such a line; None for nothing.
    """

    name: str
    pattern: str
    namespace: str
    metric: str
    default: float | None


def read(text: str) -> Query:
    """Return the lines that a pattern matches.

    :raises SpecError: it is none.
    :raises UnsaidError: it has parts that no other language says.
    """
    stripped = text.strip()
    if stripped.startswith("["):
        raise unsaid("a pattern of words between spaces", "write it as a pattern of JSON or of terms")
    if not stripped:
        return Query(())
    reader = Reader(stripped, _WORDS)
    if not reader.skip("{"):
        return Query((Filter(_terms(reader)),))
    node = _either(reader)
    reader.take("}")
    reader.end()
    return Query((Filter(node),))


def _terms(reader: Reader) -> Node:
    every: list[Node] = []
    some: list[Node] = []
    while reader.kind != "end":
        word = reader.text() if reader.kind == "string" else reader.take()
        if word.startswith("%"):
            every.append(Check(Op.MATCHES, LINE, pattern(word[1:-1])))
        elif word.startswith("?") and len(word) > 1:
            some.append(Check(Op.CONTAINS, LINE, word[1:]))
        elif word.startswith("-") and len(word) > 1:
            every.append(Not(Check(Op.CONTAINS, LINE, word[1:])))
        elif word in ("?", "-"):
            raise unsaid("a sign before a text in quotes")
        else:
            every.append(Check(Op.CONTAINS, LINE, word))
    if some and every:
        raise unsaid("? beside other terms, which CloudWatch ignores", "leave them out")
    if some:
        return AnyOf(tuple(some))
    return every[0] if len(every) == 1 else AllOf(tuple(every))


def _either(reader: Reader) -> Node:
    reader.depth += 1
    if reader.depth > 40:
        raise malformed("deep nesting", "at most 40 levels")
    parts = [_both(reader)]
    while reader.skip("||"):
        parts.append(_both(reader))
    reader.depth -= 1
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _both(reader: Reader) -> Node:
    parts = [_single(reader)]
    while reader.skip("&&"):
        parts.append(_single(reader))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _single(reader: Reader) -> Node:
    if reader.skip("("):
        found = _either(reader)
        reader.take(")")
        return found
    if reader.kind != "path":
        raise malformed(reader.peek() or "its end", "a field such as $.level")
    field = re.sub(r'\["([^"]+)"\]', r".\1", reader.take()[1:]).lstrip(".")
    sign = reader.take()
    if sign not in COMPARISONS:
        raise unsaid(f"{field} {sign}", "compare it with a value")
    op = COMPARISONS[sign]
    if reader.kind == "number":
        return Check(op, field, reader.number())
    if op not in (Op.EQ, Op.NE):
        raise malformed(f"{field} {sign} {reader.peek()}", "a number")
    found = _text(reader, field)
    return found if op is Op.EQ else AllOf((Check(Op.PRESENT, field), Not(found)))


def _text(reader: Reader, field: str) -> Check:
    if reader.kind == "regex":
        return Check(Op.MATCHES, field, pattern(reader.take()[1:-1]))
    word = reader.text() if reader.kind == "string" else reader.take()
    if "*" not in word:
        return Check(Op.EQ, field, word)
    return Check(Op.MATCHES, field, ".*".join(map(escaped, word.split("*"))), full=True)


def counted(query: Query) -> Query:
    """Return how many lines there are in each minute."""
    return Query((*query.steps, Stats((Aggregate("count", "count"),), (), MINUTE, "bin")))


def read_filters(path: Path) -> list[MetricFilter]:
    """Read an answer of ``describe-metric-filters``.

    :raises SpecError: it is none.
    :raises UnsaidError: a filter takes its value from the line, or has dimensions.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["metricFilters"]
        return [_filter(each) for each in found]
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError, AttributeError) as problem:
        raise malformed(f"{path}: {type(problem).__name__}", "an answer of describe-metric-filters") from None


def _filter(each: dict[str, Any]) -> MetricFilter:
    [made] = each["metricTransformations"]
    if made.get("dimensions") or made["metricValue"] not in ("1", "1.0"):
        raise unsaid(f"the value {made['metricValue']} of {each['filterName']}", "count lines")
    return MetricFilter(
        each["filterName"], each["filterPattern"], made["metricNamespace"], made["metricName"],
        made.get("defaultValue"),
    )  # fmt: skip


def log_metric(
    each: MetricFilter, target: Language, text: str, resource: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a metric of the target that counts the same lines, and how ``alerts`` names it (``--metrics``).

    :param text: the query in the target's language: of lines for Cloud Logging, of counts for Loki.
    :param resource: Google's type of resource.
    :raises UnsaidError: the target has no such metric.
    """
    plain = re.sub(r"\W", "_", f"{each.namespace}_{each.metric}").strip("_").lower()
    if target is Language.LOGQL:
        expr = f"{text} or vector({each.default:g})" if each.default is not None else text
        return {"record": plain, "expr": expr}, {"namespace": "", "name": plain, "unit": ""}
    if target is not Language.LOGGING:
        raise unsaid(f"a metric of logs in {target}", "make the alert on a query of logs by hand")
    made = {"name": plain, "filter": text, "metricDescriptor": {"metricKind": "DELTA", "valueType": "INT64"}}
    return made, {"namespace": resource, "name": f"logging.googleapis.com/user/{plain}", "unit": ""}
