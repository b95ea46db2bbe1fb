"""Copied images in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.wording import counted

if TYPE_CHECKING:
    from heavylift.evidence.image_records import ImageRow, ImagesRecord

_SHOWN, _DIGITS = 200, 19


def images_text(record: ImagesRecord) -> str:
    """Return what a copy, a comparison or a list came to."""
    lines = [f"{record.act}: {record.source} → {record.target}: {counted(record.found, 'image')}"]
    for each in record.rows[:_SHOWN]:
        lines += _row(each)
    if len(record.rows) > _SHOWN:
        lines.append(f"  … and {len(record.rows) - _SHOWN} more; --json has all")
    counts = {name: number for name, number in record.counts.items() if not name.startswith("sent")}
    lines.append(", ".join(f"{number:,} {name}" for name, number in counts.items()))
    lines.append(f"{counted(record.sent, 'blob')} sent, {record.sent_bytes:,} bytes")
    return "\n".join(lines)


def _row(each: ImageRow) -> list[str]:
    parts = f"{counted(each.manifests, 'manifest')}, {counted(each.blobs, 'blob')}" if each.manifests else ""
    refers = f", {counted(each.referrers, 'referrer')}" if each.referrers else ""
    sent = f", {each.sent} sent" if each.sent else ""
    mounted = f", {each.mounted} mounted" if each.mounted else ""
    more = f" ({parts}{refers}{sent}{mounted})" if parts else ""
    lines = [
        f"  {each.outcome.replace('_', ' ')}: {each.source} → {each.target} {each.digest[:_DIGITS]}{more}"
    ]
    if each.reason:
        lines.append(f"    {each.reason}" + (f" [{each.code}]" if each.code else ""))
    if each.remedy:
        lines.append(f"    to fix: {each.remedy}")
    if each.foreign:
        lines.append(
            f"    {counted(each.foreign, 'layer')} that registries do not hold: they stay where they are"
        )
    return lines
