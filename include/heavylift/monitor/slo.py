"""Error budgets over several windows, and latencies beside a baseline, from a table of requests."""

# SQL is built of our own column names; no data and no name of a column enters it.
# ruff: noqa: S608
from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from heavylift.errors import AuditError, SpecError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.baseline_records import EndpointBaseline, HistogramRecord
from heavylift.evidence.monitor_evidence import write_watch
from heavylift.evidence.monitor_records import (
    BurnWindow,
    QuantileRatio,
    SloRecord,
    Verdict,
)
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.histograms import Histogram, bucket_of, rank_of
from heavylift.monitor.effects import share_bounds
from heavylift.monitor.joining import Columns, load, open_database
from heavylift.monitor.requests import Kept
from heavylift.monitor.tables_read import MIB
from heavylift.platforms.places import Place

WINDOWS = ((3600, 300, 14.4), (6 * 3600, 1800, 6.0), (3 * 86400, 6 * 3600, 1.0))
"""Pairs of a long and a short window, and the burn that is an alarm in both, as in the SRE workbook."""
QUANTILES = (0.5, 0.9, 0.95, 0.99)
_ALPHA = 0.025
_Z = 1.959964
_MOMENT = "coalesce(TRY_CAST(k0 AS DOUBLE), epoch(TRY_CAST(k0 AS TIMESTAMP)))"
_GOOD = "lower(v) IN ('true', 'ok', 'success', 'succeeded') OR TRY_CAST(v AS DOUBLE) BETWEEN 100 AND 499"


@dataclass(frozen=True)
class SloRequest:
    """Requests to judge.

    :param at: column of the moment, ``status`` of an HTTP status, a truth value, or ``ok``.
    :param latency: column of milliseconds; None where there is none.
    :param objective: share of requests that must be good, such as 0.999.
    :param latency_limit: milliseconds; a slower request is bad, too.
    :param baseline: path of an endpoint's baseline or an earlier record of this kind in the evidence store.
    :param judged: the quantile that must not be ``max_ratio`` times the baseline's.
    :param until: seconds since 1970 at which windows end; the newest request by default.
    """

    kept: Kept
    place: Place
    at: str = "at"
    status: str = "status"
    latency: str | None = None
    objective: float = 0.999
    latency_limit: float | None = None
    baseline: str | None = None
    judged: float = 0.95
    max_ratio: float = 1.2
    until: float | None = None
    memory_bytes: int = 512 * MIB


