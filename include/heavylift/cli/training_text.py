"""What ``heavylift training`` prints of a translation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavylift.evidence.training_records import TrainingRecord, TrainingRemark, TrainingShape


def translated(record: TrainingRecord, path: Path) -> str:
    """Return a translation: the verdict, the shape, what blocks, what is needed, lost and changed."""
    word = "TRANSLATED" if record.passed else "MUST NOT BE RUN YET"
    counts = ", ".join(f"{count} {name}" for name, count in record.counts.items())
    lines = [f"{word}: {record.file} to {path}: {counts}"]
    lines += [_shape("source", record.source), _shape("target", record.target)]
    lines += _remarks("blocks", record.blocks)
    lines += _remarks("needs", record.needs)
    lines += _remarks("lost", record.losses)
    for each in record.changes:
        source = f" [{each.source}]" if each.source else ""
        lines.append(
            f"  changed: {each.subject}: {each.old or '-'} -> {each.new or '-'}: {each.reason}{source}"
        )
    for found in record.bandwidths:
        lines.append(f"  published: {found['what']}: {found['gb_per_second']:g} GB/s [{found['source']}]")
    return "\n".join(lines)


def _shape(side: str, shape: TrainingShape) -> str:
    batch = "not known" if shape.global_batch is None else f"{shape.global_batch}"
    return (
        f"  {side}: {shape.form}{f' on {shape.cluster}' if shape.cluster else ''}, {shape.nodes} x"
        f" {shape.machine or 'a machine'}, {shape.processes} processes each = {shape.world},"
        f" {shape.accumulation} accumulated, batch {batch}"
    )


def _remarks(word: str, rows: Sequence[TrainingRemark]) -> list[str]:
    return [f"  {word}: {each.subject}: {each.what}. To do: {each.remedy}" for each in rows]
