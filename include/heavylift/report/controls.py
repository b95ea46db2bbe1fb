"""The report on controls: one HTML file beside its JSON, both kept as evidence."""

from __future__ import annotations

from heavylift import __version__
from heavylift.compliance.controls import ControlsRecord, controls_of
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.compliance_records import controls_path
from heavylift.evidence.numbered import write_next, write_next_bytes
from heavylift.evidence.store import HTML, EvidenceStore
from heavylift.report.page import environment, style


async def build_controls(
    store: EvidenceStore, migration: str
) -> tuple[ControlsRecord, tuple[EvidenceRef, EvidenceRef]]:
    """Write the report on controls as JSON and as HTML, and return what it says and where it lies.

    :raises AuditError: an entry of the trail, or the judgement of the rules, cannot be read.
    """
    record = await controls_of(store, migration)
    html = render_controls(record).encode()
    _, kept = await write_next(store, lambda number: controls_path(migration, number, "json"), record)
    _, page = await write_next_bytes(store, lambda n: controls_path(migration, n, "html"), html, HTML)
    return record, (kept, page)


def render_controls(record: ControlsRecord) -> str:
    """Return the page: it loads nothing and runs no script."""
    template = environment().get_template("controls.html")
    return template.render(record=record, style=style(), version=__version__)
