"""What has gone from the source: which objects of the target a sync may delete, and which not.

Only an object that is on the target in exactly the version that a manifest says Heavylift wrote
may go. Everything else that is only on the target stays: what Heavylift did not write, what it
found there already equal, and what somebody has changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.evidence.records import Finding, Severity, Tally
from heavylift.objects.diff import Difference
from heavylift.objects.requests import SYNC, TransferRequest
from heavylift.platforms.ports import ObjectStore, PassesBy
from heavylift.spec.datasets import DeleteBrake
from heavylift.spec.vocabulary import Deletes

_FEW = 10
_HALF = 0.5
_NAMED = 20

_SQL = """
CREATE TABLE gone AS
SELECT d.rel, d.size_bytes, o.source_version, d.target_version, o.crc32c,
       CASE WHEN o.written AND o.source_version IS NOT NULL THEN 'delete'
            WHEN o.rel IS NOT NULL THEN 'found'
            WHEN w.rel IS NOT NULL THEN 'changed'
            ELSE 'foreign' END AS standing
FROM diff d
LEFT JOIN earlier o ON o.rel = d.rel AND o.target_version = d.target_version
LEFT JOIN (SELECT DISTINCT rel FROM earlier WHERE written) w ON w.rel = d.rel
WHERE d.action = 'extra'
"""


@dataclass(frozen=True)
class Gone:
    """What a plan says about objects that have gone from the source.

    :param to_delete: those that the policy lets go.
    :param brake: why the deletion will be refused; empty where it will not.
    :param findings: what a person should know of those that stay.
    """

    to_delete: Tally = field(default_factory=Tally)
    brake: str = ""
    findings: tuple[Finding, ...] = ()


def policy_of(request: TransferRequest) -> Deletes:
    """Return the policy that holds in this run: outside of a sync everything is kept."""
    return request.options.deletes if request.run.phase == SYNC else Deletes.KEEP


def find_gone(
    request: TransferRequest,
    difference: Difference,
    source: ObjectStore,
    found: Tally,
    state: Mapping[str, Any] | None,
) -> Gone:
    """Judge every object that is only on the target; afterwards the diff's database has ``gone``.

    The difference must have been told what is known (``add_known``).

    :param found: what the source's listing has found.
    :param state: the sync state that the last verification has left.
    """
    if policy_of(request) is Deletes.KEEP:
        return Gone()
    database = difference.database
    database.execute(_SQL)
    _spare_what_is_hidden(request, database, source)
    row = database.execute(
        "SELECT count(*), coalesce(sum(size_bytes), 0) FROM gone WHERE standing = 'delete'"
    ).fetchone()
    to_delete = Tally(objects=int(row[0]), size_bytes=int(row[1])) if row else Tally()
    brake = _elsewhere(request, to_delete.objects, state) or brake_on(
        to_delete.objects, found.objects, request.options.delete_brake
    )
    findings = _findings(request, database)
    if brake:
        findings.append(_braked(request, brake))
    return Gone(to_delete, brake, tuple(findings))


def write_gone(difference: Difference, path: Path) -> None:
    """Write what is to be deleted as Parquet: key, size, both versions, CRC32C where known."""
    difference.database.execute(
        "COPY (SELECT rel, size_bytes, source_version, target_version, crc32c FROM gone"
        " WHERE standing = 'delete' ORDER BY rel) TO ? (FORMAT parquet, COMPRESSION zstd)",
        [str(path)],
    )


def brake_on(gone: int, found: int, brake: DeleteBrake) -> str:
    """Return why so many deletions are too many, or an empty text.

    :param gone: how many objects would be deleted.
    :param found: how many objects the source still has.
    """
    if not gone:
        return ""
    if not found and not brake.empty_source:
        return f"the source lists no object at all, and {gone:,} would go from the target"
    share = gone / (gone + found)
    half = max(_HALF, brake.max_share)
    if (gone > brake.free and share > brake.max_share) or (gone > _FEW and share > half):
        limit = brake.max_share if gone > brake.free else half
        return (
            f"{gone:,} of {gone + found:,} objects would go from the target, which is {share:.1%} and more"
            f" than {limit:.1%}"
        )
    return ""


def _elsewhere(request: TransferRequest, gone: int, state: Mapping[str, Any] | None) -> str:
    """Return an objection where the dataset lies elsewhere than when its objects were written.

    Another source lacks objects because it is another one, and another target may hold the same
    ETag without Heavylift having written it there.
    """
    for name, place in (("source_url", request.source), ("target_url", request.target)):
        before, now = (state or {}).get(name), str(place.location)
        if gone and before not in {None, now}:
            side = name.removesuffix("_url")
            return f"the {side} was {before} when the dataset was last verified, and is {now} now"
    return ""


def _spare_what_is_hidden(request: TransferRequest, database: Any, source: ObjectStore) -> None:
    """Keep what the source's listing passed by: a file that became a link has not gone."""
    if not isinstance(source, PassesBy):
        return
    prefix = request.source.location.prefix
    for key in source.unlisted:
        if key.startswith(prefix):
            rel = key[len(prefix) :]
            database.execute(
                "UPDATE gone SET standing = 'hidden' WHERE standing = 'delete'"
                " AND (rel = $rel OR starts_with(rel, $rel || '/'))",
                {"rel": rel},
            )


_WORDS = {
    "changed": (
        Severity.WARNING,
        "target-changed",
        "has gone from the source, but was changed on the target since Heavylift wrote it: it is kept",
        "find out who writes to the target; delete the object there, or leave it",
    ),
    "found": (
        Severity.NOTE,
        "not-written-by-heavylift",
        "has gone from the source, but was found on the target and not written by Heavylift: it is kept",
        "delete the object on the target if it is not wanted any more",
    ),
    "hidden": (
        Severity.WARNING,
        "hidden-on-source",
        "is not listed on the source, as a link or special file stands there: it is kept",
        "replace the link by what it points to, or delete it",
    ),
}


def _findings(request: TransferRequest, database: Any) -> list[Finding]:
    found: list[Finding] = []
    for standing, (severity, rule, detail, remedy) in _WORDS.items():
        rows = database.execute(
            "SELECT rel FROM gone WHERE standing = ? ORDER BY rel LIMIT ?", [standing, _NAMED + 1]
        ).fetchall()
        prefix = request.target.location.prefix
        found += [
            Finding(
                rule=rule,
                severity=severity,
                subject=request.target.location.url_of(prefix + rel),
                detail=detail,
                remedy=remedy,
            )
            for (rel,) in rows[:_NAMED]
        ]
        if len(rows) > _NAMED:
            [count] = database.execute("SELECT count(*) FROM gone WHERE standing = ?", [standing]).fetchone()
            detail = f"{count - _NAMED:,} more objects like this one"
            found.append(Finding(rule=rule, severity=severity, subject=request.dataset, detail=detail))
    return found


def _braked(request: TransferRequest, brake: str) -> Finding:
    return Finding(
        rule="too-many-deletions",
        severity=Severity.WARNING,
        subject=request.dataset,
        detail=f"{brake}: the deletion will be refused",
        remedy=BRAKE_REMEDY,
    )


BRAKE_REMEDY = (
    "make sure that the source is the right one and whole; then allow it for one run"
    " (Allow many deletions in the form, --allow-many-deletes in a shell), or for good by delete_brake"
)
