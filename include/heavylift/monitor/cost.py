"""What both sides cost a day, from bills in FOCUS format, held against what was planned."""

# SQL is built of our own table names; no data and no name of a column enters it.
# ruff: noqa: S608
from __future__ import annotations

import fnmatch
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from heavylift.errors import SpecError
from heavylift.evidence.assess_evidence import latest_assessment
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.monitor_evidence import write_watch
from heavylift.evidence.monitor_records import CostDay, CostRecord, Verdict
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.facts import focus
from heavylift.monitor.joining import Columns, load, open_database
from heavylift.monitor.requests import Kept
from heavylift.monitor.tables_read import MIB
from heavylift.platforms.places import Place

MONTH_DAYS = 30.0
"""As the plan reckons."""
MOST_DAYS = 400
LONGEST_CHARGE = timedelta(days=400)
_DAY = timedelta(days=1)
_DIGITS = Decimal("0.000001")


@dataclass(frozen=True)
class Bill:
    """One side's bill, and which of its rows are the workload's: patterns, in which ``*`` is wild."""

    side: Literal["source", "target"]
    place: Place
    resources: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counts:
    """A table that counts predictions: the column of the day, and of their number."""

    place: Place
    at: str = "day"
    count: str = "predictions"


@dataclass(frozen=True)
class CostRequest:
    """Bills to judge.

    :param expected_day: what a day on the target may cost; None: a thirtieth of the plan's month.
    :param band: how far above that is no alarm, as a share.
    :param max_double: what the source may cost while both run; None: as the plan says.
    :param days: the newest settled ones, of whose mean the verdict is.
    :param settle: days until a bill is whole.
    :param today: the day after the last that is looked at; the day of now in UTC by default.
    """

    kept: Kept
    bills: tuple[Bill, ...]
    counts: Counts | None = None
    expected_day: float | None = None
    band: float = 0.2
    max_double: float | None = None
    days: int = 7
    settle: int = 2
    effective: bool = False
    today: date | None = None
    memory_bytes: int = 512 * MIB


@dataclass(frozen=True)
class _Planned:
    """What the plan says in US dollars, and where it says so."""

    day: float | None = None
    double: float | None = None
    path: str = ""


def _two_sides() -> dict[str, Decimal]:
    return {"source": Decimal(0), "target": Decimal(0)}


@dataclass
class _Sums:
    """What the rows of all bills come to."""

    days: dict[date, dict[str, Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Decimal))
    )
    counts: dict[date, int] = field(default_factory=dict)
    currencies: set[str] = field(default_factory=set)
    spread: Decimal = Decimal(0)
    rows: int = 0


async def judge_cost(request: CostRequest) -> tuple[CostRecord, EvidenceRef]:
    """Sum the bills of both sides by day, hold them against the plan, write a record with the next number.

    The bills are only read. A charge over several days is shared out evenly over them, and told. A second
    run reads again and writes a record of its own: bills change until they are final.

    :raises NotFoundError: a bill is not there.
    :raises SpecError: a row cannot be read, or the rows have two currencies.
    """
    began = time.monotonic()
    kept = request.kept
    sums = _Sums()
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        planned = await _planned(store, kept.migration)
        with open_database(request.memory_bytes) as database:
            for bill in request.bills:
                await _read(database, bill, request, sums)
            if request.counts is not None:
                await _count(database, request.counts, request, sums)
        record = _record(request, sums, planned, time.monotonic() - began)
        _, ref = await write_watch(store, record)
    return record, ref


async def _planned(store: EvidenceStore, migration: str) -> _Planned:
    kept = await latest_assessment(store, migration)
    if kept is None:
        return _Planned()
    path = kept.record.plan.path
    plan = (await store.read_json(path)).get("plan", {})
    month = plan.get("target", {}).get("monthly_usd")
    lines = plan.get("costs", {}).get("lines", [])
    double = next((each["cost"]["high"] for each in lines if each.get("item") == "double running"), None)
    return _Planned(month / MONTH_DAYS if month else None, double, path)


