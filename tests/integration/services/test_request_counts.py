"""The estimate's requests against those that two proxies counted during the same move."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.evidence.estimates import EstimateRecord
from heavylift.locations import parse_location
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.spec.datasets import Limits
from tests.integration.objects.places import SCHEMES, Servers, move, transfer
from tests.integration.objects.test_between_clouds import fill
from tests.integration.objects.test_faults import through
from tests.support.fault_proxy import fault_proxy
from tests.support.longer import first_then_long

MIB = 2**20


def kinds(seen: Counter[str]) -> Counter[str]:
    """Sort requests of S3 and Cloud Storage into the kinds that are billed; deletions are free."""
    found: Counter[str] = Counter()
    for line, count in seen.items():
        method, _, path = line.partition(" ")
        bare, _, query = path.partition("?")
        if method == "DELETE":
            continue
        if method in {"PUT", "POST", "PATCH"}:
            kind = "write"
        elif "tagging" in query:
            kind = "tags"
        elif "list-type" in query or bare.endswith("/o"):
            kind = "list"
        else:
            kind = "read"
        found[kind] += count
    return found


def ranges(record: EstimateRecord, side: str) -> dict[str, tuple[int, int]]:
    return {line.request: (line.low, line.high) for line in record.requests if line.side == side}


@pytest.mark.parametrize("target", first_then_long(["aws_target", "gcp_target"]))
async def test_the_requests_that_are_made_lie_within_the_estimate(
    servers: Servers, container_on: Callable[[Servers, str], str], tmp_path: Path, target: str
) -> None:
    prefix = f"{secrets.token_hex(4)}/"

    def place(server: str) -> Place:
        url = f"{SCHEMES[server]}://{container_on(servers, server)}/{prefix}"
        return Place(parse_location(url), servers.connection(server))

    origin, goal = place("aws_source"), place(target)
    objects = {f"small/{n}": os.urandom(n * 997) for n in range(60)} | {"large": os.urandom(17 * MIB)}
    attributes = ObjectAttributes(content_type="text/x", tags={"team": "vision"})
    keys = {f"{prefix}{key}": body for key, body in objects.items()}
    await fill(replace(origin, location=replace(origin.location, prefix="")), keys, attributes)
    async with (
        fault_proxy(servers.stack.endpoints["aws_source"], 0, {}) as at_source,
        fault_proxy(servers.stack.endpoints[target], 0, {}) as at_target,
    ):
        request = transfer(
            through(origin, at_source),
            through(goal, at_target),
            tmp_path / "evidence",
            limits=Limits(part_size=5 * MIB),
        )
        plan, _, verification = await move(request)
    assert verification.passed
    assert plan.estimate is not None
    assert (plan.estimate.objects, plan.estimate.parts) == (61, 4)
    for side, proxy in (("source", at_source), ("target", at_target)):
        counted = kinds(proxy.seen)
        for kind, (low, high) in ranges(plan.estimate, side).items():
            assert low <= counted[kind] <= high, (side, kind, dict(counted))
