"""What has gone from the source and stands where something new has to be, on a target that keeps folders.

A file ``a`` of the source that became the folder ``a/`` is two things to a plan: ``a`` has gone, and ``a/x``
is new. A file system cannot hold both, not even for a moment, and a sync deletes only after it has copied.
So each shard lets go first what the plan lets go and its objects need the place of; all else goes at the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import CredentialError
from heavylift.evidence.records import Finding, PlanRecord, Severity
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import counted
from heavylift.objects.deletes import DELETED, QUARANTINED, Deletion
from heavylift.objects.gone_rows import GoneRow, read_gone
from heavylift.objects.manifest import PlanRow
from heavylift.objects.requests import SYNC, TransferRequest
from heavylift.platforms.ports import ObjectStore

if TYPE_CHECKING:
    from heavylift.objects.diff import Difference

IN_THE_WAY = "in-the-way"
"""The rule of an object that stays on the target and keeps one of the source's away."""

_NAMED = 20
_MOVES = "d.action IN ('copy', 'replace', 'compare') AND d.rel NOT IN (SELECT rel FROM refused)"
_FOLDERS = """
SELECT rel, array_to_string(list_slice(parts, 1, n), '/') AS folder FROM
(SELECT rel, parts, unnest(range(1, len(parts))) AS n FROM
 (SELECT d.rel, string_split(d.rel, '/') AS parts FROM diff d WHERE {wanted}))
"""
_STAYS = "d.action = 'extra' AND {gone}"
_IN_THE_WAY = """
SELECT DISTINCT extra FROM (
  SELECT f.folder AS extra FROM ({new}) f
  SEMI JOIN (SELECT d.rel FROM diff d WHERE {stays}) e ON e.rel = f.folder
  UNION ALL
  SELECT f.rel AS extra FROM ({old}) f
  SEMI JOIN (SELECT d.rel FROM diff d WHERE {moves}) w ON w.rel = f.folder
) ORDER BY extra LIMIT $most
"""


async def make_way(
    request: TransferRequest,
    evidence: EvidenceStore,
    source: ObjectStore,
    target: ObjectStore,
    plan: PlanRecord,
    rows: Sequence[PlanRow],
) -> tuple[Finding, ...]:
    """Delete, or put aside, what the plan lets go and ``rows`` need the place of; return what to tell people.

    With the same care as at the end of the run, and only where the brake lets it go. What cannot be dealt
    with stays, so that its object fails, and the others move.
    """
    released = request.run.phase == SYNC and (not plan.brake or request.options.allow_many_deletes)
    if not released or plan.gone_rows is None or not target.traits.hierarchical:
        return ()
    with tempfile.TemporaryDirectory(prefix="heavylift-way-") as folder:
        gone = in_the_way(rows, await read_gone(evidence, plan.gone_rows, Path(folder)))
        if not gone:
            return ()
        deletion = Deletion(request, evidence, source, target, plan)
        failed: list[tuple[str, str]] = []
        try:
            await deletion.deal_with(gone, Path(folder))
        except CredentialError as error:
            failed.append((gone[0].rel, error.got))
        failed += [(failure.key, str(failure.error["got"])) for failure in deletion.failures]
    stuck = [_stuck(request, rel, why) for rel, why in failed]
    return (*_made(request, deletion), *deletion.findings, *stuck)


def _made(request: TransferRequest, deletion: Deletion) -> list[Finding]:
    """Return a note on what was let go: the deletion at the end of the run finds it gone already."""
    went = {
        DELETED: deletion.tallies[DELETED].objects,
        QUARANTINED: deletion.tallies[QUARANTINED].objects - deletion.aside_before,
    }
    return [
        Finding(
            rule=IN_THE_WAY,
            severity=Severity.NOTE,
            subject=request.dataset,
            detail=f"{counted(number, 'object')} that had gone from the source stood in the way of new ones"
            f" and went before the copy: {outcome}",
        )
        for outcome, number in went.items()
        if number
    ]


def _stuck(request: TransferRequest, rel: str, why: str) -> Finding:
    return Finding(
        rule=IN_THE_WAY,
        severity=Severity.WARNING,
        subject=f"{request.dataset}: {rel}",
        detail=f"has gone from the source, is in the way of a new object, and could not be let go: {why}",
        remedy="let the identity of the target delete it, or move it away there; the next run does the rest",
    )


def in_the_way(rows: Sequence[PlanRow], gone: Sequence[GoneRow]) -> list[GoneRow]:
    """Return what of ``gone`` is a folder of a row to write, or lies in what is to be a file."""
    wanted = {row.rel for row in rows}
    folders = {folder for rel in wanted for folder in _folders(rel)}
    return [row for row in gone if row.rel in folders or any(each in wanted for each in _folders(row.rel))]


def stays_in_the_way(
    request: TransferRequest, difference: Difference, target: ObjectStore, *, has_gone: bool
) -> list[Finding]:
    """Name what stays on a target that keeps folders, although an object of the source needs its place.

    :param has_gone: the difference's database has been told what the plan lets go (``find_gone``).
    """
    moving, extra = difference.tally("copy", "replace", "compare"), difference.tally("extra")
    if not target.traits.hierarchical or not moving.objects or not extra.objects:
        return []
    gone = "d.rel NOT IN (SELECT rel FROM gone WHERE standing = 'delete')" if has_gone else "true"
    stays = _STAYS.format(gone=gone)
    new, old = _FOLDERS.format(wanted=_MOVES), _FOLDERS.format(wanted=stays)
    sql = _IN_THE_WAY.format(new=new, old=old, stays=stays, moves=_MOVES)
    location = request.target.location
    return [
        Finding(
            rule=IN_THE_WAY,
            severity=Severity.WARNING,
            subject=location.url_of(location.prefix + rel),
            detail="stays on the target, which keeps folders: an object of the source that needs its name for"
            " a folder, or the name of its folder, cannot be written",
            remedy="move it away on the target, exclude that object, or let a sync delete what has gone from"
            " the source (deletes)",
        )
        for (rel,) in difference.database.execute(sql, {"most": _NAMED}).fetchall()
    ]


def _folders(rel: str) -> Iterator[str]:
    at = rel.find("/")
    while at >= 0:
        yield rel[:at]
        at = rel.find("/", at + 1)