async def judge_slo(request: SloRequest) -> tuple[SloRecord, EvidenceRef]:
    """Read the requests, compute burn rates and latencies, and write a record with the next number.

    :raises NotFoundError: the table or the baseline is not there.
    :raises SpecError: a column is not there, or the request makes no sense.
    """
    began = time.monotonic()
    _check(request)
    kept = request.kept
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        before = await _baseline(store, request)
        with open_database(request.memory_bytes) as database:
            columns = Columns(
                (request.at,), request.status, None, (request.latency,) if request.latency else ()
            )
            await load(database, "r", request.place, columns, request.memory_bytes // 4)
            record = _record(database, request, before, began)
        _, ref = await write_watch(store, record)
    return record, ref


def _check(request: SloRequest) -> None:
    if not 0 < request.objective < 1 or request.judged not in QUANTILES:
        raise SpecError(
            "reading the request for an error budget",
            got=f"objective {request.objective:g}, judged quantile {request.judged:g}",
            expected=f"an objective between 0 and 1, a quantile of {', '.join(map(str, QUANTILES))}",
            state="nothing was touched",
            remedy="correct them",
            code="8915",
        )


async def _baseline(store: EvidenceStore, request: SloRequest) -> Histogram | None:
    if request.baseline is None:
        return None
    found = await store.read_json(request.baseline)
    if found.get("schema_version") == "heavylift/endpoint-baseline/v1":
        baseline = await store.read_record(request.baseline, EndpointBaseline)
        return Histogram().merged(*(step.histogram() for step in baseline.steps if step.sustained))
    if found.get("schema_version") == "heavylift/monitor-slo/v1":
        return (await store.read_record(request.baseline, SloRecord)).histogram.histogram()
    raise AuditError(
        f"reading the baseline {request.baseline}",
        got=f"a record of {found.get('schema_version')!r}",
        expected="an endpoint's baseline, or an earlier record of requests",
        state="nothing was judged",
        remedy="name another record",
        code="8916",
    )


def _record(database: Any, request: SloRequest, before: Histogram | None, began: float) -> SloRecord:
    _prepare(database, request)
    total, bad, newest, unreadable = database.execute(
        "SELECT count(*), count(*) FILTER (WHERE bad), max(made), (SELECT count(*) FROM r) - count(*) FROM q"
    ).fetchone()
    until = request.until if request.until is not None else newest
    budget = 1 - request.objective
    windows = tuple(_window(database, *each, until, budget) for each in WINDOWS) if until is not None else ()
    histogram = _histogram(database)
    latency = _latency(histogram, before)
    left = 1 - bad / (total * budget) if total else None
    verdict, reasons = _verdict(request, windows, latency, total, unreadable)
    figures = {"requests": float(total), "bad": float(bad)}
    figures |= {"budget_left": left} if left is not None else {}
    figures |= {f"burn_{each.long_seconds}s": each.burn for each in windows if each.burn is not None}
    figures |= {f"latency_p{each.quantile * 100:g}": each.now for each in latency}
    kept = request.kept
    return SloRecord(
        migration=kept.migration, watch=kept.watch, kind="slo", side=kept.side, run=kept.run,
        verdict=verdict, figures=figures, reasons=reasons,
        statement=f"{bad:,} of {total:,} requests are bad; objective {request.objective:.3%}; budget left "
        + ("unknown" if left is None else f"{left:.1%}"),
        took_seconds=round(time.monotonic() - began, 3), url=str(request.place.location),
        objective=request.objective, latency_limit=request.latency_limit, requests=total, bad=bad,
        until=until, budget_left=left, windows=windows, baseline=request.baseline or "",
        max_ratio=request.max_ratio, latency=latency, histogram=HistogramRecord.of(histogram),
    )  # fmt: skip


def _prepare(database: Any, request: SloRequest) -> None:
    latency = "TRY_CAST(s0 AS DOUBLE)" if request.latency else "NULL::DOUBLE"
    slow = "false" if request.latency_limit is None else f"coalesce(ms > {request.latency_limit!r}, false)"
    # A request without a status that is known to be good is a bad one.
    database.execute(
        f"CREATE TABLE q AS SELECT made, ms, NOT coalesce(good, false) OR {slow} AS bad FROM"
        f" (SELECT {_MOMENT} AS made, {latency} AS ms, {_GOOD} AS good FROM r) WHERE isfinite(made)"
    )


def _window(database: Any, long: int, short: int, factor: float, until: float, budget: float) -> BurnWindow:
    found = []
    for seconds in (long, short):
        total, bad = database.execute(
            "SELECT count(*), count(*) FILTER (WHERE bad) FROM q WHERE made > ? AND made <= ?",
            [until - seconds, until],
        ).fetchone()
        low, _ = share_bounds(bad, total, _ALPHA)
        found.append((total, bad / total / budget if total else None, low / budget if total else None))
    (total, burn, burn_low), (_, short_burn, short_low) = found
    return BurnWindow(
        long_seconds=long, short_seconds=short, factor=factor, requests=total, burn=burn, burn_low=burn_low,
        short_burn=short_burn, short_low=short_low,
        alarm=bool(burn_low and short_burn and burn_low > factor and short_burn > factor),
    )  # fmt: skip


def _histogram(database: Any) -> Histogram:
    rows = database.execute(
        "SELECT round(ms * 1000)::HUGEINT AS us, count(*) FROM q WHERE ms BETWEEN 0 AND 1e12 GROUP BY us"
    )
    made = Histogram()
    while part := rows.fetchmany(10_000):
        for us, count in part:
            made.counts[bucket_of(int(us))] += int(count)
    return made


def _latency(now: Histogram, before: Histogram | None) -> tuple[QuantileRatio, ...]:
    if not now.total:
        return ()
    found = []
    for quantile in QUANTILES:
        low, high = _bounds(now, quantile)
        value = now.quantile(quantile) or 0.0
        made = QuantileRatio(quantile=quantile, now=value, before=None, ratio=None, low=None, high=None)
        if before is not None and before.total:
            old_low, old_high = _bounds(before, quantile)
            old = before.quantile(quantile) or 0.0
            made = QuantileRatio(
                quantile=quantile, now=value, before=old, ratio=_over(value, old),
                low=0.0 if low is None or old_high is None else _over(low, old_high),
                high=None if high is None or not old_low else _over(high, old_low),
            )  # fmt: skip
        found.append(made)
    return tuple(found)


def _bounds(histogram: Histogram, quantile: float) -> tuple[float | None, float | None]:
    """Return the values between which the true quantile lies, by order statistics; None: no bound."""
    total = histogram.total
    half = _Z * math.sqrt(total * quantile * (1 - quantile))
    middle = rank_of(quantile, total)
    low, high = math.floor(middle - half), math.ceil(middle + half)
    return (
        histogram.ranked(low) if low >= 1 else None,
        histogram.ranked(high) if high <= total else None,
    )


def _over(value: float, base: float) -> float:
    return value / max(base, 1e-6)


def _verdict(
    request: SloRequest,
    windows: tuple[BurnWindow, ...],
    latency: tuple[QuantileRatio, ...],
    total: int,
    unreadable: int,
) -> tuple[Verdict, tuple[str, ...]]:
    alarms = [
        f"the budget burns {each.burn:.1f} times as fast as it may over {each.long_seconds:,} s, and"
        f" {each.short_burn:.1f} times over {each.short_seconds:,} s"
        for each in windows
        if each.alarm
    ]
    judged = next((each for each in latency if each.quantile == request.judged), None)
    unsure = []
    if request.baseline is not None:
        if judged is None or judged.low is None or judged.ratio is None:
            unsure.append("no latencies to compare")
        elif judged.low > request.max_ratio:
            alarms.append(
                f"P{request.judged * 100:g} is {judged.ratio:.2f} times the baseline's, {judged.low:.2f}"
                " at least"
            )
        elif judged.high is None or judged.high > request.max_ratio:
            unsure.append(
                f"too few requests to tell P{request.judged * 100:g} within {request.max_ratio:g} times"
            )
    if not total:
        unsure.append("no requests")
    elif windows and not windows[0].requests:
        unsure.append("no requests in the last hour")
    if unreadable:
        unsure.append(f"{unreadable:,} requests without a moment that can be read")
    if alarms:
        return "alarm", tuple(alarms)
    return ("unsure" if unsure else "ok"), tuple(unsure)
