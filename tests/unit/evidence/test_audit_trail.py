"""The audit trail finds every way to change the past that a hash chain can find."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from heavylift.errors import AuditError, PermanentError
from heavylift.evidence.audit import AuditTrail, list_migrations
from heavylift.evidence.audit_entry import Act, AuditEntry, hash_of
from heavylift.evidence.audit_verify import AuditReport, Damage, verify_trail
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.records import PhaseSummary, RunKey, Tally
from heavylift.evidence.store import EvidenceStore
from tests.unit.evidence.memory_store import MemoryStore

ACT = Act(actor="airflow:m.transfer.copy", action="shard.copied", details={"objects": 3})


def _key(number: int, migration: str = "m") -> str:
    return f"root/{migration}/audit/{number:012d}.json"


@pytest.fixture
def objects() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def store(objects: MemoryStore) -> EvidenceStore:
    return EvidenceStore(objects)


@pytest.fixture
async def trail(store: EvidenceStore) -> AuditTrail:
    trail = AuditTrail(store, "m")
    for _ in range(5):
        await trail.append(ACT)
    return trail


def _kinds(report: AuditReport) -> set[Damage]:
    return {problem.kind for problem in report.problems}


async def test_a_sound_trail_is_intact(store: EvidenceStore, trail: AuditTrail) -> None:
    entries = [entry async for entry in trail.entries()]
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert entries[0].prev == "0" * 64
    assert [entry.prev for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]
    report = await verify_trail(store, "m", expected_head=entries[2].hash)
    assert report.intact
    assert report.entries == 5
    assert report.head == entries[-1].hash == await trail.head()


async def test_writers_at_the_same_time_keep_one_chain(store: EvidenceStore) -> None:
    await asyncio.gather(*(AuditTrail(store, "m").append(ACT) for _ in range(20)))
    report = await verify_trail(store, "m")
    assert report.intact
    assert report.entries == 20


def _edit(objects: MemoryStore) -> None:
    objects.objects[_key(3)] = objects.objects[_key(3)].replace(b'"objects":3', b'"objects":4')


def _reformat(objects: MemoryStore) -> None:
    objects.objects[_key(3)] = json.dumps(json.loads(objects.objects[_key(3)]), indent=1).encode()


def _edit_and_rehash(objects: MemoryStore) -> None:
    entry = AuditEntry.model_validate_json(objects.objects[_key(3)])
    entry = entry.model_copy(update={"actor": "nobody"})
    objects.objects[_key(3)] = canonical_json(entry.model_copy(update={"hash": hash_of(entry)}))


def _remove(objects: MemoryStore) -> None:
    del objects.objects[_key(3)]


def _remove_first(objects: MemoryStore) -> None:
    del objects.objects[_key(1)]


def _remove_and_close_up(objects: MemoryStore) -> None:
    objects.objects[_key(3)], objects.objects[_key(4)] = objects.objects[_key(4)], objects.objects[_key(5)]
    del objects.objects[_key(5)]


def _reorder(objects: MemoryStore) -> None:
    one, other = _key(2), _key(3)
    objects.objects[one], objects.objects[other] = objects.objects[other], objects.objects[one]


def _garble(objects: MemoryStore) -> None:
    objects.objects[_key(5)] = objects.objects[_key(5)][:-20]


def _add_foreign(objects: MemoryStore) -> None:
    objects.objects["root/m/audit/note.txt"] = b"I was here"


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (_edit, Damage.EDITED_ENTRY),
        (_reformat, Damage.EDITED_ENTRY),
        (_edit_and_rehash, Damage.BROKEN_CHAIN),
        (_remove, Damage.MISSING_ENTRY),
        (_remove_first, Damage.MISSING_ENTRY),
        (_remove_and_close_up, Damage.MISPLACED_ENTRY),
        (_reorder, Damage.MISPLACED_ENTRY),
        (_garble, Damage.UNREADABLE_ENTRY),
        (_add_foreign, Damage.FOREIGN_FILE),
    ],
)
async def test_damage_is_found(
    objects: MemoryStore, store: EvidenceStore, trail: AuditTrail,
    damage: Callable[[MemoryStore], None], kind: Damage,
) -> None:  # fmt: skip
    damage(objects)
    report = await verify_trail(store, "m")
    assert not report.intact
    assert kind in _kinds(report)


async def test_a_trail_that_was_cut_short_is_found_by_a_known_head(
    objects: MemoryStore, store: EvidenceStore, trail: AuditTrail
) -> None:
    head = await trail.head()
    del objects.objects[_key(5)]
    assert (await verify_trail(store, "m")).intact, "a shorter chain is sound by itself"
    assert _kinds(await verify_trail(store, "m", expected_head=head)) == {Damage.UNKNOWN_HEAD}


async def test_heads_in_summaries_are_looked_up(
    objects: MemoryStore, store: EvidenceStore, trail: AuditTrail
) -> None:
    none = Tally()
    run = RunKey(migration="m", phase="transfer", run="r")
    summary = PhaseSummary(
        run=run, passed=True, found=none, moved=none, unchanged=none, refused=none, failed=none,
        audit_head=await trail.head(),
    )  # fmt: skip
    await store.write_json("m/transfer/r/summary-1.json", summary)
    report = await verify_trail(store, "m")
    assert report.intact
    assert report.anchors == 1
    del objects.objects[_key(5)]
    assert _kinds(await verify_trail(store, "m")) == {Damage.UNKNOWN_HEAD}


async def test_the_entries_of_another_migration_do_not_pass(
    objects: MemoryStore, store: EvidenceStore, trail: AuditTrail
) -> None:
    for number in range(1, 6):
        objects.objects[_key(number, "other")] = objects.objects[_key(number)]
    assert _kinds(await verify_trail(store, "other")) == {Damage.MISPLACED_ENTRY}


async def test_no_trail_is_no_proof(store: EvidenceStore) -> None:
    assert _kinds(await verify_trail(store, "m")) == {Damage.EMPTY}


async def test_evidence_is_followed_through_files_that_name_others(
    objects: MemoryStore, store: EvidenceStore
) -> None:
    manifest = await store.write_bytes("m/x/r/manifest-1.parquet", b"rows", "application/octet-stream")
    result = await store.write_json("m/x/r/result.json", {"manifests": [manifest.model_dump()]})
    await AuditTrail(store, "m").append(
        Act(actor="a", action="shard.copied", evidence=(result,), subject="train")
    )
    report = await verify_trail(store, "m")
    assert report.intact
    assert report.evidence_checked == 2
    objects.objects["root/m/x/r/manifest-1.parquet"] = b"cows"
    changed = (await verify_trail(store, "m")).problems
    assert [(problem.kind, problem.path) for problem in changed] == [
        (Damage.CHANGED_EVIDENCE, "m/x/r/manifest-1.parquet")
    ]
    del objects.objects["root/m/x/r/result.json"]
    assert _kinds(await verify_trail(store, "m")) == {Damage.MISSING_EVIDENCE}
    assert (await verify_trail(store, "m", check_evidence=False)).intact


async def test_nothing_is_appended_to_a_damaged_end(
    objects: MemoryStore, store: EvidenceStore, trail: AuditTrail
) -> None:
    objects.objects[_key(5)] = objects.objects[_key(5)].replace(b'"objects":3', b'"objects":9')
    before = dict(objects.objects)
    with pytest.raises(AuditError, match="entry 5") as caught:
        await AuditTrail(store, "m").append(ACT)
    assert caught.value.code == "4031"
    assert objects.objects == before


@pytest.mark.parametrize(
    "act",
    [
        Act(actor="a", action="a.b", details={"connection": {"password": "hunter2"}}),
        Act(actor="a", action="a.b", details={"urls": ["https://u:hunter2@h/"]}),
        Act(actor="a", action="a.b", subject="https://h/x?sig=hunter2"),
        Act(actor=" ", action="a.b"),
        Act(actor="a", action="Deleted everything; hunter2"),
    ],
)
async def test_secrets_and_nameless_acts_are_refused(
    objects: MemoryStore, store: EvidenceStore, act: Act
) -> None:
    with pytest.raises(PermanentError) as caught:
        await AuditTrail(store, "m").append(act)
    assert caught.value.code == "4030"
    assert "hunter2" not in str(caught.value).replace(repr(act.action), "")
    assert objects.objects == {}


async def test_migrations_are_found_with_few_listings(objects: MemoryStore, store: EvidenceStore) -> None:
    names = ["a", "a-2", "a2", "b", "zz"]
    for name in names:
        for number in range(1, 101):
            objects.objects[_key(number, name)] = b"{}"
    objects.objects["root/loose-file"] = b""
    assert await list_migrations(store) == names
    assert objects.lists <= 2 * len(names)
