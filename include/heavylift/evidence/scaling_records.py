"""The records of compared autoscaling: both policies, both runs at one load, the verdict, the advice."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now

Word = Literal["equivalent", "safe-but-dearer", "less-safe"]


class ScalingLoss(Record):
    """What the target's system cannot hold."""

    subject: str
    what: str
    remedy: str
    blocks: bool = False


class ScalingRun(Record):
    """What one side made of the load.

    :param minutes_above: with too few replicas for the source's target; ``lag_s`` the longest time of it.
    """

    instance_minutes: float
    minutes_above: float
    lag_s: int
    waited: float
    longest_queue: float
    dropped: float
    requests: float
    steps: int


class ScalingAdvice(Record):
    """Better settings of the target; ``word`` is None where none of those that were tried is safe."""

    tried: int
    changes: tuple[str, ...] = ()
    word: Word | None = None
    run: ScalingRun | None = None


class ScalingRecord(Record):
    """One comparison.

    :param target_form: system of the target; ``digest`` of its settings.
    :param world: what was assumed of replicas: capacity, time to start, queue.
    :param tolerance: what may differ.
    :param load_digest: SHA-256 of the load.
    :param passed: nothing blocks, and the target is at least as safe; dearer is told, and passes.
    """

    schema_version: Literal["heavylift/scaling/v1"] = "heavylift/scaling/v1"
    run: RunKey
    name: str
    file: str
    made_at: datetime = Field(default_factory=utc_now)
    source_form: str
    target_form: str
    digest: str
    losses: tuple[ScalingLoss, ...] = ()
    world: dict[str, Any]
    tolerance: dict[str, Any]
    yardstick: str
    load_minutes: int
    load_digest: str
    source: ScalingRun
    target: ScalingRun
    word: Word
    reasons: tuple[str, ...] = ()
    advice: ScalingAdvice
    passed: bool
