"""Uploads that nobody will finish are aborted, and nobody else's."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.errors import CredentialError, IncompleteError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.locations import Location
from heavylift.objects.api import (
    Cleaning,
    TransferOptions,
    TransferRequest,
    clean_uploads,
    copy_shard,
    plan_transfer,
    verify_and_clean,
)
from heavylift.objects.journal import UploadJournal, journal_entries
from heavylift.platforms.local.posix import PosixStore
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes, Upload
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Limits

PART = 1000


@pytest.fixture
def request_(tmp_path: Path) -> TransferRequest:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "source" / "large").write_bytes(os.urandom(3 * PART))
    return TransferRequest(
        run=RunKey(migration="m", phase="transfer", run="one"),
        dataset="d",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=f"file://{tmp_path}/evidence",
        evidence_connection=None,
        options=TransferOptions(limits=Limits(part_size=PART)),
    )


async def began(request: TransferRequest, key: str = "large", part_bytes: int = PART) -> Upload:
    """Leave an upload of the source's present version behind, as a killed mover does."""
    async with (
        open_evidence(request.evidence_url) as evidence,
        open_store(request.source.location, None) as source,
        open_store(request.target.location, None) as target,
    ):
        version = (await source.head(key)).object.version
        upload = await target.begin_upload(key, ObjectAttributes())
        await UploadJournal(evidence, "m", request.dataset).begun(upload, version, part_bytes)
        await target.put_part(upload, 1, b"x", crc(b"x"))
    return upload


def crc(body: bytes) -> str:
    from heavylift.checksums import Algorithm, digest

    return digest(body, Algorithm.CRC32C)[Algorithm.CRC32C]


def hidden(request: TransferRequest) -> set[str]:
    root = Path(request.target.location.container)
    return {path.name for path in root.rglob(".heavylift-*.upload")}


async def moved(request: TransferRequest) -> Cleaning:
    plan = await plan_transfer(request)
    for shard in plan.shards:
        await copy_shard(request, shard.index)
    record, cleaning = await verify_and_clean(request)
    assert record.passed
    return cleaning


async def test_an_upload_of_a_version_that_has_gone_is_aborted_once_the_dataset_is_verified(
    request_: TransferRequest,
) -> None:
    upload = await began(request_)
    Path(request_.source.location.container, "large").write_bytes(os.urandom(2 * PART))
    cleaning = await moved(request_)
    assert (cleaning.ours, cleaning.aborted, cleaning.others) == (1, 1, 0)
    assert cleaning.uploads[0].upload_id == upload.upload_id
    assert hidden(request_) == set()
    assert (await moved(in_run(request_, "two"))).found == 0


async def test_an_upload_with_another_part_size_is_aborted_and_a_foreign_one_is_not(
    request_: TransferRequest,
) -> None:
    await began(request_, part_bytes=2 * PART)
    async with open_store(request_.target.location, None) as target:
        foreign = await target.begin_upload("large", ObjectAttributes())
    cleaning = await moved(request_)
    assert (cleaning.found, cleaning.aborted, cleaning.others) == (2, 1, 1)
    assert hidden(request_) == {f".heavylift-{foreign.upload_id}.upload"}
    assert foreign.upload_id in cleaning.left_alone[0]


async def test_what_the_next_run_goes_on_with_is_kept(request_: TransferRequest) -> None:
    upload = await began(request_)
    await plan_transfer(request_)
    record, cleaning = await verify_and_clean(request_)
    assert not record.passed
    assert (cleaning.ours, cleaning.kept, cleaning.aborted) == (1, 1, 0)
    assert hidden(request_) == {f".heavylift-{upload.upload_id}.upload"}


