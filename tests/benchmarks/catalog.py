"""The names of the lanes."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.compliance import scanning
from tests.benchmarks.images import copying as images_copying
from tests.benchmarks.lanes import Result
from tests.benchmarks.monitor import drifting
from tests.benchmarks.objects import comparing, copying, listing, unchanged
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.registry import copying as registry_copying
from tests.benchmarks.registry import following as registry_following
from tests.benchmarks.registry import verifying as registry_verifying
from tests.benchmarks.streams import mirroring
from tests.benchmarks.tables import applying, receiving, verifying
from tests.benchmarks.tables import copying as tables_copying

Lane = Callable[[Bench, int, float], Result]
"""Given the bench, the number of runs and the scale."""


def _real(lane: copying.CopyLane) -> Lane:
    return lambda bench, runs, scale: copying.real(bench, lane, runs, scale)


def _stub(lane: copying.CopyLane) -> Lane:
    return lambda bench, runs, scale: copying.against_stub(bench, lane, runs, scale)


LANES: dict[str, Lane] = {
    "objects-small-stub": _stub(copying.SMALL_STUB),
    "objects-unchanged": unchanged.unchanged,
    "objects-list": listing.list_keys,
    "objects-diff": comparing.compare,
    "objects-small-s3": _real(copying.SMALL_S3),
    "objects-small-gcs": _real(copying.SMALL_GCS),
    "objects-small-azure": _real(copying.SMALL_AZURE),
    "objects-mixed": _real(copying.MIXED_S3),
    "objects-large": _real(copying.LARGE_S3),
    "objects-huge": _real(copying.HUGE_S3),
    "tables-copy": tables_copying.copy,
    "tables-apply": applying.apply,
    "tables-apply-many": applying.apply_many,
    "tables-receive": receiving.receive,
    "tables-verify": verifying.identical,
    "tables-verify-differing": verifying.differing,
    "registry-copy": registry_copying.copy,
    "registry-copy-defaults": registry_copying.copy_defaults,
    "registry-idle": registry_copying.idle,
    "registry-verify": registry_verifying.verify,
    "registry-follow": registry_following.follow,
    "registry-millions": registry_copying.millions,
    "streams-mirror": mirroring.mirror,
    "images": images_copying.copy,
    "drift": drifting.drift,
    "compliance-plain": scanning.plain,
    "compliance-mixed": scanning.mixed,
}


def chosen(name: str | None) -> list[str]:
    """Return a lane, the lanes of a group such as ``objects``, or all of them.

    :raises KeyError: there is neither.
    """
    found = [lane for lane in LANES if name is None or lane == name or lane.startswith(f"{name}-")]
    if not found:
        raise KeyError(name)
    return found