async def _read(database: Any, bill: Bill, request: CostRequest, sums: _Sums) -> None:
    amount = focus.EFFECTIVE if request.effective else focus.BILLED
    columns = Columns((focus.BEGIN, focus.END), amount, None, (focus.CURRENCY, focus.RESOURCE, focus.SERVICE))
    await load(database, bill.side, bill.place, columns, request.memory_bytes // 4)
    rows = database.execute(f"SELECT k0, k1, v, s0, s1, s2 FROM {bill.side}")
    while part := rows.fetchmany(10_000):
        for begin, end, value, currency, resource, service in part:
            if _wanted(resource, bill.resources) and _wanted(service, bill.services):
                _add(sums, bill.side, (begin, end), value)
                sums.currencies.add(str(currency))
    if len(sums.currencies) > 1:
        raise SpecError(
            f"watching the cost of {request.kept.watch}",
            got=f"rows in {', '.join(sorted(sums.currencies))}",
            expected="rows in one currency",
            state="nothing was judged",
            remedy="have both bills in one currency, or watch each side for itself",
            code="9770",
        )


def _wanted(value: str | None, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(value or "", each) for each in patterns)


def _add(sums: _Sums, side: str, period: tuple[str, str], value: str) -> None:
    begin, end = (focus.moment_of(each).astimezone(UTC) for each in period)
    amount = focus.amount_of(value)
    sums.rows += 1
    if not timedelta(0) < end - begin <= LONGEST_CHARGE:
        raise SpecError(
            "watching cost",
            got=f"a charge from {begin.isoformat()} to {end.isoformat()}",
            expected=f"an end after its begin, at most {LONGEST_CHARGE.days} days later",
            state="nothing was judged",
            remedy="correct the bill",
            code="9771",
        )
    parts = list(_shares(begin, end))
    if len(parts) > 1:
        sums.spread += amount
    for day, share in parts:
        sums.days[day][side] += amount * share


def _shares(begin: datetime, end: datetime) -> Iterator[tuple[date, Decimal]]:
    """Yield the days of a charge, each with its share of the time."""
    total = Decimal((end - begin) // timedelta(microseconds=1))
    while begin < end:
        midnight = datetime(begin.year, begin.month, begin.day, tzinfo=UTC) + _DAY
        until = min(midnight, end)
        yield begin.date(), Decimal((until - begin) // timedelta(microseconds=1)) / total
        begin = until


async def _count(database: Any, counts: Counts, request: CostRequest, sums: _Sums) -> None:
    columns = Columns((counts.at,), counts.count)
    await load(database, "counts", counts.place, columns, request.memory_bytes // 4)
    for at, number in database.execute("SELECT k0, TRY_CAST(v AS BIGINT) FROM counts").fetchall():
        day = focus.moment_of(at).astimezone(UTC).date()
        if number is not None:
            sums.counts[day] = sums.counts.get(day, 0) + number


def _record(request: CostRequest, sums: _Sums, planned: _Planned, took: float) -> CostRecord:
    kept, today = request.kept, request.today or datetime.now(UTC).date()
    settled = today - timedelta(days=request.settle)
    days = sorted(each for each in sums.days if each < today)
    judged = [each for each in days if each < settled and sums.days[each]["target"]][-request.days :]
    mean = sum((sums.days[each]["target"] for each in judged), Decimal(0)) / len(judged) if judged else None
    both = [each for each in days if sums.days[each]["source"] and sums.days[each]["target"]]
    double = sum((sums.days[each]["source"] for each in both), Decimal(0))
    currency = next(iter(sums.currencies), "")
    # The plan is in US dollars.
    plan = planned if currency in ("USD", "") else _Planned()
    expected = request.expected_day if request.expected_day is not None else plan.day
    allowed = request.max_double if request.max_double is not None else plan.double
    limits = _Limits(expected, request.band, allowed, currency, planned.day is not None)
    verdict, reasons = _verdict(limits, mean, double, len(judged), bool(days))
    told = tuple(_day(each, sums, settled) for each in days[-MOST_DAYS:])
    return CostRecord(
        migration=kept.migration, watch=kept.watch, kind="cost", side=kept.side, run=kept.run,
        verdict=verdict, reasons=reasons, figures=_figures(told, mean, expected, double),
        statement=_statement(told, mean, double, len(both), limits), took_seconds=round(took, 3),
        urls=tuple(str(each.place.location) for each in request.bills),
        currency=currency, rows=sums.rows, days=told, spread=_text(sums.spread), expected_day=expected,
        band=request.band, estimate="the spec" if request.expected_day is not None else plan.path,
        double_days=len(both), double=_text(double), double_allowed=allowed,
    )  # fmt: skip


@dataclass(frozen=True)
class _Limits:
    expected: float | None
    band: float
    double: float | None
    currency: str
    planned: bool


def _verdict(
    limits: _Limits, mean: Decimal | None, double: Decimal, judged: int, any_day: bool
) -> tuple[Verdict, tuple[str, ...]]:
    alarms, unsure = [], []
    if mean is None:
        unsure.append("no settled day on which the target cost something" if any_day else "no charges at all")
    elif limits.expected is None:
        other = f"; the plan's is in USD, the bill in {limits.currency}" if limits.planned else ""
        unsure.append(
            f"nothing to hold the target's cost against: no expected_day and no plan's estimate{other}"
        )
    else:
        most = Decimal(str(limits.expected)) * (1 + Decimal(str(limits.band)))
        if mean > most:
            alarms.append(
                f"the target costs {_money(mean)} {limits.currency} a day over {judged} days;"
                f" {limits.expected:,.2f} were expected, {_money(most)} are allowed"
            )
    if limits.double is not None and double > Decimal(str(limits.double)):
        alarms.append(
            f"double running has cost {_money(double)} {limits.currency} by now;"
            f" {limits.double:,.2f} were planned"
        )
    if alarms:
        return "alarm", (*alarms, *unsure)
    return ("unsure" if unsure else "ok"), tuple(unsure)


def _day(day: date, sums: _Sums, settled: date) -> CostDay:
    found = sums.days[day]
    count = sums.counts.get(day)
    total = found["source"] + found["target"]
    return CostDay(
        day=day.isoformat(),
        source=_text(found["source"]),
        target=_text(found["target"]),
        predictions=count,
        per_thousand=_text(total * 1000 / count) if count else None,
        settled=day < settled,
    )


def _figures(
    days: tuple[CostDay, ...], mean: Decimal | None, expected: float | None, double: Decimal
) -> dict[str, float]:
    figures = {"double_running": float(double)}
    whole = [each for each in days if each.settled]
    if whole:
        figures |= {"source_day": float(whole[-1].source), "target_day": float(whole[-1].target)}
        if whole[-1].per_thousand is not None:
            figures["per_thousand"] = float(whole[-1].per_thousand)
    figures |= {"target_mean_day": float(mean)} if mean is not None else {}
    return figures | ({"expected_day": expected} if expected is not None else {})


def _statement(
    days: tuple[CostDay, ...], mean: Decimal | None, double: Decimal, both: int, limits: _Limits
) -> str:
    whole = [each for each in days if each.settled]
    if not whole:
        return f"{len(days)} days, none of them settled"
    last = whole[-1]
    source, target = (_money(Decimal(each)) for each in (last.source, last.target))
    told = f"{last.day}: source {source}, target {target} {limits.currency}"
    told += f", {last.per_thousand} for 1,000 predictions" if last.per_thousand else ""
    told += f"; target's mean {_money(mean)} a day" if mean is not None else ""
    told += f" of {limits.expected:,.2f} expected" if mean is not None and limits.expected is not None else ""
    return f"{told}; both ran for {both} days, which cost {_money(double)} at the source"


def _text(amount: Decimal) -> str:
    return f"{amount.quantize(_DIGITS, ROUND_HALF_UP):f}"


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01'), ROUND_HALF_UP):,f}"
