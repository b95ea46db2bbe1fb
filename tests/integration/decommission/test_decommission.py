"""Giving a source up on real servers, from the plan to the certificate: objects of four stores, and tables."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heavylift.platforms.places import Place
from sandbox.stack import Stack
from sandbox.waiting import until
from tests.integration.objects.places import Servers
from tests.support.leaving import OBJECTS, Leaving, leaving
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


def _place(place: Place, server: str) -> dict[str, str]:
    return {"url": str(place.location), "connection": server}


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


def test_a_source_is_given_up_from_a_shell(workload: Leaving) -> None:
    status, found = run(workload, "plan")
    assert status == DONE, found
    digest = found["digest"]
    status, found = run(workload, "disable")
    assert (status, found["error"]["code"]) == (FAILED, "HL-9322")
    status, found = run(workload, "disable", "--approve", digest)
    assert (status, found["state"]) == (DONE, "disabled"), found
    assert tables(workload) == []
    status, found = run(workload, "restore")
    assert (status, found["state"]) == (DONE, "restored")
    assert tables(workload) == ["customer", "entry"]
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
