"""Every row of the tables, read from answers of the vendor's published shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.errors import CredentialError, NotFoundError
from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.aws.catalog import ROWS, calls_of, permissions
from heavylift.inventory.platforms import needed_policy
from heavylift.inventory.reading import Read, Unit, UnitReader
from heavylift.inventory.rows import Row
from heavylift.platforms.aws.control import permission_of_operation
from heavylift.platforms.control import DENIED
from tests.support.shaped_answers import WHEN
from tests.unit.inventory.planes import ACCOUNT, ShapedPlane, forget_models

NAMES = [row.native_type for row in ROWS]


@pytest.fixture(scope="module", autouse=True)
def models() -> Iterator[None]:
    yield
    forget_models()


def read(row: Row, plane: ShapedPlane) -> tuple[list[Read], UnitReader]:
    reader = UnitReader(plane, ACCOUNT, Unit(row, "us-east-1"), "aws")
    chunks = reader.chunks(map, lambda _key: False)
    return [each for chunk in chunks for each in chunk], reader


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_row_reads_the_published_shape_of_its_answers(row: Row) -> None:
    plane = ShapedPlane()
    reads, reader = read(row, plane)
    assert reader.troubles.found == {}
    assert reads
    component = reads[0].component
    assert component is not None
    assert (component.native_type, component.kind) == (row.native_type, row.kind)
    assert component.id.startswith("arn:aws:")
    assert "{" not in component.id
    assert component.name
    assert not row.created or component.created_at
    assert not row.size_bytes or row.service == "glue" or component.size_bytes is not None
    assert not row.status or component.status
    assert not row.last_used or row.service == "lambda" or component.last_used_at
    every = {f"{row.service}:{operation}" for operation, _ in calls_of(row)}
    where_fitting = {f"{row.service}:{extra.operation}" for extra in row.extras if extra.only}
    assert every - where_fitting <= set(plane.asked) <= every


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_denied_listing_names_the_permission(row: Row) -> None:
    def refuse(service: str, operation: str) -> None:
        raise CredentialError(f"{service}:{operation}", code=DENIED)

    reads, reader = read(row, ShapedPlane(refuse))
    assert reads == []
    findings = list(reader.troubles.found.values())
    assert [finding.rule for finding in findings[:1]] == ["permission_missing"]
    operation = row.parent.operation if row.parent else row.listing
    assert findings[0].permission == (row.listing_permission or f"{row.service}:{operation}")
    assert findings[0].permission in findings[0].remedy
    assert findings[0].severity == "blocker"


@pytest.mark.parametrize("row", [row for row in ROWS if row.detail], ids=lambda row: row.native_type)
def test_a_denied_description_leaves_the_component_in_the_list(row: Row) -> None:
    def refuse(service: str, operation: str) -> None:
        if operation == row.detail:
            raise CredentialError(f"{service}:{operation}", code=DENIED)

    reads, reader = read(row, ShapedPlane(refuse))
    assert reads[0].component is not None
    assert reads[0].component.id
    assert f"{row.service}:{row.detail}" in {each.permission for each in reader.troubles.found.values()}


def test_what_went_between_list_and_description_is_counted_as_vanished() -> None:
    row = next(row for row in ROWS if row.native_type == "AWS::SageMaker::Model")

    def refuse(service: str, operation: str) -> None:
        if operation == "DescribeModel":
            raise NotFoundError(f"{service}:{operation}")

    reads, reader = read(row, ShapedPlane(refuse))
    assert [each.component for each in reads] == [None]
    assert reader.troubles.found == {}


def test_every_kind_but_those_of_kubernetes_is_read() -> None:
    assert {row.kind for row in ROWS} == set(Kind) - {Kind.WORKLOAD}


def test_ids_of_types_are_unique_and_times_are_told() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert WHEN.isoformat() == "2026-11-01T12:00:00+00:00"


def test_all_permissions_only_read() -> None:
    needed = permissions(permission_of_operation)
    verbs = {permission.partition(":")[2] for permission in needed}
    assert all(verb.startswith(("List", "Describe", "Get")) for verb in verbs)
    assert "secretsmanager:GetSecretValue" not in needed
    assert {"states:ListStateMachines", "s3:ListAllMyBuckets", "sagemaker:ListFeatureGroups"} <= set(needed)


def test_the_page_shows_the_policy_that_the_tables_need() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "inventory.md").read_text(encoding="utf-8")
    shown = page.split("```json\n")[1].split("```")[0]
    assert json.loads(shown) == needed_policy()
