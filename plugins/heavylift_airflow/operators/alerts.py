"""The operator of alerts: translate the source's rules, and replay each beside its translation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift_airflow.operators.parts import TranslateOperator, no_section

if TYPE_CHECKING:
    import threading

    from heavylift.evidence.part_evidence import Made
    from heavylift_airflow.context import TaskFrame


class TranslateAlertsOperator(TranslateOperator):
    """Translates the alert rules of the spec, and replays each beside its source over the same series.

    Nothing is applied: the rules lie in the evidence, for whoever does.

    Idempotency: the same documents give the same digest; a second run adds one more record.

    :return: ``{"digest", "unchanged", "files", "rules", "equal", "replays", "with_loss", "dashboards",
        "lines", "untranslated", "open_untranslated", "invalid"}``.
    :raises NotFoundError: a document is missing.
    :raises SpecError: one cannot be read, or lies outside of the spec's folder.
    """

    def make(self, frame: TaskFrame, stop: threading.Event) -> Made:
        """Translate the section ``alerts``."""
        from heavylift.alerts.part import AlertsPartRequest, make_alerts

        if not frame.spec.alerts:
            raise no_section(frame, "alerts")
        return make_alerts(AlertsPartRequest(self.spec_path, frame.spec.alerts, frame.run), stop)
