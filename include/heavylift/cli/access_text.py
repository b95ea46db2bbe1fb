"""A translation of permissions in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from heavylift.evidence.wording import counted

if TYPE_CHECKING:
    from heavylift.evidence.access_records import AccessRecord, AccessVerification

_SHOWN = 40


def translation_text(record: AccessRecord) -> str:
    """Return what a translation came to."""
    lines = [
        f"{record.source} {record.source_account} → {record.target} {record.target_account}:"
        f" {counted(len(record.identities), 'identity', 'identities')},"
        f" {counted(len(record.roles), 'role')}, {counted(len(record.bindings), 'binding')}",
    ]
    for each in record.bindings[:_SHOWN]:
        lines += [
            f"  {each.identity}",
            f"    on {each.scope}" + (f" where {each.condition}" if each.condition else ""),
            f"    {each.role + ': ' if each.predefined else ''}{', '.join(each.permissions[:_SHOWN])}",
        ]
        if each.excess:
            lines.append(f"    excess, as asked for: {', '.join(each.excess)}")
    if len(record.bindings) > _SHOWN:
        lines.append(f"  … and {len(record.bindings) - _SHOWN} more; --out has all")
    lines += _gaps(record)
    lines += [f"  grew: {each.identity}: {each.title}" for each in record.escalations if each.grew]
    lines += [f"FAILED: {each}" for each in record.failures]
    matrix = record.matrix
    lines.append(
        f"matrix: {matrix.questions} questions, {matrix.kept} kept, {matrix.lost} lost,"
        f" {matrix.excess} excess, {matrix.accepted_excess} excess as asked for; digest {record.digest}"
    )
    return "\n".join(lines)


def _gaps(record: AccessRecord) -> list[str]:
    reasons = Counter(each.reason for each in record.untranslated)
    found = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    lines = [f"untranslated: {len(record.untranslated)}" + (f" ({found})" if found else "")]
    for each in record.untranslated[:_SHOWN]:
        lines += [f"  {each.identity}: {each.permission}: {each.detail}", f"    to fix: {each.remedy}"]
    if len(record.untranslated) > _SHOWN:
        lines.append(f"  … and {len(record.untranslated) - _SHOWN} more; --out has all")
    if record.logs:
        lines.append(f"dropped, since no log shows them used: {len(record.unused)}")
    return lines


def verification_text(record: AccessVerification) -> str:
    """Return what a verification came to."""
    lines = [f"{record.compared} permissions compared, {record.difference_count} differences"]
    for each in record.differences[:_SHOWN]:
        place = f"{each.scope}" + (f" where {each.condition}" if each.condition else "")
        lines += [
            f"  {each.kind}: {each.identity}: {each.permission} on {place}",
            f"    to fix: {each.remedy}",
        ]
    return "\n".join(lines)
