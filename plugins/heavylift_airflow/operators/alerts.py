"""The operator of alerts: translate the source's rules, and replay each beside its translation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.alert_records import AlertRecord
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 20


class TranslateAlertsOperator(HeavyliftOperator):
    """Translates alert rules and proves by replay that they fire as those of the source; applies nothing.

    Idempotency: each run of the task keeps a translation of its own; the same files give the same digest.
    On failure: what was kept stays.

    :param documents: exports of the source's rules. (templated)
    :param source: ``cloudwatch``, ``google``, ``azure`` or ``prometheus``; likewise ``target``.
    :param names_path: JSON with metrics, labels and scopes of the target. (templated)
    :param series: series of yours to replay, instead of those made to try each rule. (templated)
    :param accepted: names of rules that may differ or stay behind.
    :return: ``{"digest", "rules", "equal", "accepted", "untranslated", "losses", "passed"}``.
    :raises IncompleteError: a rule fires otherwise than its source, or has no counterpart.
    :raises SpecError: a document cannot be read.
    """

    template_fields: Sequence[str] = (
        *HeavyliftOperator.template_fields, "documents", "names_path", "series",
    )  # fmt: skip

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(
        self,
        *,
        spec_path: str,
        phase: str,
        documents: Sequence[str],
        source: str,
        target: str,
        names_path: str | None = None,
        series: Sequence[str] = (),
        accepted: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.documents = documents
        self.source = source
        self.target = target
        self.names_path = names_path
        self.series = series
        self.accepted = accepted

    def execute(self, context: Context) -> dict[str, Any]:
        """Translate, replay, keep the evidence, and refuse what differs."""
        from heavylift.alerts.keeping import figures, require_equal

        frame = self.frame(context)
        record = self.work.run(self._translate(frame), "translation of alerts")
        for gap in (*record.untranslated, *record.losses)[:MAX_NAMED]:
            self.log.warning("%s: %s. To fix: %s", gap.rule, gap.what, gap.remedy)
        found = figures(record)
        self.log.info("%s", found)
        require_equal(record)
        return found

    async def _translate(self, frame: TaskFrame) -> AlertRecord:
        from heavylift.alerts.api import AlertsRequest, translate_alerts
        from heavylift.alerts.keeping import keep
        from heavylift.alerts.model import Platform

        record = translate_alerts(
            AlertsRequest(
                run=frame.run,
                source=Platform(self.source),
                target=Platform(self.target),
                files=[Path(each) for each in self.documents],
                names_path=Path(self.names_path) if self.names_path else None,
                series_paths=[Path(each) for each in self.series],
                accepted=frozenset(self.accepted),
            )
        )
        async with self.evidence(frame) as store:
            attempt = {"attempt": frame.attempt, "run_started_by": frame.actor}
            ref = await keep(store, record, frame.task_actor, attempt)
            self.evidence_path = ref.path
        return record
