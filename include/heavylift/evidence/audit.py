"""The audit trail: every act on a migration, each entry bound by hash to all before it.

Editing, removing, inserting or reordering entries breaks the chain. Cutting entries off its
end, or rewriting the whole chain, is found by comparing with a head that was kept elsewhere:
every phase summary and report carries one; keep them where whoever can write to the evidence
store cannot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from heavylift.errors import AuditError
from heavylift.evidence.audit_entry import GENESIS, Act, AuditEntry, hash_of, make_entry
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.log import AppendLog, LogItem
from heavylift.evidence.parsing import parse_record
from heavylift.evidence.paths import MAX_SEGMENT, audit_folder
from heavylift.evidence.store import EvidenceStore

_AFTER_ALL = "~" * (MAX_SEGMENT + 1)


class AuditTrail:
    """The trail of one migration. Many processes may append at the same time."""

    def __init__(self, store: EvidenceStore, migration: str) -> None:
        self._migration = migration
        self._log = AppendLog(store, audit_folder(migration))

    async def append(self, act: Act) -> AuditEntry:
        """Note ``act`` and return its entry.

        A task that runs again notes its act again: the trail tells what happened, not what
        should have.

        :raises AuditError: the end of the trail is damaged; nothing was appended.
        :raises PermanentError: the act is malformed or seems to hold a secret.
        """

        def build(number: int, previous: LogItem | None) -> bytes:
            prev = _sound(previous).hash if previous else GENESIS
            return canonical_json(make_entry(self._migration, number, prev, act))

        item = await self._log.append_built(build)
        return parse_record(item.ref.path, item.data, AuditEntry)

    async def head(self) -> str:
        """Return the hash of the last entry, empty where there is none.

        :raises AuditError: the trail has a gap or its last entry is damaged.
        """
        item = await self._log.latest()
        return _sound(item).hash if item else ""

    async def entries(self) -> AsyncIterator[AuditEntry]:
        """Yield all entries in order, as they lie there; :func:`verify_trail` judges them.

        :raises AuditError: an entry cannot be read.
        """
        async for item in self._log.entries():
            yield parse_record(item.ref.path, item.data, AuditEntry)

    async def entries_backwards(self) -> AsyncIterator[AuditEntry]:
        """Yield the entries from the last to the first, each checked against its own hash.

        :raises AuditError: an entry is damaged, or does not belong before the one after it.
        """
        prev = ""
        for number in range(await self._log.length(), 0, -1):
            entry = _sound(await self._log.read(number))
            if prev and entry.hash != prev:
                raise _damaged(entry.seq, "an entry that the next one does not follow")
            yield entry
            prev = entry.prev


def _sound(item: LogItem) -> AuditEntry:
    entry = parse_record(item.ref.path, item.data, AuditEntry)
    if entry.hash == hash_of(entry) and entry.seq == item.number:
        return entry
    raise _damaged(item.number, "an entry that does not carry its own hash or number")


def _damaged(number: int, got: str) -> AuditError:
    return AuditError(
        f"reading entry {number} of the audit trail",
        got=got,
        expected="the entry as it was appended",
        state="nothing was appended",
        remedy="run 'heavylift audit verify' and restore the entry from the store's versions or a backup",
        code="4031",
    )


async def list_migrations(store: EvidenceStore) -> list[str]:
    """Return the migrations that have evidence in ``store``, sorted.

    Costs a few listings for each, however much evidence it has.
    """
    found: set[str] = set()
    after = ""
    while True:
        page = await _first_page(store, after)
        if not page:
            return sorted(found)
        found.update(path.split("/")[0] for path in page if "/" in path)
        # Past everything in the folder of the last path, in byte order and in a folder walk alike.
        after = f"{page[-1].split('/')[0]}/{_AFTER_ALL}"


async def _first_page(store: EvidenceStore, after: str) -> list[str]:
    async for page in store.name_pages(start_after=after):
        if page:
            return page
    return []
