"""What Envoy counted of each side, from its statistics of clusters.

Mirrored requests are counted by the cluster that they are sent to. Where live requests of the target go to a
cluster of their own (``target_live_cluster``), the two are told apart; else they are one number.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from heavylift.cutover.ports import Side
from heavylift.cutover.traffic.envoy_admin import EnvoyAdmin
from heavylift.cutover.traffic.envoy_settings import EnvoySettings
from heavylift.cutover.traffic.observing import Observation, SideCounts
from heavylift.histograms import Histogram, bucket_of

Buckets = Mapping[str, list[Mapping[str, Any]]]
_NAMES = (
    "upstream_rq_completed",
    "upstream_rq_5xx",
    "upstream_cx_connect_fail",
    "upstream_cx_connect_timeout",
    "upstream_rq_timeout",
    "upstream_rq_per_try_timeout",
    "upstream_rq_retry",
)
_TIME = "upstream_rq_time"


async def observed(admin: EnvoyAdmin, settings: EnvoySettings) -> Observation:
    """Return what this Envoy counted since it started.

    :raises ServerUnavailableError: it does not answer.
    """
    names = sorted({name for side in Side for name in settings.clusters_of(side)})
    clusters = "|".join(re.escape(name) for name in names)
    pattern = rf"^cluster\.({clusters})\.({'|'.join(_NAMES)})$"
    counters = await admin.stats([pattern])
    buckets = await admin.histograms(rf"^cluster\.({clusters})\.{_TIME}$")
    uptime = await admin.uptime()
    now = time.time()
    return Observation(now - uptime, now, {side: _side(side, settings, counters, buckets) for side in Side})


def _side(side: Side, settings: EnvoySettings, counters: Mapping[str, Any], buckets: Buckets) -> SideCounts:
    every = settings.clusters_of(side)
    own = settings.clusters[side]
    apart = side is Side.TARGET and len(every) > 1
    live = tuple(name for name in every if not apart or name != own)

    def of(clusters: Iterable[str], *names: str) -> int:
        return sum(int(counters.get(f"cluster.{each}.{name}", 0)) for each in clusters for name in names)

    return SideCounts(
        requests=of(live, "upstream_rq_completed"),
        server_errors=of(live, "upstream_rq_5xx"),
        connection_failures=of([own], "upstream_cx_connect_fail", "upstream_cx_connect_timeout"),
        timeouts=of(live, "upstream_rq_timeout", "upstream_rq_per_try_timeout"),
        retried=of(live, "upstream_rq_retry"),
        latency=_histogram(buckets, live),
        mirrored=of([own], "upstream_rq_completed") if apart else 0,
        mirrored_errors=of([own], "upstream_rq_5xx") if apart else 0,
        mirrored_latency=_histogram(buckets, [own] if apart else []),
    )


def _histogram(buckets: Buckets, clusters: Iterable[str]) -> Histogram:
    counts: Counter[int] = Counter()
    for cluster in clusters:
        for each in buckets.get(f"cluster.{cluster}.{_TIME}", []):
            middle = float(each["lower_bound"]) + float(each["width"]) / 2  # milliseconds
            counts[bucket_of(round(middle * 1000))] += int(each["count"])
    return Histogram(counts)
