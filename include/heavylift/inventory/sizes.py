"""How large buckets are: by their metrics, which are a day old, or by listing them. Only reads."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from heavylift.errors import CredentialError, NotFoundError, ServerUnavailableError, UnsupportedError
from heavylift.evidence.inventory_records import Component, InventoryFinding
from heavylift.evidence.records import Severity, utc_now
from heavylift.platforms.control import DENIED, SERVER_FAULT, UNKNOWN_OPERATION
from heavylift.spec.sections_assess import BucketSizes

if TYPE_CHECKING:
    import threading

    from heavylift.inventory.assemble import Assembled
    from heavylift.inventory.parts import Parts
    from heavylift.inventory.requests import InventoryRequest
    from heavylift.platforms.control import ControlPlane

BUCKET = "AWS::S3::Bucket"
CALLS = (
    ("cloudwatch", "ListMetrics", ""),
    ("cloudwatch", "GetMetricStatistics", ""),
    ("s3", "ListObjectsV2", "s3:ListBucket"),
)
"""What learning sizes asks: service, operation, and the permission where it is called otherwise."""

_NAMESPACE = "AWS/S3"
_BYTES, _OBJECTS = "BucketSizeBytes", "NumberOfObjects"
_LOOK_BACK = timedelta(days=4)
_A_DAY = 86_400
_AT_ONCE = 50
"""Buckets that are measured before what is known of them is kept."""

T = TypeVar("T")
Size = tuple[int, int]
"""Bytes and objects."""


async def with_sizes(
    plane: ControlPlane,
    request: InventoryRequest,
    parts: Parts,
    assembled: Assembled,
    stop: threading.Event,
) -> None:
    """Put the sizes of buckets into ``assembled``; what stays unknown has a finding where a refusal is why.

    A run that was killed does not measure again what an earlier process has measured.
    """
    if request.options.bucket_sizes is BucketSizes.NONE:
        return
    buckets = [
        each for each in assembled.components if each.native_type == BUCKET and each.size_bytes is None
    ]
    known = await parts.sizes()
    meter = _Meter(plane, request)
    waiting = [each for each in buckets if each.id not in known]
    try:
        for start in range(0, len(waiting), _AT_ONCE):
            found = await asyncio.to_thread(meter.measure, waiting[start : start + _AT_ONCE])
            await parts.keep_sizes(found)
            known |= found
    except asyncio.CancelledError:
        stop.set()
        raise
    assembled.components = [
        dataclasses.replace(each, size_bytes=known[each.id][0], objects=known[each.id][1])
        if each.id in known and each.native_type == BUCKET
        else each
        for each in assembled.components
    ]
    assembled.findings += meter.findings


class _Meter:
    def __init__(self, plane: ControlPlane, request: InventoryRequest) -> None:
        self._plane, self._options = plane, request.options
        self._storage: dict[str, dict[str, set[str]]] = {}
        self._found: dict[str, InventoryFinding] = {}

    @property
    def findings(self) -> list[InventoryFinding]:
        return [self._found[name] for name in sorted(self._found)]

    def measure(self, buckets: Iterable[Component]) -> dict[str, Size]:
        """Return the sizes of those buckets whose size can be learned."""
        wanted = list(buckets)
        for region in sorted({each.region for each in wanted}):
            if region not in self._storage:
                types = self._tried("cloudwatch", "ListMetrics", partial(self._types, region))
                self._storage[region] = types or {}
        with ThreadPoolExecutor(self._options.parallel, thread_name_prefix="sizes") as pool:
            sizes = list(pool.map(self._size, wanted))
        return {each.id: size for each, size in zip(wanted, sizes, strict=True) if size is not None}

    def _size(self, bucket: Component) -> Size | None:
        if self._options.bucket_sizes is BucketSizes.LISTINGS:
            listed = self._tried(
                "s3", "ListObjectsV2", lambda: self._listed(bucket, self._options.listing_limit)
            )
            if listed is not None:
                return listed
        by_metrics = self._tried("cloudwatch", "GetMetricStatistics", lambda: self._metric_size(bucket))
        if by_metrics is not None:
            return by_metrics
        # There are no metrics of a bucket that is empty.
        return self._tried("s3", "ListObjectsV2", lambda: self._listed(bucket, 0))

    def _types(self, region: str) -> dict[str, set[str]]:
        """Return the storage types that each bucket of a region has metrics of."""
        found: dict[str, set[str]] = defaultdict(set)
        asked = {"Namespace": _NAMESPACE, "MetricName": _BYTES}
        for page in self._plane.pages("cloudwatch", "ListMetrics", region, asked):
            for metric in page.get("Metrics", ()):
                names = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
                if "BucketName" in names and "StorageType" in names:
                    found[names["BucketName"]].add(names["StorageType"])
        return found

    def _metric_size(self, bucket: Component) -> Size | None:
        types = self._storage.get(bucket.region, {}).get(bucket.name, set())
        values = [self._metric(bucket, _BYTES, storage) for storage in sorted(types)]
        known = [value for value in values if value is not None]
        if not known:
            return None
        return sum(known), self._metric(bucket, _OBJECTS, "AllStorageTypes") or 0

    def _metric(self, bucket: Component, name: str, storage: str) -> int | None:
        now = utc_now()
        dimensions = [{"Name": "BucketName", "Value": bucket.name}, {"Name": "StorageType", "Value": storage}]
        asked = {
            "Namespace": _NAMESPACE,
            "MetricName": name,
            "Dimensions": dimensions,
            "StartTime": now - _LOOK_BACK,
            "EndTime": now,
            "Period": _A_DAY,
            "Statistics": ["Average"],
        }
        answer = self._plane.call("cloudwatch", "GetMetricStatistics", bucket.region, asked)
        points = list(answer.get("Datapoints", ()))
        last = max(points, key=lambda point: _moment(point), default=None)
        return None if last is None else int(last["Average"])

    def _listed(self, bucket: Component, most: int) -> Size | None:
        """Return the size by listing; None where there are more than ``most`` objects."""
        total = count = 0
        asked: dict[str, Any] = {"Bucket": bucket.name} | ({} if most else {"MaxKeys": 1})
        for page in self._plane.pages("s3", "ListObjectsV2", bucket.region, asked):
            for item in page.get("Contents", ()):
                total, count = total + int(item["Size"]), count + 1
            if count > most:
                return None
        return total, count

    def _tried(self, service: str, operation: str, ask: Callable[[], T]) -> T | None:
        """Return what ``ask`` returns; None where it is refused, which becomes a finding."""
        try:
            return ask()
        except NotFoundError:
            return None
        except CredentialError as error:
            if error.code != DENIED:
                raise
            self._note("permission_missing", service, operation, self._permission(service, operation))
        except UnsupportedError as error:
            if error.code != UNKNOWN_OPERATION:
                raise
            self._note("not_supported", service, operation)
        except ServerUnavailableError as error:
            if error.code != SERVER_FAULT:
                raise
            self._note("no_answer", service, operation)
        return None

    def _permission(self, service: str, operation: str) -> str:
        named = next((own for _, name, own in CALLS if name == operation), "")
        return named or self._plane.permission(service, operation)

    def _note(self, rule: Any, service: str, operation: str, permission: str = "") -> None:
        subject = f"{service}:{operation}"
        before = self._found.get(subject)
        remedy = f"grant {permission}, or" if permission else "list them (bucket_sizes: listings), or"
        self._found[subject] = InventoryFinding(
            rule=rule,
            severity=Severity.WARNING,
            subject=subject,
            detail="sizes of buckets are not known by it",
            remedy=f"{remedy} state them in the spec (assess.components[].size)",
            permission=permission,
            native_type=BUCKET,
            components=(before.components if before else 0) + 1,
        )


def _moment(point: Mapping[str, Any]) -> datetime:
    found = point["Timestamp"]
    return found if isinstance(found, datetime) else datetime.min.replace(tzinfo=UTC)
