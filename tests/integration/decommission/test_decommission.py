"""Giving a source up on real servers, from the plan to the certificate: objects and tables."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from heavylift.decommission import tables as tables_of
from heavylift.decommission.api import LeavingRequest, PlanLife, certify, delete, disable, restore
from heavylift.decommission.life import demand_life
from heavylift.decommission.shutting import open_again
from heavylift.errors import ConflictError, CredentialError, IncompleteError
from heavylift.platforms.places import Place
from heavylift.platforms.postgresql.connect import connect
from heavylift.spec.resolve import find_dataset
from sandbox.stack import Stack
from sandbox.waiting import until
from tests.integration.objects.places import Servers
from tests.support.leaving import OBJECTS, Leaving, leaving
from tests.support.longer import first_then_long
from tests.support.shell import start
from tests.support.two_databases import two_databases

DONE, FAILED = 0, 1


@pytest.fixture
def workload(sandbox: Stack, tmp_path: Path) -> Iterator[Leaving]:
    servers = Servers(sandbox, tmp_path)
    name = f"leaving-{secrets.token_hex(4)}"
    places = tuple(
        _place(servers.place(server, name, "data/"), server) for server in ("aws_source", "aws_target")
    )
    with (
        two_databases(sandbox.env, f"file://{tmp_path}/evidence") as pair,
        leaving(tmp_path, sandbox.env, places, pair) as made,
    ):
        yield made


PLATFORMS = {"gs": "gcp", "az": "azure"}


def _place(place: Place, server: str) -> dict[str, str]:
    found = {"url": str(place.location), "connection": server}
    platform = PLATFORMS.get(place.location.scheme)
    return {**found, "platform": platform} if platform else found


def run(workload: Leaving, name: str, *options: str) -> tuple[int, dict[str, Any]]:
    arguments = ["decommission", name, str(workload.spec_file), *options, "--json"]
    status, output, errors = start(arguments, workload.environment).end()
    found = dict(json.loads(output))
    assert found["exit_status"] == status, errors
    return status, found


def tables(workload: Leaving) -> list[str]:
    assert workload.databases is not None
    rows = workload.databases.on_source(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    return [row[0] for row in rows]


async def read(workload: Leaving) -> None:
    async with workload.store() as store:
        await store.fetch(store.location.prefix + next(iter(OBJECTS)))


def test_a_source_is_given_up_from_a_shell(workload: Leaving) -> None:
    status, found = run(workload, "plan")
    assert status == DONE, found
    digest = found["digest"]
    status, found = run(workload, "disable")
    assert (status, found["error"]["code"]) == (FAILED, "HL-9322")
    status, found = run(workload, "disable", "--approve", digest)
    assert (status, found["state"]) == (DONE, "disabled"), found
    assert tables(workload) == []
    with pytest.raises(CredentialError):
        asyncio.run(read(workload))
    with pytest.raises(CredentialError):
        workload.put("new.bin", b"written by somebody")
    status, found = run(workload, "restore")
    assert (status, found["state"]) == (DONE, "restored")
    assert tables(workload) == ["customer", "entry"]
    asyncio.run(read(workload))
    status, found = run(workload, "plan")
    assert (status, found["plan"]["number"]) == (DONE, 2)
    status, found = run(workload, "disable", "--approve", found["digest"])
    assert (status, found["state"]) == (DONE, "disabled")
    ends = datetime.fromisoformat(found["grace_ends"])
    until(lambda: datetime.now(UTC) > ends, seconds=30)
    status, found = run(workload, "delete", "--approve", found["digest"])
    assert status == DONE, found
    assert (status, found["rows_deleted"], found["tables_dropped"]) == (DONE, len(OBJECTS), 2), found
    assert workload.keys() == []
    assert sorted(OBJECTS) == workload.keys("target")
    status, found = run(workload, "certificate")
    assert (status, found["certificate"]["complete"]) == (DONE, True), found


# What follows goes without a database, in this process.

STORES = {
    "s3": ("aws_source", "aws_target"),
    "moto": ("aws_control", "aws_target"),
    "gcs": ("gcp_target", "aws_target"),
    "azure": ("azure_target", "aws_target"),
    "folder": ("file", "aws_target"),
    "folders": ("file", "file"),
}


def objects_of(sandbox: Stack, folder: Path, kind: str, **section: Any) -> Iterator[Leaving]:
    servers = Servers(sandbox, folder)
    names = (f"leaving-{secrets.token_hex(4)}" for _ in range(2))
    places = tuple(
        _place(servers.place(server, name, "data/"), server)
        for server, name in zip(STORES[kind], names, strict=True)
    )
    with leaving(folder, sandbox.env, places, **section) as made:
        yield made


@pytest.fixture(params=first_then_long(["s3", "gcs", "folder", "moto", "azure"]))
def objects(sandbox: Stack, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Leaving]:
    yield from objects_of(sandbox, tmp_path, request.param)


@pytest.fixture
def folder(sandbox: Stack, tmp_path: Path) -> Iterator[Leaving]:
    yield from objects_of(sandbox, tmp_path, "folder")


@pytest.fixture
def folders(sandbox: Stack, tmp_path: Path) -> Iterator[Leaving]:
    yield from objects_of(sandbox, tmp_path, "folders")


@pytest.fixture
def versioned(sandbox: Stack, tmp_path: Path) -> Iterator[Leaving]:
    yield from objects_of(sandbox, tmp_path, "s3")


def through_grace(workload: Leaving, life: PlanLife) -> PlanLife:
    workload.agree("disable", life)
    life = workload.act(disable)
    until(lambda: datetime.now(UTC) > (life.grace_ends or datetime.now(UTC)), seconds=30)
    looked = workload.look(life)
    assert looked.record.open_items == ()
    workload.agree("delete", life)
    return life


def test_objects_of_any_store_are_deleted_and_certified(objects: Leaving) -> None:
    life = objects.plan()
    assert life.plan.record.datasets[0].objects == len(OBJECTS)
    through_grace(objects, life)
    assert objects.act(delete).rows_deleted == len(OBJECTS)
    assert objects.keys() == []
    assert objects.keys("target") == sorted(OBJECTS)
    certificate, _ref = objects.act(certify)
    assert certificate.complete
    [part] = certificate.parts
    assert (part.items, part.size_bytes) == (len(OBJECTS), sum(map(len, OBJECTS.values())))


def test_objects_are_there_again_after_a_restore(objects: Leaving) -> None:
    objects.agree("disable", objects.plan())
    objects.act(disable)
    objects.act(restore)
    assert objects.keys() == sorted(OBJECTS)
    asyncio.run(read(objects))
    with pytest.raises(IncompleteError, match="HL-9322"):
        objects.act(delete)


def test_versions_that_were_never_copied_go_only_where_the_spec_says_so(
    sandbox: Stack, versioned: Leaving
) -> None:
    s3 = Servers(sandbox, versioned.spec_file.parent).s3("aws_source")
    bucket = find_dataset(versioned.spec, "images").source.location.container
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    changed, hidden = list(OBJECTS)[:2]
    versioned.put(changed, OBJECTS[changed])
    s3.delete_object(Bucket=bucket, Key=f"data/{hidden}")
    asyncio.run(versioned.verified())
    plan = versioned.plan().plan.record
    assert (plan.datasets[0].objects, plan.retained[0].objects) == (len(OBJECTS) - 2, 2)
    versioned.change(older_versions=True)
    life = versioned.plan()
    [planned] = life.plan.record.datasets
    assert (planned.objects, planned.versions, planned.markers) == (len(OBJECTS), len(OBJECTS) + 2, 1)
    through_grace(versioned, life)
    assert versioned.act(delete).rows_deleted == planned.versions
    found = s3.list_object_versions(Bucket=bucket)
    assert not found.get("Versions")
    assert not found.get("DeleteMarkers")
    assert versioned.act(certify)[0].complete


def test_what_a_rule_keeps_and_what_the_target_lacks_stays(folder: Leaving) -> None:
    kept, late, lacking, other = list(OBJECTS)[:4]
    folder.change(
        keep=[
            {"component": "dataset/images", "match": [kept], "legal_hold": True, "reason": "case 7"},
            {"component": "dataset/*", "match": [late], "retain_until": "2999-01-01", "reason": "tax law"},
            {"component": "dataset/*", "match": [lacking], "retain_until": "2020-01-01", "reason": "over"},
        ]
    )
    folder.put(other, b"another content, by the live workload", "target")
    life = folder.plan()
    told = {each.reason: each.objects for each in life.plan.record.retained}
    assert {reason.partition(":")[0] for reason in told} == {
        "legal hold",
        "retained until 2999-01-01",
        "the target has no object of this name and size",
    }
    through_grace(folder, life)
    folder.act(delete)
    assert folder.keys() == sorted([kept, late, other])
    certificate, ref = folder.act(certify)
    assert certificate.complete
    assert {each.reason for each in certificate.retained} == set(told)
    text = (Path(folder.spec.evidence.url.removeprefix("file://")) / ref.path).with_suffix(".md").read_text()
    assert "case 7" in text
    assert certificate.plan_sha256 in text


def test_a_legal_hold_that_comes_in_the_grace_stops_the_deletion(folder: Leaving) -> None:
    through_grace(folder, folder.plan())
    held = list(OBJECTS)[3]
    folder.change(
        keep=[{"component": "dataset/images", "match": [held], "legal_hold": True, "reason": "case 8"}]
    )
    with pytest.raises(ConflictError, match="HL-9309"):
        folder.act(delete)
    assert folder.keys() == sorted(OBJECTS)


def test_two_people_are_demanded_where_the_spec_says_so(folder: Leaving) -> None:
    folder.change(two_people=True)
    life = folder.plan()
    folder.agree("disable", life, "ann")
    with pytest.raises(IncompleteError, match="HL-9324"):
        folder.agree("delete", life, "ann")
    folder.agree("delete", life, "ben")
    folder.act(disable)
    until(lambda: datetime.now(UTC) > folder.act(demand_life).grace_ends, seconds=30)
    assert folder.act(delete).rows_deleted == len(OBJECTS)


def test_an_attempt_that_hung_and_wakes_after_a_restore_leaves_nothing_shut(workload: Leaving) -> None:
    life = workload.plan()
    workload.agree("disable", life)

    async def hangs(request: LeavingRequest) -> None:
        real = tables_of.set_aside

        def late(*arguments: Any) -> int:
            asyncio.run(restore_meanwhile())
            return real(*arguments)

        async def restore_meanwhile() -> None:
            async with workload.request(run="other") as other:
                await restore(other)

        tables_of.set_aside = late
        try:
            await disable(request)
        finally:
            tables_of.set_aside = real

    with pytest.raises(ConflictError, match=r"HL-93(19|20)"):
        workload.act(hangs)
    assert tables(workload) == ["customer", "entry"]
    asyncio.run(read(workload))


def test_an_object_that_changed_since_the_plan_stops_everything(versioned: Leaving) -> None:
    life = through_grace(versioned, versioned.plan())
    name = list(OBJECTS)[5]
    versioned.act(lambda request: open_again(request, life.plan.record.datasets[0]))
    versioned.put(name, b"written after the plan")
    with pytest.raises(ConflictError, match="HL-9309"):
        versioned.act(delete)
    versioned.put("new.bin", b"nobody planned this")
    assert len(versioned.keys()) == len(OBJECTS) + 1
    looked = versioned.look(life).record
    assert {each.item for each in looked.open_items} == {"objects_unchanged", "objects_added"}


def test_a_source_that_is_used_gets_no_plan(workload: Leaving) -> None:
    assert workload.databases is not None
    with connect(workload.databases.source, "reading reports", autocommit=True) as session:
        session.execute("SET application_name = 'reports'")
        items = {each.item: each for each in workload.look().record.open_items}
        assert set(items) == {"sessions"}
        assert "reports" in items["sessions"].detail
        with pytest.raises(IncompleteError, match="HL-9310"):
            workload.plan()
    workload.databases.on_source("CREATE VIEW seen AS SELECT * FROM entry")
    plan = workload.plan().plan.record
    assert plan.databases == ()
    assert {each.what for each in plan.retained} == {"table public.customer", "table public.entry"}
    assert all("view" in each.reason for each in plan.retained)


def test_a_row_that_was_written_in_the_grace_keeps_the_tables(workload: Leaving) -> None:
    assert workload.databases is not None
    life = workload.plan()
    planned = life.plan.record.databases[0]
    workload.agree("disable", life)
    workload.act(disable)
    aside = tables_of.aside_schema(workload.spec.migration, "public")
    workload.databases.on_source(
        f"ALTER TABLE {aside}.entry DISABLE TRIGGER ALL; UPDATE {aside}.entry SET body = 'x' WHERE id = 7"
    )
    with pytest.raises(ConflictError, match="HL-9314"):
        tables_of.drop(workload.databases.source, workload.spec.migration, planned)
    assert workload.databases.on_source(f"SELECT count(*) FROM {aside}.entry") == [(300,)]


def test_a_deletion_that_is_killed_goes_on_where_it_was(folders: Leaving) -> None:
    dataset = find_dataset(folders.spec, "images")
    for place in (dataset.source, dataset.target):
        for number in range(1700):
            (Path(place.location.container) / f"more-{number:05d}").write_bytes(b"x")
    asyncio.run(folders.verified())
    through_grace(folders, folders.plan())
    evidence = Path(folders.spec.evidence.url.removeprefix("file://"))
    process = get_context("fork").Process(target=folders.act, args=(delete,))
    process.start()
    until(lambda: any(evidence.rglob("00000001-begun.json")), seconds=60, longest=0.01)
    process.kill()
    process.join()
    batches = {each.name for each in evidence.rglob("0000*.json")}
    assert "00000003-done.json" not in batches
    with pytest.raises(ConflictError, match="HL-9319"):
        folders.act(restore)
    done = folders.act(delete)
    assert done.rows_deleted < 1700
    assert folders.keys() == []
    certificate, _ref = folders.act(certify)
    [part] = certificate.parts
    assert (part.items, certificate.complete) == (1700 + len(OBJECTS), True)
