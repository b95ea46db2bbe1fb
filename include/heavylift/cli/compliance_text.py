"""What ``heavylift compliance`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavylift.compliance.controls import ControlsRecord
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.compliance_records import ComplianceRecord, EntityFound, ScanRecord


_SHOWN = 50
_LOW = 0.8
"""Confidence below which an inherited class is shown as unsure; it counts all the same."""


def scan_text(record: ScanRecord, ref: EvidenceRef) -> str:
    """Return a scan: the statement, what was found by column, what nobody looked into."""
    lines = [f"{'FOUND' if record.found else 'NOTHING FOUND'}: {record.statement}"]
    lines += _found(record.found)
    if record.unsure:
        lines += ["  unsure, and not judged:", *_found(record.unsure)]
    lines += [
        f"  {each.column or '(text)':<32} Presidio sees {each.kind} in {each.agreed} of {each.asked}"
        " candidates"
        for each in record.opinions
    ]
    lines += [
        f"  not looked into: {each.count:,} x {each.what}, {each.size_bytes:,} bytes: {each.reason}"
        for each in record.not_scanned
    ]
    if record.unparsed_rows:
        lines.append(f"  {record.unparsed_rows:,} rows do not fit their columns and were read as text")
    lines.append(
        f"  {record.values:,} values, {record.bytes_read:,} bytes of {record.objects:,} of"
        f" {record.objects_total:,} objects in {record.took_seconds:g} s; seed {record.seed}"
    )
    return "\n".join([*lines, f"  evidence: {ref.path}"])


def _found(found: Iterable[EntityFound]) -> list[str]:
    return [
        f"  {each.column or '(text)':<32} {each.entity:<16} {each.confidence:.2f}  {each.hits:,} hits in"
        f" {each.values:,} values [{each.share_low:.2%}, {each.share_high:.2%}]  {each.mask}"
        for each in found
    ]


def check_text(record: ComplianceRecord, ref: EvidenceRef) -> str:
    """Return a judgement: the statement, what is not kept with its remedy, exceptions, classes."""
    lines = [f"{'KEPT' if record.passed else 'REFUSED'}: {record.statement}"]
    for each in record.outcomes:
        if each.outcome != "kept":
            word = {"broken": "BROKEN", "unknown": "NOT KNOWN", "excepted": "excepted"}[each.outcome]
            help_ = f" by {each.exception}" if each.exception else f". To fix: {each.remedy}"
            lines.append(f"  {word} [{each.rule}] {each.subject}, {each.leg}: {each.detail}{help_}")
    lines += [
        f"  {subject} counts as {', '.join(classes) or 'nothing that the rules ask for'}"
        for subject, classes in record.classes.items()
    ]
    lines += _flow_lines(record)
    return "\n".join([*lines, f"  evidence: {ref.path}"])


def _flow_lines(record: ComplianceRecord) -> list[str]:
    lines = [f"  classes flow {record.graph_told}" if record.graph else f"  {record.graph_told}"]
    lines += [
        f"  {f'{each.kind} ' if each.kind else ''}{each.subject} inherits {each.data_class}:"
        f" {' → '.join(each.chain)}" + (f" UNSURE ({each.confidence:.2f})" if each.confidence < _LOW else "")
        for each in record.inherited[:_SHOWN]
    ]
    if record.inherited_count > _SHOWN:
        lines.append(f"  and {record.inherited_count - _SHOWN:,} more inherited classes, in the evidence")
    lines += [
        f"  declassified by {each.approver}: {', '.join(each.classes)} of {', '.join(each.kept_from)}"
        f"{f' and {each.count - len(each.kept_from)} more' if each.count > len(each.kept_from) else ''}:"
        f" {each.reason}"
        for each in record.declassified
    ]
    return lines


def controls_text(record: ControlsRecord, refs: Iterable[EvidenceRef]) -> str:
    """Return the controls, each with its standing and why."""
    trail = "intact" if record.trail_intact else "DAMAGED"
    lines = [f"{record.migration}: {record.audit_entries:,} entries of the audit trail, {trail}"]
    lines += [
        f"  {each.standing.upper():<13} {each.control:<24} {each.title}"
        + (f": {each.why}" if each.why else "")
        for each in record.controls
    ]
    lines += [f"  {record.inherited_count:,} inherited classes, {record.graph_told}"] * bool(
        record.graph_told
    )
    lines += [
        f"  declassified by {each.approver}: {', '.join(each.kept_from)}: {each.reason}"
        for each in record.declassified
    ]
    return "\n".join([*lines, *(f"  evidence: {ref.path}" for ref in refs)])
