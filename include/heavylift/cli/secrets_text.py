"""Moved secrets in words; never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.wording import counted

if TYPE_CHECKING:
    from heavylift.evidence.secret_records import SecretRow, SecretsRecord

_SHOWN = 200


def secrets_text(record: SecretsRecord) -> str:
    """Return what a move, a comparison or a list came to."""
    lines = [f"{record.act}: {record.source} → {record.target}: {counted(record.found, 'secret')}"]
    for each in record.rows[:_SHOWN]:
        lines += _row(each)
    if len(record.rows) > _SHOWN:
        lines.append(f"  … and {len(record.rows) - _SHOWN} more; --json has all")
    counts = record.counts
    if record.act == "list":
        counts = {"found": record.found, "movable": record.planned, "failed": record.failed}
    lines.append(", ".join(f"{number:,} {name}" for name, number in counts.items()))
    return "\n".join(lines)


def _row(each: SecretRow) -> list[str]:
    kind = f" ({each.airflow} of Airflow's)" if each.airflow else ""
    lines = [f"  {each.outcome.replace('_', ' ')}: {each.source} → {each.target}{kind}"]
    if each.reason:
        lines.append(f"    {each.reason}" + (f" [{each.code}]" if each.code else ""))
    if each.remedy:
        lines.append(f"    to fix: {each.remedy}")
    if each.rotation:
        lines.append(f"    the source rotates it {each.rotation}; nobody does on the target")
    if each.expires:
        lines.append(f"    it expires on the source: {each.expires}; it does not on the target")
    return lines
