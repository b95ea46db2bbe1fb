"""Builds a run's report and keeps it as evidence."""

from __future__ import annotations

from heavylift.evidence.numbered import write_next_bytes
from heavylift.evidence.paths import report_path
from heavylift.evidence.records import EvidenceRef, PhaseSummary, RunKey
from heavylift.evidence.store import HTML, EvidenceStore
from heavylift.report.story import read_story
from heavylift.report.view import view_of


async def build_report(store: EvidenceStore, run: RunKey, summary: PhaseSummary | None = None) -> EvidenceRef:
    """Write the report of ``run`` into its evidence folder and return its reference.

    Each call adds a numbered report; earlier ones stay. The caller notes the act in the audit
    trail, which binds the report's content.

    :param summary: the run's last word where it is not stored yet; else the last one stored.
    :raises AuditError: a record of the run is damaged.
    """
    html = await render_report(store, run, summary)
    _number, ref = await write_next_bytes(store, lambda number: report_path(run, number), html, HTML)
    return ref


async def render_report(store: EvidenceStore, run: RunKey, summary: PhaseSummary | None = None) -> bytes:
    """Return the report of ``run`` as HTML without keeping it."""
    from heavylift.report.page import render_page

    return render_page(view_of(await read_story(store, run, summary))).encode()
