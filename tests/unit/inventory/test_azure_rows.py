"""Every row of Azure: its request is one of the vendor's packages, its answer of the published model.

``tests/support/data/azure-shapes.json.gz`` holds, for each listing, the newest version of the API that the
vendor's packages use (named in it with their versions) and one item with every field of its model filled.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import CredentialError
from heavylift.inventory.azure.catalog import ROWS
from heavylift.inventory.needed import needed, requests_of
from heavylift.inventory.reading import Read, Unit, UnitReader
from heavylift.inventory.rows import Row
from heavylift.platforms.control import DENIED, Account, Answer

NAMES = [row.native_type for row in ROWS]
SHAPES = Path(__file__).parents[2] / "support" / "data" / "azure-shapes.json.gz"
# A resource that its model does not give a name's own place: ARM gives every resource one.
GROUP = "/subscriptions/s-1/resourceGroups/g"


@cache
def shapes() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(SHAPES.read_bytes()))["listings"]
    return found


class ShapedPlane:
    """Answers each listing by its published model, and knows no other request."""

    requests = 0

    def __init__(self, refuse: bool = False) -> None:
        self.refuse, self.asked = refuse, set[str]()

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        raise AssertionError(f"{service} {operation}: no single resource is asked for")

    def permission(self, service: str, operation: str) -> str:
        raise AssertionError(f"{service} {operation} names no permission")

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        del service, region, last_token
        self.asked.add(operation)
        if self.refuse:
            raise CredentialError(operation, code=DENIED)
        http, _, rest = operation.partition(" ")
        assert http == "GET"
        path, _, query = rest.partition("?")
        path = "/" + path.replace("{account}", "s-1").replace("{+id}", str(arguments.get("id"))).lstrip("/")
        known = shapes()[form(path)]
        assert query == f"api-version={known['api_version']}"
        head = path.replace("/subscriptions/s-1/providers", f"{GROUP}/providers")
        item = json.dumps(known["item"]).replace('"ANY-ID"', json.dumps(f"{head}/the-name"))
        yield {"value": [{"id": f"{head}/the-name", "name": "the-name", **json.loads(item)}]}


def form(path: str) -> str:
    """Return a path as the fixture writes it: names are places, in small letters."""
    parts = path.lower().partition("/providers/")
    head = re.sub(r"(subscriptions|resourcegroups)/[^/]+", r"\1/{}", parts[0])
    provider, *pairs = parts[2].split("/")
    fixed = {"default"}
    shown = [each if n % 2 == 0 or each in fixed else "{}" for n, each in enumerate(pairs)]
    return f"{head}/providers/{'/'.join([provider, *shown])}"


def read(row: Row, plane: ShapedPlane) -> tuple[list[Read], UnitReader]:
    reader = UnitReader(plane, Account("s-1", "azure"), Unit(row, "subscription"), "azure")
    return [each for chunk in reader.chunks(map, lambda _key: False) for each in chunk], reader


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_row_reads_what_the_vendor_publishes(row: Row) -> None:
    plane = ShapedPlane()
    reads, reader = read(row, plane)
    assert reader.troubles.found == {}
    component = reads[0].component
    assert component is not None
    assert component.id.startswith("/subscriptions/s-1/resourcegroups/g/providers/")
    assert component.id == component.id.lower()
    assert component.name == "the-name"
    assert not row.created or component.created_at
    assert not row.last_used or component.last_used_at
    assert not row.status or component.status
    assert not row.size_bytes or component.size_bytes
    assert not row.objects or component.objects
    assert not row.framework or component.framework
    assert not row.keep_tags or component.tags
    assert not row.region or component.region.startswith("the-")
    assert {operation for operation, _ in requests_of(row)} == plane.asked
    assert not row.aliases or len(component.attributes["known_as"]) == len(row.aliases)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_refused_listing_names_an_action_that_reads(row: Row) -> None:
    reads, reader = read(row, ShapedPlane(refuse=True))
    assert reads == []
    finding = next(iter(reader.troubles.found.values()))
    assert (finding.rule, finding.severity) == ("permission_missing", "blocker")
    assert re.fullmatch(r"Microsoft\.[A-Za-z]+(/[A-Za-z]+)+/read", finding.permission)


def test_the_role_holds_reading_actions_alone() -> None:
    role = needed("azure", ROWS)
    assert all(each.endswith("/read") for each in role["Actions"])
    assert "Microsoft.Storage/storageAccounts/blobServices/containers/read" in role["Actions"]
    assert len(set(NAMES)) == len(NAMES)
