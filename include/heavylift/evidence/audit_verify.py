"""Verifies an audit trail: its chain, the heads kept elsewhere, and the evidence it names."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from heavylift.errors import AuditError
from heavylift.evidence.audit_entry import GENESIS, AuditEntry, hash_of
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.evidence_walk import walk_evidence
from heavylift.evidence.log import AppendLog, is_entry
from heavylift.evidence.parsing import parse_json, parse_record
from heavylift.evidence.paths import audit_folder
from heavylift.evidence.records import EvidenceRef, Record, utc_now
from heavylift.evidence.store import EvidenceStore

_SUMMARY = re.compile(r"[^/]+/[^/]+/[^/]+/summary-\d+\.json")


class Damage(StrEnum):
    """What can be wrong with a trail or its evidence."""

    EMPTY = "empty"
    MISSING_ENTRY = "missing_entry"
    UNREADABLE_ENTRY = "unreadable_entry"
    EDITED_ENTRY = "edited_entry"
    MISPLACED_ENTRY = "misplaced_entry"
    BROKEN_CHAIN = "broken_chain"
    FOREIGN_FILE = "foreign_file"
    UNKNOWN_HEAD = "unknown_head"
    MISSING_EVIDENCE = "missing_evidence"
    CHANGED_EVIDENCE = "changed_evidence"


class AuditProblem(Record):
    """One thing that is wrong.

    :param entry: the entry's number, None where it concerns none.
    :param path: the file, empty where it concerns none.
    """

    kind: Damage
    entry: int | None = None
    path: str = ""
    detail: str


class AuditReport(Record):
    """The result of verifying one migration's trail.

    :param anchors: heads kept elsewhere that were looked up in the chain.
    :param evidence_checked: files whose SHA-256 was compared; 0 where that was not asked for.
    """

    migration: str
    verified_at: datetime = Field(default_factory=utc_now)
    entries: int
    head: str
    anchors: int = 0
    evidence_checked: int = 0
    problems: tuple[AuditProblem, ...] = ()

    @property
    def intact(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


async def verify_trail(
    store: EvidenceStore, migration: str, *, expected_head: str | None = None, check_evidence: bool = True
) -> AuditReport:
    """Verify the trail of ``migration``; changes nothing.

    The heads in phase summaries must all be in the chain, as must ``expected_head``.

    :param expected_head: a head known from a report or summary kept elsewhere.
    :param check_evidence: also read every file that the trail names, and that those name.
    """
    # Anchors first: a head that is noted while the chain is read must not look unknown.
    anchors, damaged = await _anchors(store, migration)
    if expected_head:
        anchors.append(("the given head", expected_head))
    chain = _Chain(migration)
    await _read_chain(store, chain)
    chain.look_up(anchors)
    for path in damaged:
        chain.report(Damage.CHANGED_EVIDENCE, "no readable phase summary", path=path)
    checked = 0
    if check_evidence:
        checked = await _check_evidence(store, chain)
    return AuditReport(
        migration=migration,
        entries=chain.count,
        head=chain.head,
        anchors=len(anchors),
        evidence_checked=checked,
        problems=tuple(chain.problems),
    )


class _Chain:
    """Judges entries one after another."""

    def __init__(self, migration: str) -> None:
        self.migration = migration
        self._hashes: set[str] = set()
        self._number = 0
        self.head = ""
        self.count = 0
        self.problems: list[AuditProblem] = []
        self.evidence: list[EvidenceRef] = []

    def add(self, number: int, path: str, data: bytes) -> None:
        whole = self._number + 1 == number
        if not whole:
            self._missing(self._number + 1, number - 1)
        self._number = number
        self.count += 1
        try:
            entry = parse_record(path, data, AuditEntry)
        except AuditError as error:
            self.report(Damage.UNREADABLE_ENTRY, error.got, number, path)
            self.head = ""
            return
        self._judge(entry, number, path, data, follows=whole)

    def _judge(self, entry: AuditEntry, number: int, path: str, data: bytes, *, follows: bool) -> None:
        if hash_of(entry) != entry.hash or canonical_json(entry) != data:
            self.report(Damage.EDITED_ENTRY, "its content does not have the hash it carries", number, path)
        if entry.seq != number or entry.migration != self.migration:
            detail = f"it is entry {entry.seq} of migration {entry.migration}"
            self.report(Damage.MISPLACED_ENTRY, detail, number, path)
        before = self.head if number > 1 else GENESIS
        if follows and before and entry.prev != before:
            detail = "it does not follow the entry before it: one of the two was replaced"
            self.report(Damage.BROKEN_CHAIN, detail, number, path)
        self.head = entry.hash
        self._hashes.add(entry.hash)
        self.evidence.extend(entry.evidence)

    def _missing(self, first: int, last: int) -> None:
        which = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        self.report(Damage.MISSING_ENTRY, f"{which} missing", first)

    def look_up(self, anchors: list[tuple[str, str]]) -> None:
        """Demand that every head kept elsewhere is in the chain."""
        if not self.count:
            self.report(Damage.EMPTY, "there is no audit trail")
        for origin, head in anchors:
            if head not in self._hashes:
                detail = f"head {head[:16]}… of {origin} is not in the chain: it was cut short or rewritten"
                self.report(Damage.UNKNOWN_HEAD, detail)

    def report(self, kind: Damage, detail: str, entry: int | None = None, path: str = "") -> None:
        self.problems.append(AuditProblem(kind=kind, entry=entry, path=path, detail=detail))


async def _read_chain(store: EvidenceStore, chain: _Chain) -> None:
    folder = audit_folder(chain.migration)
    log = AppendLog(store, folder)
    numbers = await log.numbers_after(0)
    paths = {log.path_of(number): number for number in numbers}
    for path in await store.names(folder):
        # An entry that was appended after the first listing is no foreign file.
        if path not in paths and not is_entry(path):
            chain.report(Damage.FOREIGN_FILE, "no entry of the trail", path=path)
    for path, number in paths.items():
        chain.add(number, path, await store.read_bytes(path))


async def _anchors(store: EvidenceStore, migration: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the heads in phase summaries with their paths, and the summaries that cannot be read."""
    heads: list[tuple[str, str]] = []
    damaged: list[str] = []
    for path in filter(_SUMMARY.fullmatch, await store.names(migration)):
        try:
            head = parse_json(path, await store.read_bytes(path)).get("audit_head")
        except AuditError:
            damaged.append(path)
            continue
        if head:
            heads.append((path, str(head)))
    return heads, damaged


async def _check_evidence(store: EvidenceStore, chain: _Chain) -> int:
    checked = 0
    async for ref, problem in walk_evidence(store, chain.evidence):
        checked += 1
        if problem:
            kind = Damage.MISSING_EVIDENCE if problem == "missing" else Damage.CHANGED_EVIDENCE
            chain.report(kind, f"expected SHA-256 {ref.sha256[:16]}…", path=ref.path)
    return checked
