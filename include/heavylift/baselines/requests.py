"""What a baseline is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from heavylift.connections import Connection
from heavylift.evidence.baseline_records import PredictionCost
from heavylift.evidence.records import RunKey
from heavylift.load.plan import LoadPlan
from heavylift.platforms.places import Place

PHASE = "assess"


@dataclass(frozen=True)
class Held:
    """An earlier baseline that the new one is held against.

    :param path: of its record in the evidence store.
    :param max_ratio: how much slower the judged quantile may be, at most, with its interval's upper bound.
    """

    path: str
    judged: float = 0.95
    max_ratio: float = 1.1


@dataclass(frozen=True)
class GoldenAsk:
    """Golden rows with labels, by which the predictions are judged.

    :param label: the column with the truth; ``drop``: further columns that are no inputs.
    :param metrics: by what the label is where empty.
    :param threshold: a score from which on the answer is the positive class; None where labels are answered.
    :param batch: rows of one request.
    """

    place: Place
    label: str
    drop: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    threshold: float | None = None
    batch: int = 100


@dataclass(frozen=True)
class BaselineRequest:
    """The baseline of one endpoint.

    :param requests: a file or object with bodies, one JSON document a line.
    :param usd_per_hour: what the endpoint costs while it stands; divided by what it was shown to sustain.
    """

    run: RunKey
    connection: Connection
    requests: Path | Place
    plan: LoadPlan
    evidence_url: str | None = None
    evidence_connection: Connection | None = None
    path: str = ""
    held: Held | None = None
    cost: PredictionCost | None = None
    usd_per_hour: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    golden: GoldenAsk | None = None
