"""What a rule is, and what it sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from heavylift.assess.advice import Fate
from heavylift.assess.basis import Basis
from heavylift.assess.quotas import Quotas
from heavylift.assess.strategy import Choice
from heavylift.evidence.assess_input import Component, Constraints, Target
from heavylift.evidence.assess_records import Severity


@dataclass(frozen=True)
class Scene:
    """One component on its way to one target.

    :param needed_by: how many others need it.
    :param quotas: what all components together take of the target's quotas, by name.
    :param allowed: those quotas.
    """

    component: Component
    fate: Fate
    choice: Choice
    source: str
    target: Target
    constraints: Constraints
    basis: Basis
    needed_by: int
    quotas: Mapping[str, float]
    allowed: Quotas


@dataclass(frozen=True)
class Rule:
    """One rule.

    :param look: returns what was seen, in words and numbers; empty where the rule has nothing to say.
    """

    id: str
    severity: Severity
    title: str
    look: Callable[[Scene], str]
    remedy: str
