"""How far an analysis has come, written down so that one that is cut off goes on from there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

from heavylift.cutover.canary.analysis import Judgement, SequentialAnalysis
from heavylift.cutover.canary.endpoint import shown
from heavylift.cutover.canary.metrics import PairedLatency
from heavylift.cutover.canary.requests import CanaryRequest
from heavylift.cutover.canary.watching import Tally
from heavylift.cutover.ports import Side
from heavylift.evidence.canary_records import (
    CanaryMetric,
    CanaryRecord,
    CanaryState,
    Look,
    LookMetric,
    SideRecord,
    canary_folder,
)
from heavylift.evidence.log import AppendLog, document_of
from heavylift.evidence.store import EvidenceStore

MOST_LOOKS = 500


class Progress:
    """One attempt at a step, with what earlier ones have left.

    :param left: seconds that it may still take.
    :param resumed: how often it went on after it had been cut off.
    """

    def __init__(self, request: CanaryRequest, analysis: SequentialAnalysis, attempt: int) -> None:
        self.request, self.analysis, self.attempt = request, analysis, attempt
        self.tally = Tally()
        self.looks: list[Look] = []
        self.left = request.seconds
        self.resumed = 0
        self.begin = time.monotonic()
        self._spent = 0.0
        self._settings = ""
        self._log: AppendLog | None = None
        self._tell: Callable[[str], None] = lambda _: None

    @classmethod
    async def opened(
        cls,
        store: EvidenceStore,
        request: CanaryRequest,
        analysis: SequentialAnalysis,
        settings: str,
        *,
        attempt: int,
        tell: Callable[[str], None],
    ) -> Progress:
        """Return the progress, with the evidence of a state that was left by the same settings.

        :raises AuditError: the log of states is damaged.
        """
        made = cls(request, analysis, attempt)
        made._settings, made._tell = settings, tell
        made._log = AppendLog(store, f"{canary_folder(request.run, request.step)}/state")
        item = await made._log.latest()
        state = CanaryState.model_validate(document_of(item)) if item else None
        if state is not None and state.settings_sha256 == settings:
            made._go_on(state)
        return made

    def _go_on(self, state: CanaryState) -> None:
        self.analysis.restore(dict(state.state))
        self.looks = list(state.looks)
        self.resumed = state.resumed
        self.tally = _tally_of(state)
        self._spent = state.spent_seconds
        if state.attempt == self.attempt:
            self.resumed += 1
            self.left = max(self.request.seconds - state.spent_seconds, 0.0)
            self._tell(f"step {self.request.step}: goes on after {state.spent_seconds:.0f} s")
        else:
            self._spent = 0.0

    @property
    def seconds(self) -> float:
        """How long this attempt has taken, cut-off parts with it."""
        return self._spent + time.monotonic() - self.begin

    async def look(self) -> None:
        """Write down what is known now, and say it."""
        judged = self.analysis.verdict()
        if judged.samples:
            self.looks.append(look_of(judged, self.seconds))
            # Every other one goes, so that a long step keeps the shape of its course.
            if len(self.looks) > MOST_LOOKS:
                del self.looks[1::2]
            self._tell(_line(self.request.step, judged, self.seconds))
        if self._log is not None:
            await self._log.append(self._state().model_dump(mode="json"))

    def _state(self) -> CanaryState:
        source, target = self._sides()
        return CanaryState(
            attempt=self.attempt,
            settings_sha256=self._settings,
            spent_seconds=round(self.seconds, 3),
            resumed=self.resumed,
            state=self.analysis.state(),
            looks=tuple(self.looks),
            source=source,
            target=target,
            missed=dict(self.tally.missed),
        )

    def record(self, requests_sha256: str) -> CanaryRecord:
        """Return the record of the verdict as it is now."""
        judged = self.analysis.verdict()
        limits = self.analysis.limits
        source, target = self._sides()
        return CanaryRecord(
            run=self.request.run,
            step=self.request.step,
            verdict=judged.verdict.value,
            final=judged.final,
            reasons=judged.reasons,
            metrics=tuple(CanaryMetric(**asdict(each)) for each in judged.metrics),
            samples=judged.samples,
            source=source,
            target=target,
            looks=(*self.looks, look_of(judged, self.seconds)),
            false_abort=limits.false_abort,
            miss=limits.miss,
            steps=limits.steps,
            settings_sha256=self._settings,
            requests_sha256=requests_sha256,
            resumed=self.resumed,
            missed=dict(self.tally.missed),
            took_seconds=round(self.seconds, 3),
        )

    def _sides(self) -> tuple[SideRecord, SideRecord]:
        quantiles: tuple[dict[str, float], dict[str, float]] = ({}, {})
        for metric in self.analysis.metrics:
            levels = metric.levels_ms() if isinstance(metric, PairedLatency) else None
            for known, value in zip(quantiles, levels or (), strict=False):
                known[metric.name.removeprefix("latency_")] = round(value, 4)
        source, target = (
            self._side(side, known) for side, known in zip((Side.SOURCE, Side.TARGET), quantiles, strict=True)
        )
        return source, target

    def _side(self, side: Side, quantiles: dict[str, float]) -> SideRecord:
        probes, statuses, live = self.request.probes, self.tally.statuses[side], self.tally.live[side]
        connection = (probes.source if side is Side.SOURCE else probes.target) if probes else None
        return SideRecord(
            connection=connection.conn_id if connection else "",
            address=shown(connection, probes.path) if probes and connection else "",
            requests=statuses.total(),
            statuses=dict(sorted(statuses.items())),
            quantiles_ms=quantiles,
            live_requests=live[0],
            live_errors=live[1],
        )


def _tally_of(state: CanaryState) -> Tally:
    tally = Tally(missed=Counter(state.missed))
    for side, record in ((Side.SOURCE, state.source), (Side.TARGET, state.target)):
        tally.statuses[side] = Counter(record.statuses)
        tally.live[side] = [record.live_requests, record.live_errors]
    return tally


def look_of(judged: Judgement, seconds: float) -> Look:
    """Return a look as it is written down."""
    return Look(
        seconds=round(seconds, 3),
        samples=judged.samples,
        decision=judged.verdict.value,
        final=judged.final,
        metrics={
            each.name: LookMetric(
                estimate=each.estimate, against=each.against, evidence=each.evidence, samples=each.samples
            )
            for each in judged.metrics
        },
    )


def _line(step: str, judged: Judgement, seconds: float) -> str:
    parts = [
        f"{each.name} {'unknown' if each.estimate is None else format(each.estimate, '.4g')}"
        f" (against {each.against:.3g} of {each.abort_at:.3g}, for {each.evidence:.3g} of {each.pass_at:.3g})"
        for each in judged.metrics
    ]
    return f"step {step}, {seconds:.0f} s, {judged.samples:,} samples: {judged.verdict}; {'; '.join(parts)}"
