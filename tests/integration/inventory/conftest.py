"""One seeded account on moto's server, and one inventory of it, for all tests here."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection, connection_from_fields
from heavylift.evidence.assess_evidence import ASSESS_PHASE
from heavylift.evidence.inventory_files import read_components
from heavylift.evidence.inventory_records import Component, InventoryRecord
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.inventory.api import Drawn, make_graph, take_inventory
from heavylift.inventory.requests import InventoryOptions, InventoryRequest
from heavylift.spec.vocabulary import System
from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.support.seeded_account import ACCOUNT, Seeder, Truth, own_keys, seed_account

CONN = "seeded"
REGIONS = ("eu-west-1", "us-east-1")


@dataclass
class World:
    """The account, its truth, and an evidence store."""

    endpoint: str
    truth: Truth
    evidence: Path
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def connection(self) -> Connection:
        return connection_from_fields(CONN, self.raw)

    def seeder(self, region: str = "eu-west-1") -> Seeder:
        return Seeder(self.endpoint, 1, region, own_keys(self.endpoint))

    def request(self, run: str, *, regions: tuple[str, ...] = REGIONS) -> InventoryRequest:
        return InventoryRequest(
            run=RunKey(migration="seeded", phase=ASSESS_PHASE, run=run),
            platform=System.AWS,
            connection=self.connection,
            evidence_url=self.evidence.as_uri(),
            evidence_connection=None,
            options=InventoryOptions(regions, max_requests=None),
        )

    def take(self, run: str, *, regions: tuple[str, ...] = REGIONS) -> InventoryRecord:
        return asyncio.run(take_inventory(self.request(run, regions=regions)))[0]

    def components(self, record: InventoryRecord) -> list[Component]:
        async def read() -> list[Component]:
            async with open_evidence(self.evidence.as_uri()) as store:
                return await read_components(store, record.components)

        return asyncio.run(read())

    def graph(self) -> Drawn:
        async def make() -> Drawn:
            async with open_evidence(self.evidence.as_uri()) as store:
                return await make_graph(store, "seeded", CONN)

        return asyncio.run(make())


@pytest.fixture(scope="session")
def aws() -> Iterator[Stack]:
    """Return a control plane of its own: one test has it demand permissions of everybody."""
    folder = new_state_dir()
    stack = Stack.start(folder, ("aws_control",))
    try:
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def account(aws: Stack, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a seeded account of two regions; more than 300 components."""
    given = json.loads(aws.env["AIRFLOW_CONN_AWS_CONTROL"])
    extra = given["extra"] if isinstance(given["extra"], dict) else json.loads(given["extra"])
    # moto answers 500 for what it does not have; asking again would not help.
    extra |= {
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/seed",
        "region_name": "us-east-1",
        "config_kwargs": {"retries": {"max_attempts": 0}},
    }
    endpoint = extra["endpoint_url"]
    truth = seed_account(endpoint)
    raw = {**given, "extra": extra}
    return World(endpoint, truth, tmp_path_factory.mktemp("inventory"), raw)


@pytest.fixture(scope="session")
def taken(account: World) -> InventoryRecord:
    """Return the first inventory of the account."""
    return account.take("first")
