"""What ``heavylift cutover analyse`` tells people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.canary_records import CanaryMetric, CanaryRecord, SideRecord


def planned_text(document: Mapping[str, Any]) -> str:
    """Return what a dry run says."""
    return (
        f"step {document['step']}: would ask {' and '.join(document['addresses']) or 'no endpoint'} at most"
        f" {document['requests']:,} requests each ({document['bodies']:,} bodies) within"
        f" {document['seconds']:g} s; nothing was asked"
    )


def analysed_text(record: CanaryRecord, ref: EvidenceRef) -> str:
    """Return a verdict: the reasons, each metric's numbers, what both sides did."""
    lines = [
        f"{record.verdict.upper()}: step {record.step}, after {record.took_seconds:.0f} s and"
        f" {record.samples:,} samples" + ("" if record.final else "; the time is over")
    ]
    lines += [f"  {reason}" for reason in record.reasons]
    lines += [_metric(each) for each in record.metrics]
    lines += [_side(name, side) for name, side in (("source", record.source), ("target", record.target))]
    lines += [f"  told nothing: {name}, {count:,} times" for name, count in record.missed.items()]
    return "\n".join([*lines, f"  evidence: {ref.path}"])


def _metric(metric: CanaryMetric) -> str:
    low = "-" if metric.low is None else f"{metric.low:g}"
    high = "-" if metric.high is None else f"{metric.high:g}"
    estimate = "unknown" if metric.estimate is None else f"{metric.estimate:.4g}"
    return (
        f"  {metric.name:<14} {estimate:>10} [{low}, {high}]  good to {metric.good:g}, bad from"
        f" {metric.bad:g} ({metric.unit}); {metric.samples:,} samples; against it {metric.against:.3g} of"
        f" {metric.abort_at:.3g}, for it {metric.evidence:.3g} of {metric.pass_at:.3g}; {metric.needs}"
    )


def _side(name: str, side: SideRecord) -> str:
    bad = ", ".join(f"{count:,} x {kind}" for kind, count in side.statuses.items() if kind) or "no errors"
    levels = ", ".join(f"{key.upper()} {value:.2f} ms" for key, value in side.quantiles_ms.items())
    live = f"; live: {side.live_requests:,} requests, {side.live_errors:,} errors"
    return f"  {name}: {side.requests:,} requests, {bad}; {levels or 'no latency'}" + (
        live if side.live_requests else ""
    )
