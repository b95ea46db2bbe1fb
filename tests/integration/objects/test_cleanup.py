"""Uploads that a killed mover left behind, on real servers: ours are cleaned, others are not touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.evidence.store import open_evidence
from heavylift.objects.api import TransferRequest, clean_uploads, copy_shard, plan_transfer, verify_and_clean
from heavylift.objects.journal import UploadJournal
from heavylift.platforms.ports import ObjectAttributes, Upload
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Limits
from tests.integration.objects import judge
from tests.integration.objects.places import Servers, transfer
from tests.integration.objects.test_between_clouds import fill
from tests.support.longer import first_then_long

MIB = 2**20
PART = 5 * MIB
TARGETS = ("aws_target", "gcp_target", "file")


async def began(request: TransferRequest, key: str, *, noted: bool) -> Upload:
    """Begin an upload of the source's present version with one part, as a killed mover leaves it.

    :param noted: in the journal; else it is as good as somebody else's.
    """
    source, target, body = request.source, request.target, os.urandom(PART)
    async with (
        open_evidence(request.evidence_url) as evidence,
        open_store(source.location, source.connection) as origin,
        open_store(target.location, target.connection) as goal,
    ):
        upload = await goal.begin_upload(target.location.prefix + key, ObjectAttributes())
        if noted:
            version = (await origin.head(source.location.prefix + key)).object.version
            journal = UploadJournal(evidence, request.run.migration, request.dataset)
            await journal.begun(upload, version, PART)
        await goal.put_part(upload, 1, body, digest(body, Algorithm.CRC32C)[Algorithm.CRC32C])
    return upload


def of(upload: Upload, strays: set[str]) -> set[str]:
    return {stray for stray in strays if upload.upload_id in stray}


@pytest.fixture
def request_for(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> Callable[[str], TransferRequest]:
    def make(server: str) -> TransferRequest:
        origin = servers.place("aws_source", new_container(), "in/")
        goal = servers.place(server, new_container(), "" if server == "file" else "out é/")
        return transfer(origin, goal, tmp_path / "evidence", limits=Limits(part_size=PART))

    return make


@pytest.mark.parametrize("server", first_then_long(TARGETS))
async def test_a_sync_cleans_up_what_a_killed_one_left_of_a_version_that_has_gone(
    servers: Servers, request_for: Callable[[str], TransferRequest], server: str
) -> None:
    request = request_for(server)
    container = Path(request.target.location.container).name
    await fill(request.source, {"changes & grows": os.urandom(2 * PART)}, ObjectAttributes())
    ours = await began(request, "changes & grows", noted=True)
    foreign = await began(request, "changes & grows", noted=False)
    client, bucket = servers.s3_as_asked("aws_source"), request.source.location.container
    client.put_object(Bucket=bucket, Key="in/changes & grows", Body=os.urandom(2 * PART + 1))

    request = replace(request, run=request.run.model_copy(update={"run": "two"}))
    plan = await plan_transfer(request)
    await copy_shard(request, plan.shards[0].index)
    assert of(ours, judge.strays(servers, server, container))
    record, cleaning = await verify_and_clean(request)
    assert record.passed, record.differences
    assert (cleaning.ours, cleaning.aborted, cleaning.problem) == (1, 1, "")
    left = judge.strays(servers, server, container)
    assert of(foreign, left)
    assert left == of(foreign, left)


@pytest.mark.parametrize("server", first_then_long(TARGETS))
async def test_by_hand_only_old_uploads_of_ours_below_the_url_go(
    servers: Servers, request_for: Callable[[str], TransferRequest], server: str
) -> None:
    request = request_for(server)
    container = Path(request.target.location.container).name
    await fill(request.source, {"gone": b"x"}, ObjectAttributes())
    ours = await began(request, "gone", noted=True)
    foreign = await began(request, "gone", noted=False)

    async def clean(hours: float, *, dry_run: bool = False) -> int:
        done = await clean_uploads(
            request.target,
            "m",
            request.evidence_url,
            None,
            older_than=timedelta(hours=hours),
            actor="test",
            dry_run=dry_run,
        )
        assert done.complete
        return done.aborted

    assert await clean(24) == 0
    assert await clean(0, dry_run=True) == 1
    assert of(ours, judge.strays(servers, server, container))
    assert await clean(0) == 1
    assert await clean(0) == 0
    left = judge.strays(servers, server, container)
    assert left
    assert left == of(foreign, left)


async def test_azure_keeps_no_uploads_that_could_be_cleaned(
    request_for: Callable[[str], TransferRequest],
) -> None:
    request = request_for("azure_target")
    done = await clean_uploads(
        request.target, "m", request.evidence_url, None, older_than=timedelta(0), actor="test"
    )
    assert not done.lists
    assert done.complete