async def test_an_upload_is_noted_before_it_is_there_so_that_no_kill_leaves_one_unknown(
    request_: TransferRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, noted = PosixStore.begin_named, []

    async def begin_and_die(store: PosixStore, upload: Upload, attributes: ObjectAttributes) -> None:
        async with open_evidence(request_.evidence_url) as evidence:
            noted.extend([entry.upload_id async for entry in journal_entries(evidence, "m", "d")])
        await begin(store, upload, attributes)
        raise CredentialError("writing on", got="killed")

    await plan_transfer(request_)
    with monkeypatch.context() as patch:
        patch.setattr(PosixStore, "begin_named", begin_and_die)
        with pytest.raises(IncompleteError):
            await copy_shard(request_, 0)
    assert [name.split(".")[1] for name in hidden(request_)] == [f"heavylift-{noted[0]}"]
    await copy_shard(request_, 0)
    _, cleaning = await verify_and_clean(request_)
    assert (cleaning.others, hidden(request_)) == (0, set())


async def test_an_unfinished_dataset_drops_what_it_would_not_go_on_with(request_: TransferRequest) -> None:
    await began(request_)
    newest = await began(request_)
    gone = Path(request_.source.location.container, "gone")
    gone.write_bytes(b"y" * 2 * PART)
    await began(request_, "gone")
    gone.unlink()
    record, cleaning = await verify_and_clean(request_)
    assert not record.passed
    assert (cleaning.ours, cleaning.kept, cleaning.aborted) == (3, 1, 2)
    assert hidden(request_) == {f".heavylift-{newest.upload_id}.upload"}


async def test_a_cleaning_that_fails_is_told_and_does_not_deny_the_proof(
    request_: TransferRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heavylift.platforms.local.posix import PosixStore

    async def refuse(self: PosixStore, upload: Upload) -> None:
        raise CredentialError(f"abort of {upload.key}", got="EACCES", remedy="give the permission")

    await began(request_, part_bytes=2 * PART)
    monkeypatch.setattr(PosixStore, "abort_upload", refuse)
    cleaning = await moved(request_)
    assert (cleaning.failed, cleaning.complete) == (1, False)
    assert "EACCES" in cleaning.uploads[0].why


def in_run(request: TransferRequest, name: str) -> TransferRequest:
    return replace(request, run=request.run.model_copy(update={"run": name}))


async def test_by_hand_young_ones_are_spared_and_a_dry_run_changes_nothing(request_: TransferRequest) -> None:
    await began(request_)

    async def clean(hours: int, *, dry_run: bool = False) -> Cleaning:
        age = timedelta(hours=hours)
        return await clean_uploads(
            request_.target, "m", request_.evidence_url, None, older_than=age, actor="me", dry_run=dry_run
        )

    assert ((await clean(24)).kept, len(hidden(request_))) == (1, 1)
    assert ((await clean(0, dry_run=True)).aborted, len(hidden(request_))) == (1, 1)
    assert ((await clean(0)).aborted, len(hidden(request_))) == (1, 0)


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = run(app, ["objects", "cleanup", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


async def test_the_command_tells_what_it_aborted_and_notes_it(
    request_: TransferRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    await began(request_)
    arguments = (str(request_.target.location), "--evidence", str(request_.evidence_url), "--migration", "m")
    status, document = await asyncio.to_thread(command, capsys, *arguments)
    assert (status, document["uploads"]["kept"]) == (0, 1)
    status, document = await asyncio.to_thread(command, capsys, *arguments, "--older-than", "0s")
    assert (status, document["uploads"]["aborted"], hidden(request_)) == (0, 1, set())
    trail = Path(str(request_.evidence_url).removeprefix("file://"), "m", "audit")
    noted = [json.loads(path.read_text()) for path in sorted(trail.rglob("*.json"))]
    assert [entry["action"] for entry in noted] == ["uploads.cleaned", "uploads.cleaned"]
    assert noted[-1]["details"]["aborted"] == 1


async def test_a_wrong_age_is_refused(request_: TransferRequest, capsys: pytest.CaptureFixture[str]) -> None:
    status, document = command(capsys, str(request_.target.location), "--older-than", "soon")
    assert (status, document["error"]["code"]) == (2, "HL-5036")
