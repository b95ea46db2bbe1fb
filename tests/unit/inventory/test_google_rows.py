"""Every row of Google Cloud: its request is one of the discovery document, its answer of that schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from heavylift.errors import CredentialError
from heavylift.inventory.gcp.catalog import ROWS
from heavylift.inventory.needed import needed, requests_of
from heavylift.inventory.reading import Read, Unit, UnitReader
from heavylift.inventory.rows import Row
from heavylift.platforms.control import DENIED, Account, Answer
from heavylift.platforms.gcp.control import named
from tests.support.discovery import load
from tests.support.shaped_google import ANY, answer_of, document_of, response_of

NAMES = [row.native_type for row in ROWS]


class ShapedPlane:
    """Answers each request by the schema of its discovery document, and knows no other request."""

    requests = 0

    def __init__(self, refuse: bool = False) -> None:
        self.refuse, self.asked = refuse, set[str]()

    def permission(self, service: str, operation: str) -> str:
        raise AssertionError(f"{service} {operation} names no permission")

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        self.asked.add(operation)
        if self.refuse:
            raise CredentialError(operation, code=DENIED)
        http, _, path = operation.partition(" ")
        left = dict(arguments)

        def fill(found: re.Match[str]) -> str:
            value = left.pop(found[2], None)
            return str(value) if value and found[1] else "x-1"

        path, _, query = re.sub(r"\{(\+?)(\w+)\}", fill, path).partition("?")
        document = load(document_of(service, path))
        method_id, schema = response_of(service, http, path)
        known = next(method for method in document.methods if method.id == method_id)
        asked = {*left, *(part.partition("=")[0] for part in query.split("&") if part)}
        assert asked <= known.query, f"{operation}: unknown {sorted(asked - known.query)}"
        answer = json.dumps(answer_of(service, path, schema))
        home = path.partition("/")[2].removesuffix("/the-name")
        found: Any = named(json.loads(answer.replace(ANY, f"{home}/the-name")), "p-1", "")
        return found

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        del last_token
        answer = dict(self.call(service, operation, region, arguments))
        answer.pop("nextPageToken", None)
        yield answer


def read(row: Row, plane: ShapedPlane) -> tuple[list[Read], UnitReader]:
    reader = UnitReader(plane, Account("p-1", "gcp"), Unit(row, "l-1"), "gcp")
    return [each for chunk in reader.chunks(map, lambda _key: False) for each in chunk], reader


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_row_reads_what_the_discovery_document_describes(row: Row) -> None:
    plane = ShapedPlane()
    reads, reader = read(row, plane)
    assert reader.troubles.found == {}
    assert reads, "no item where the row looks for them"
    component = reads[0].component
    assert component is not None
    assert component.id.startswith("//")
    assert "{" not in component.id
    assert component.name
    assert not row.created or component.created_at
    assert not row.last_used or component.last_used_at
    assert not row.status or component.status
    assert not row.size_bytes or component.size_bytes
    assert not row.objects or component.objects
    assert not row.owner or component.owner
    assert not row.keep_tags or component.tags
    assert {operation for operation, _ in requests_of(row)} == plane.asked
    assert component.attributes.get("known_as") or not row.aliases


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_listing_of_more_than_one_page_goes_on_by_the_token_that_is_sent(row: Row) -> None:
    http, _, path = row.listing.partition(" ")
    path = re.sub(r"\{\+?\w+\}", "x-1", path).partition("?")[0]
    method_id, schema = response_of(row.service, http, path)
    method = next(each for each in load(document_of(row.service, path)).methods if each.id == method_id)
    # A listing without tokens answers whole; one with them must take the parameter that is sent.
    assert ("nextPageToken" in schema["properties"]) == ("pageToken" in method.query)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_refused_listing_names_a_permission_of_the_service(row: Row) -> None:
    if row.parent is not None:
        assert row.parent.permission
    reads, reader = read(row, ShapedPlane(refuse=True))
    assert reads == []
    finding = next(iter(reader.troubles.found.values()))
    assert (finding.rule, finding.severity) == ("permission_missing", "blocker")
    assert re.fullmatch(r"[a-z]+\.[A-Za-z]+\.(list|get|getIamPolicy)", finding.permission)


def test_the_role_holds_reading_permissions_alone() -> None:
    role = needed("gcp", ROWS)
    assert all(re.search(r"\.(list|get|getIamPolicy)$", each) for each in role["includedPermissions"])
    assert "secretmanager.versions.access" not in role["includedPermissions"]
    assert len(set(NAMES)) == len(NAMES)
