"""The share of one task in the caps of its dataset, and what its stores say of their load."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from heavylift.locations import Location
from heavylift.objects import copy as copying
from heavylift.objects.api import TransferRequest, copy_shard, plan_transfer
from heavylift.objects.manners import Manners
from heavylift.objects.progress import Pressure
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.request_rate import RequestRate
from heavylift.spec.datasets import Limits
from tests.support.virtual_time import clock, run_virtually
from tests.unit.objects.test_transfer import in_run, request_

__all__ = ["request_"]

S3, FOLDER = Location("s3", "bucket"), Location("file", "/folder")


@pytest.mark.parametrize("tasks", [1, 3, 4])
def test_the_tasks_of_a_dataset_together_keep_to_its_caps(
    monkeypatch: pytest.MonkeyPatch, tasks: int
) -> None:
    """So many tasks at once move 40 MB and send 400 requests no faster than 10 MB and 100 a second allow."""

    async def work() -> None:
        monkeypatch.setattr("heavylift.objects.manners.Pacer", lambda rate: Pacer(rate, clock=clock))
        monkeypatch.setattr(
            "heavylift.objects.manners.RequestRate", lambda rate: RequestRate(rate, clock=clock)
        )
        limits = Limits(max_bandwidth=10_000_000, max_requests=100)
        shares = [Manners(limits, tasks) for _ in range(tasks)]
        began = clock()

        async def move(share: Manners) -> None:
            admission = share.settings("source", S3).admission
            for _ in range(400 // tasks):
                await admission.enter()
                await share.pacer.take(100_000)
                admission.answered(200)

        await asyncio.gather(*(move(share) for share in shares))
        assert clock() - began == pytest.approx(4, abs=0.4)

    run_virtually(work())


def test_a_side_that_no_network_leads_to_has_no_concurrency() -> None:
    manners = Manners(Limits())
    manners.settings("source", FOLDER)
    assert manners.pressure() == Pressure(0, None)
    manners.settings("target", S3)
    assert manners.pressure() == Pressure(0, 8)


async def test_the_more_restrictive_store_is_told_and_refusals_of_both_are_added() -> None:
    manners = Manners(Limits(max_concurrency=4))
    source, target = (manners.settings(side, S3).admission for side in ("source", "target"))
    for admission in (source, target, target):
        await admission.enter()
        admission.answered(429)
    assert manners.pressure() == Pressure(3, 2)


@pytest.mark.parametrize(("at_once", "share"), [(1, 1), (2, 2), (16, 3)])
async def test_a_copy_takes_its_share_and_no_plan_is_shared_by_more_tasks_than_it_has_shards(
    request_: TransferRequest, monkeypatch: pytest.MonkeyPatch, at_once: int, share: int
) -> None:
    """The plan has three shards."""
    taken: list[int] = []

    class Seen(Manners):
        def __init__(self, limits: Limits, share: int = 1) -> None:
            taken.append(share)
            super().__init__(limits, share)

    monkeypatch.setattr(copying, "Manners", Seen)
    request = in_run(request_, "one")
    request = replace(request, options=replace(request.options, tasks_at_once=at_once))
    await plan_transfer(request)
    await copy_shard(request, 0)
    assert taken == [share]
