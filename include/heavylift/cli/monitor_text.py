"""What ``heavylift monitor`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.monitor_records import (
        AccuracyRecord,
        ColumnDrift,
        DriftRecord,
        MonitorPoint,
        ProfileRecord,
        WatchRecord,
    )

WORDS = {"ok": "OK", "alarm": "ALARM", "unsure": "CAN'T TELL"}
_MOST = 200
_FIRST = ("missing", "type", "drift", "unsure", "new", "not compared", "same")


def head(record: WatchRecord) -> str:
    """Return the first line of any look."""
    return f"{WORDS[record.verdict]}: {record.statement}"


def drift_text(record: DriftRecord, ref: EvidenceRef) -> str:
    """Return a comparison: what it comes to, then each column, the worst first."""
    lines = [head(record)]
    if not record.columns:
        lines += [f"  {reason}" for reason in record.reasons]
    shown = sorted(record.columns, key=lambda each: (_FIRST.index(each.verdict), -(each.effect_low or 0.0)))
    lines += [_column(each) for each in shown[:_MOST]]
    if len(shown) > _MOST:
        lines.append(f"  and {len(shown) - _MOST:,} more columns; the evidence has all")
    lines.append(f"  {record.took_seconds:g} s; effects from 0 to 1, limit {record.thresholds.effect:g}")
    return "\n".join([*lines, f"  evidence: {ref.path}"])


def _column(each: ColumnDrift) -> str:
    line = f"  {each.verdict:<12} {each.column:<28} {each.kind:<9}"
    if each.effect is not None:
        line += f" {each.effect:.3f} [{each.effect_low:.3f}, {each.effect_high:.3f}]  PSI {each.psi:.3f}"
    if each.wasserstein is not None:
        line += f"  W {each.wasserstein:.3f}"
    if any(each.missing):
        line += f"  missing {each.missing[0]:.2%} -> {each.missing[1]:.2%}"
    if each.unseen:
        line += f"  unseen {each.unseen:.2%}"
    return line + (f"  {each.reason}" if each.reason else "")


def profile_text(record: ProfileRecord, ref: EvidenceRef) -> str:
    """Return what a profile was made of."""
    return f"KEPT: {record.statement}\n  compare with: {ref.path}"


def accuracy_text(record: AccuracyRecord, ref: EvidenceRef) -> str:
    """Return the metric over all and by slice, and how far the labels have come."""
    lines = [head(record), *(f"  {reason}" for reason in record.reasons)]
    for each in record.slices:
        bounds = "" if each.low is None else f" [{each.low:.4f}, {each.high:.4f}]"
        value = "none" if each.value is None else f"{each.value:.4f}"
        drop = (
            ""
            if each.drop is None
            else f"  worse by {each.drop:.4f} [{each.drop_low:.4f}, {each.drop_high:.4f}]"
        )
        lines.append(
            f"  {WORDS[each.verdict]:<11} {each.name or '(all rows)':<28} {each.rows:>9,} {value}{bounds}"
            f"{drop}"
        )
    found = record.coverage
    lines.append(
        f"  left out: {found.repeated:,} predictions without a key of their own, {found.conflicting:,} keys"
        f" with labels that differ, {found.orphans:,} labels of no prediction,"
        f" {found.unusable:,} unusable values"
    )
    if found.delays:
        told = ", ".join(
            f"{float(name):.0%} within {seconds:,.0f} s" for name, seconds in found.delays.items()
        )
        lines.append(f"  labels came: {told}")
    return "\n".join([*lines, f"  evidence: {ref.path}"])


def plain_text(record: WatchRecord, ref: EvidenceRef) -> str:
    """Return what any look comes to: its statement and its reasons."""
    lines = [head(record), *(f"  {reason}" for reason in record.reasons)]
    return "\n".join([*lines, f"  evidence: {ref.path}"])


def series_text(points: Iterable[MonitorPoint], *, reasons: bool = False) -> str:
    """Return points, one a line."""
    lines = []
    for point in points:
        moment = point.measured_at.strftime("%Y-%m-%d %H:%M:%SZ")
        lines.append(
            f"{moment}  {WORDS[point.verdict]:<11} {point.watch:<24} {point.side or 'both':<6}"
            f" {point.kind:<11} {point.statement}"
        )
        lines += [f"  {reason}" for reason in point.reasons] if reasons else []
    return "\n".join(lines) or "nothing is watched yet"
