"""The rules of the compatibility check: what each is about, how severe it is, and what mends it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from heavylift.evidence.records import Finding, Severity


@dataclass(frozen=True)
class Rule:
    """One rule.

    :param acceptable: a person may accept its findings for a model, by name.
    """

    id: str
    severity: Severity
    remedy: str
    acceptable: bool = True


def _read() -> dict[str, Rule]:
    text = files("heavylift.models").joinpath("data", "rules.csv").read_text("utf-8")
    rows = csv.DictReader(io.StringIO(text))
    rules = [
        Rule(row["id"], Severity(row["severity"]), row["remedy"], row["acceptable"] == "yes") for row in rows
    ]
    return {rule.id: rule for rule in rules}


RULES: Mapping[str, Rule] = MappingProxyType(_read())
"""Id → rule."""


def finding(rule: str, subject: str, detail: str) -> Finding:
    """Return a finding of a rule."""
    known = RULES[rule]
    return Finding(rule=rule, severity=known.severity, subject=subject, detail=detail, remedy=known.remedy)


def accepting(findings: list[Finding], accepted: frozenset[str]) -> list[Finding]:
    """Turn findings that a person has accepted into notes that say so."""
    return [
        each.model_copy(update={"severity": Severity.NOTE, "detail": f"accepted by the spec: {each.detail}"})
        if each.rule in accepted and RULES[each.rule].acceptable and each.severity is not Severity.NOTE
        else each
        for each in findings
    ]
