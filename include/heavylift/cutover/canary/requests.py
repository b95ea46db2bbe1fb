"""What an analysis is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from heavylift.connections import Connection
from heavylift.cutover.canary.limits import Limits
from heavylift.evidence.records import RunKey
from heavylift.platforms.places import Place
from heavylift.spec.canary_rules import BusinessMetric

SHADOW = "shadow"


@dataclass(frozen=True)
class Probes:
    """Requests that both sides are asked at the same moment.

    :param requests: a file or object with bodies, one JSON document a line.
    :param rate: a second, to each side.
    :param path: in place of the path of the connections' URLs.
    """

    source: Connection
    target: Connection
    requests: Path | Place
    rate: float = 20.0
    timeout_seconds: float = 5.0
    path: str = ""
    seed: int = 20260101


@dataclass(frozen=True)
class BusinessSource:
    """Where the business metric is read.

    :param every: seconds between two readings, in place of the metric's.
    """

    connection: Connection
    metric: BusinessMetric
    every: float | None = None


@dataclass(frozen=True)
class CanaryRequest:
    """The analysis of one step, or of the shadow.

    :param step: ``shadow``, or the percentage of traffic that the target answers, as text.
    :param seconds: after which it ends, whatever is known by then.
    :param at_least_seconds: a step that could be promoted is watched for so long all the same.
    :param probes: None where only live traffic is judged.
    :param look_seconds: between two looks that are written down. It decides whenever a block has come in.
    """

    run: RunKey
    step: str
    limits: Limits = field(default_factory=Limits)
    seconds: float = 600.0
    at_least_seconds: float = 0.0
    probes: Probes | None = None
    business: BusinessSource | None = None
    look_seconds: float = 10.0
    evidence_url: str | None = None
    evidence_connection: Connection | None = None
