"""What ``heavylift baseline`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavylift.evidence.wording import use_in_words

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.baseline_records import EndpointBaseline, GoldenQuality, RatioFigure, StepRecord
    from heavylift.evidence.utilisation_records import UseSeries, UtilisationRecord


def planned_text(document: Mapping[str, Any]) -> str:
    """Return what a dry run says."""
    rates = ", ".join(f"{rate:g}" for rate in document["rates"])
    golden = f"; and {document['golden_rows']:,} golden rows, twice" if document["golden_rows"] else ""
    return (
        f"would send at most {document['requests']:,} requests ({document['bodies']:,} bodies) to"
        f" {document['address']} within {document['seconds']:g} s, at {rates} a"
        f" second{golden}; nothing was sent"
    )


def baseline_text(record: EndpointBaseline, ref: EvidenceRef) -> str:
    """Return a baseline: the verdict, each rate's figures, the noise floor, the comparison."""
    machine = record.machine
    lines = [
        f"{'MEASURED' if record.passed else 'FAILED'}: {record.statement}",
        f"  {record.address} by connection {record.connection}; measured from {machine.cores} cores of"
        f" {machine.cpu}, {machine.kernel}, Python {machine.python}",
    ]
    for step in record.steps:
        lines += _step(step)
    if record.not_tried:
        lines.append(f"  not tried: {', '.join(f'{rate:g}' for rate in record.not_tried)} a second")
    if record.noise_floor:
        floor = record.noise_floor
        lines.append(f"  against itself at {floor.rate:g} a second, {floor.requests:,} requests:")
        lines += _ratios(floor.ratios)
    if record.comparison:
        lines.append(f"  against {record.comparison.baseline}:")
        for step_compared in record.comparison.steps:
            lines.append(
                f"    {step_compared.rate:g} a second: {'passed' if step_compared.passed else 'FAILED'}"
            )
            lines += _ratios(step_compared.ratios)
    if record.quality:
        lines += _quality(record.quality)
    if record.cost:
        lines.append(
            f"  1,000 predictions cost {record.cost.per_thousand} {record.cost.currency}: {record.cost.basis}"
        )
    lines += [
        f"  {each.severity.value}: [{each.rule}] {each.subject}: {each.detail}; {each.remedy}"
        for each in record.findings
    ]
    return "\n".join([*lines, f"  evidence: {ref.path}"])


def _quality(quality: GoldenQuality) -> list[str]:
    lines = [
        f"  {quality.rows:,} golden rows of {quality.inputs}, asked twice: {quality.changed:,} answered"
        f" differently, at 95 % at most {quality.changed_bound:.2g} of all"
    ]
    for each in quality.figures:
        bounds = "no bound: these rows tell none" if each.low is None else f"{each.low:.4f}, {each.high:.4f}"
        part = f" of {each.part} ({each.rows:,} rows)" if each.part else ""
        again = "" if each.again is None else f"; the second time {each.again:.4f}"
        lines.append(f"    {each.metric}{part} {each.value:.4f}  [{bounds}]{again}")
    return lines


def _step(step: StepRecord) -> list[str]:
    errors = ", ".join(f"{count:,} x {kind}" for kind, count in step.errors.items()) or "no errors"
    word = "sustained" if step.sustained else f"NOT SUSTAINED ({step.reason})"
    return [
        f"  {step.rate:g} a second: {word}; {step.answered:,} of {step.planned:,} answered, {errors}"
        + (f", {step.not_sent:,} not sent" if step.not_sent else "")
        + f"; achieved {step.achieved:.4g} a second",
        *[
            f"    P{each.quantile * 100:<5g} {each.ms:>10.2f} ms  [{each.low_ms:.2f}, "
            + (f"{each.high_ms:.2f}]" if each.high_ms is not None else "no bound: too few requests]")
            for each in step.quantiles
        ],
        f"    of which the client was late by {step.late_p99_ms:.2f} ms, and {step.waited_p99_ms:.2f} ms were"
        " waited for a connection, at P99",
    ]


def _ratios(ratios: tuple[RatioFigure, ...]) -> list[str]:
    return [
        f"    P{each.quantile * 100:<5g} ratio {each.ratio:.3f}  [{each.low:.3f}, "
        + (f"{each.high:.3f}]" if each.high is not None else "no bound: too few requests]")
        for each in ratios
    ]


MOST_SHOWN = 40


def utilisation_text(record: UtilisationRecord, ref: EvidenceRef) -> str:
    """Return what machines use: one line for each resource, the gaps, and what is not known."""
    word = "READ" if record.complete else "NOT ALL READ"
    lines = [f"{word}: {record.connection}: {record.statement}"]
    for each in record.components[:MOST_SHOWN]:
        lines.append(
            f"  {each.name} ({each.native_type}{' ' * bool(each.instance_type)}{each.instance_type})"
        )
        lines += [f"    {_used(one)}" for one in each.series]
    if len(record.components) > MOST_SHOWN:
        lines.append(f"  … and {len(record.components) - MOST_SHOWN:,} more; the evidence has all")
    lines += [
        f"  {each.severity.value}: [{each.rule}] {each.subject}: {each.detail} ({each.components:,} of them);"
        f" {each.remedy}"
        for each in record.findings
    ]
    return "\n".join([*lines, f"  evidence: {ref.path}"])


def _used(one: UseSeries) -> str:
    gaps = f", {one.gap_share:.0%} of the time without values" if one.gap_share else ""
    return (
        f"{one.use.replace('_', ' ')}: P50 {use_in_words(one.p50, one.unit)},"
        f" P95 {use_in_words(one.p95, one.unit)}, most {use_in_words(one.peak, one.unit)};"
        f" {one.points:,} values of {one.resolution_seconds} s each{gaps}"
    )
