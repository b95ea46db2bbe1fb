"""What ``heavylift models`` prints of a check, a comparison and a conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.wording import size

if TYPE_CHECKING:
    from heavylift.evidence.model_records import (
        ModelCheckRecord,
        ModelComparisonRecord,
        ModelConversionRecord,
        ModelSide,
    )
    from heavylift.evidence.records import Finding

_SHOWN = 30


def checked(record: ModelCheckRecord) -> str:
    """Return a check: the verdict, what the model is, and every finding with its remedy."""
    word = "COMPATIBLE" if record.passed else "NOT COMPATIBLE"
    total = sum(each.size_bytes for each in record.files)
    return "\n".join(
        [
            f"{word}: {record.statement}",
            f"  {record.source_url}: {', '.join(record.flavors)}; Python {record.python or 'not told'};"
            f" {len(record.files)} files, {size(total)}; {len(record.lock)} packages",
            f"  digest {record.digest}",
            *_findings(record.findings),
        ]
    )


def compared(record: ModelComparisonRecord) -> str:
    """Return a comparison: the verdict, each answer, measure and quantile."""
    lines = [f"{'AGREES' if record.passed else 'DIFFERS'}: {record.statement}"]
    lines += [f"  {_side('source', record.source)}", f"  {_side('target', record.target)}"]
    lines += [f"  because: {reason}" for reason in record.reasons]
    lines += [
        f"  {each.name} ({each.kind}): {each.mismatched:,} of {each.compared:,} differ, at most"
        f" {each.largest_absolute:.3g} apart (allowed {each.tolerance_absolute:.3g} +"
        f" {each.tolerance_relative:.3g} x value: {each.tolerance_why}; noise {each.noise:.3g})"
        for each in record.outputs[:_SHOWN]
    ]
    lines += [
        f"  {each.metric}{f' where {each.slice}' if each.slice else ''}: {each.source:.6g} ->"
        f" {each.target:.6g}, better by {each.low:.3g} to {each.high:.3g} at 95 %"
        f"{'' if each.passed else ': FAILED'}"
        for each in record.metrics
    ]
    if record.latency:
        lines += [
            f"  latency {name}: {values[0]:.4g} -> {values[1]:.4g} ms, ratio {values[2]:.3f}, at most"
            f" {values[3]:.3f} at 99 %"
            for name, values in record.latency.quantiles.items()
        ]
    return "\n".join([*lines, *_findings(record.findings)])


def converted(record: ModelConversionRecord) -> str:
    """Return a conversion as lines."""
    lines = [f"{record.model} {record.version}".strip() + f" to {record.form}: {record.statement}"]
    if record.packages:
        lines.append("by " + ", ".join(f"{name} {version}" for name, version in record.packages.items()))
    lines += [f"proof: {each}" for each in (record.weights, record.parity) if each]
    return "\n".join(lines)


def _side(name: str, side: ModelSide) -> str:
    peak = f", peak memory {size(side.peak_bytes)}" if side.peak_bytes is not None else ""
    python = f" (Python {side.python})" if side.python else ""
    return f"{name} {side.url}{python}: {side.rows_per_second:,.0f} rows/s{peak}"


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    return [
        f"  {each.severity.value}: [{each.rule}] {each.subject}: {each.detail}; {each.remedy}"
        for each in findings[:_SHOWN]
    ]
