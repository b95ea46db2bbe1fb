"""How large buckets are: by metrics, by listings, and what a refusal leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import connection_from_fields
from heavylift.errors import CredentialError, SpecError
from heavylift.evidence.inventory_files import read_components
from heavylift.evidence.inventory_records import InventoryRecord
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.inventory import api
from heavylift.inventory.requests import InventoryOptions, InventoryRequest
from heavylift.platforms.control import DENIED
from heavylift.spec.sections_assess import BucketSizes
from heavylift.spec.vocabulary import System
from tests.support.small_account import BUCKET, SmallPlane


class Listed(SmallPlane):
    """Has objects to be listed, three to a page."""

    def __init__(self, sizes: list[int], *, measured: bool = False) -> None:
        super().__init__(measured=measured)
        self._sizes = sizes

    def pages(
        self, service: str, operation: str, region: str, arguments: Mapping[str, Any], last_token: str = ""
    ) -> Iterator[Mapping[str, Any]]:
        if operation != "ListObjectsV2":
            yield from super().pages(service, operation, region, arguments, last_token)
            return
        most = int(arguments.get("MaxKeys", 3))
        for start in range(0, len(self._sizes), most):
            self.asked.append(operation)
            yield {"Contents": [{"Size": size} for size in self._sizes[start : start + most]]}


def take(
    folder: Path, monkeypatch: pytest.MonkeyPatch, plane: SmallPlane, **options: Any
) -> tuple[InventoryRecord, tuple[int | None, int | None]]:
    monkeypatch.setattr(api, "open_plane", lambda _request, _stop: plane)
    request = InventoryRequest(
        run=RunKey(migration="m", phase="assess", run="r"),
        platform=System.AWS,
        connection=connection_from_fields("account", {"conn_type": "aws"}),
        evidence_url=folder.as_uri(),
        evidence_connection=None,
        options=InventoryOptions(max_requests=None, **options),
    )

    async def run() -> tuple[InventoryRecord, tuple[int | None, int | None]]:
        record, _ = await api.take_inventory(request)
        async with open_evidence(folder.as_uri()) as store:
            found = {each.id: each for each in await read_components(store, record.components)}
        return record, (found[BUCKET].size_bytes, found[BUCKET].objects)

    return asyncio.run(run())


def test_metrics_tell_bytes_and_objects_of_all_storage_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, size = take(tmp_path, monkeypatch, SmallPlane(), bucket_sizes=BucketSizes.METRICS)
    assert size == (5 * 10**9, 40)
    _, size = take(tmp_path, monkeypatch, SmallPlane())
    assert size == (None, None)


def test_a_listing_is_exact_and_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how: dict[str, Any] = {"bucket_sizes": BucketSizes.LISTINGS}
    _, size = take(tmp_path, monkeypatch, Listed([5, 6, 7, 8]), **how)
    assert size == (26, 4)
    plane = Listed([5] * 100)
    _, size = take(tmp_path, monkeypatch, plane, listing_limit=4, **how)
    assert size == (None, None)
    assert plane.asked.count("ListObjectsV2") <= 3
    _, size = take(tmp_path, monkeypatch, Listed([5] * 100, measured=True), listing_limit=4, **how)
    assert size == (5 * 10**9, 40)


def test_a_bucket_without_a_metric_is_empty_only_where_its_listing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how: dict[str, Any] = {"bucket_sizes": BucketSizes.METRICS}
    assert take(tmp_path, monkeypatch, Listed([]), **how)[1] == (0, 0)
    assert take(tmp_path, monkeypatch, Listed([9, 9]), **how)[1] == (None, None)


def test_a_missing_permission_is_a_finding_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(operation: str) -> None:
        if operation in {"ListMetrics", "GetMetricStatistics", "ListObjectsV2"}:
            raise CredentialError(
                operation, got="AccessDenied", expected="", state="", remedy="", code=DENIED
            )

    record, size = take(tmp_path, monkeypatch, SmallPlane(refuse), bucket_sizes=BucketSizes.METRICS)
    assert size == (None, None)
    assert record.complete
    found = {each.permission: each for each in record.findings}
    assert {"cloudwatch:ListMetrics", "s3:ListBucket"} <= set(found)
    assert "assess.components[].size" in found["s3:ListBucket"].remedy


def test_another_account_than_the_spec_names_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SpecError, match=r"account 111122223333.*account 999.*HL-7628"):
        take(tmp_path, monkeypatch, SmallPlane(), account="999")
