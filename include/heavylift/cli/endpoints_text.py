"""Endpoints in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.wording import counted

if TYPE_CHECKING:
    from heavylift.evidence.endpoint_records import EndpointsRecord, ThingRow


def endpoints_text(record: EndpointsRecord) -> str:
    """Return what a plan, an application, a verification or a removal came to."""
    lines = []
    for name, place in record.targets.items():
        lines.append(f"{record.act}: {name} in {place}")
        lines += [_row(record, row) for row in record.rows if row.endpoint == name]
    for gap in record.gaps:
        lines.append(f"stays behind: {gap.subject}: {gap.what}")
        lines.append(f"  accepted: {gap.accepted}" if gap.accepted else f"  to fix: {gap.remedy}")
    lines += [f"in the way: {each}" for each in record.problems if record.act == "plan"]
    lines += [f"wrong: {each}" for each in record.problems if record.act != "plan"]
    lines += [f"nothing is called {each} any more" for each in record.unused]
    for answer in record.smoke:
        word = f"as expected, {answer.milliseconds:.0f} ms" if answer.passed else answer.reason
        lines.append(f"golden row of {answer.endpoint}: {word}")
    lines.append(f"{counted(len(record.rows), 'thing')}, {record.pending:,} to do; digest {record.digest}")
    return "\n".join(lines)


def _row(record: EndpointsRecord, row: ThingRow) -> str:
    told = row.before if record.act in {"plan", "verify", "plan-removal"} else f"{row.before} -> {row.after}"
    if row.after == "kept":
        told += ", stays"
    differs = f" ({', '.join(row.differs)})" if row.differs else ""
    return f"  {row.kind} {row.name}: {told.replace('_', ' ')}{differs}"
