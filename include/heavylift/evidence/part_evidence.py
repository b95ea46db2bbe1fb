"""Keeps what was translated, and finds it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.infra_records import PROVISION_PHASE
from heavylift.evidence.numbered import write_next
from heavylift.evidence.part_records import (
    PartFile,
    PartGap,
    PartName,
    PartProblem,
    PartRecord,
    part_file_path,
    part_path,
)
from heavylift.evidence.records import MAX_LISTED, RunKey
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.runs import list_runs

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.store import EvidenceStore

_TYPES = {
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".html": "text/html; charset=utf-8",
}


@dataclass(frozen=True)
class Accepted:
    """What the spec lets stay untranslated: a pattern of subjects, and why."""

    subject: str
    reason: str


@dataclass
class Made:
    """What one translation came to, before it is kept.

    :param files: name → text.
    :param loader: what has looked at the files; empty where nothing did.
    """

    part: PartName
    source: str
    target: str
    files: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    gaps: list[PartGap] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    loader: str = ""
    valid: int = 0
    invalid: int = 0
    unchecked: int = 0
    problems: list[PartProblem] = field(default_factory=list)


def judge_gaps(gaps: Iterable[PartGap], accepted: Sequence[Accepted]) -> tuple[list[PartGap], list[str]]:
    """Return the gaps with the reason why each is all right, and the acceptances that have met none.

    In a pattern ``*`` stands for any text, and nothing else for anything but itself.
    """
    judged, met = [], set[str]()
    for gap in gaps:
        fitting = [each for each in accepted if fnmatchcase(gap.subject, _literal(each.subject))]
        met |= {each.subject for each in fitting}
        judged.append(gap.model_copy(update={"accepted": fitting[0].reason if fitting else ""}))
    return judged, [each.subject for each in accepted if each.subject not in met]


def _literal(pattern: str) -> str:
    return pattern.replace("[", "[[]").replace("?", "[?]")


async def keep_part(
    store: EvidenceStore, run: RunKey, made: Made, details: EvidenceRef | None = None
) -> Kept[PartRecord]:
    """Keep every file by its digest, then the record that names them.

    Idempotency: nothing is overwritten; the same files lie where they lay, each call adds one record. A call
    that was killed has left files that no record names, and the next one finds them there.
    """
    before = await newest_part(store, run.migration, made.part)
    files = []
    for name, text in sorted(made.files.items()):
        data = text.encode("utf-8", "surrogatepass")
        path = part_file_path(run, made.part, sha256_hex(data), name)
        ref = await store.write_bytes(path, data, _TYPES.get(f".{name.rpartition('.')[2]}", "text/plain"))
        files.append(PartFile(name=name, ref=ref))
    gaps = sorted(made.gaps, key=lambda each: (bool(each.accepted), each.subject, each.what))
    accepted = sum(bool(each.accepted) for each in gaps)
    record = PartRecord(
        run=run,
        part=made.part,
        source=made.source,
        target=made.target,
        digest=_digest(files, gaps),
        before=before.record.digest if before else "",
        counts=made.counts,
        files=tuple(files),
        untranslated=len(gaps),
        accepted=accepted,
        open_untranslated=len(gaps) - accepted,
        gaps=tuple(gaps[:MAX_LISTED]),
        unused=tuple(made.unused),
        loader=made.loader,
        valid=made.valid,
        invalid=made.invalid,
        unchecked=made.unchecked,
        problems=tuple(made.problems[:MAX_LISTED]),
        details=details,
    )
    _, ref = await write_next(store, lambda number: part_path(run, made.part, number), record)
    return Kept(ref, record)


async def note_part(
    store: EvidenceStore, kept: Kept[PartRecord], actor: str, attempt: Mapping[str, object]
) -> None:
    """Note a translation in the migration's audit trail."""
    record = kept.record
    await AuditTrail(store, record.run.migration).append(
        Act(
            actor=actor,
            action=f"{record.part}.translated",
            phase=record.run.phase,
            run=record.run.run,
            subject=record.digest,
            evidence=(kept.ref,),
            details={**record.figures, **attempt},
        )
    )


async def read_part(store: EvidenceStore, run: RunKey, part: PartName) -> Kept[PartRecord] | None:
    """Return a run's newest record of a part, or None.

    :raises AuditError: it is damaged.
    """
    return await read_latest(store, lambda number: part_path(run, part, number), PartRecord)


async def newest_part(store: EvidenceStore, migration: str, part: PartName) -> Kept[PartRecord] | None:
    """Return the migration's newest record of a part, whichever run made it, or None.

    :raises AuditError: a record is damaged.
    """
    newest: Kept[PartRecord] | None = None
    for seen in await list_runs(store, migration, PROVISION_PHASE):
        kept = await read_part(store, seen.key, part) if seen.provisioned else None
        if kept and (newest is None or kept.record.made_at >= newest.record.made_at):
            newest = kept
    return newest


def _digest(files: Iterable[PartFile], gaps: Iterable[PartGap]) -> str:
    content = {
        "files": {each.name: each.ref.sha256 for each in files},
        "untranslated": [each.model_dump(mode="json") for each in gaps],
    }
    return sha256_hex(canonical_json(content))
