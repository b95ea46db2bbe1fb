"""What the plans foresaw: cost, duration and the advice, as rows for the report.

The wording of ranges and sources is that of the plan's own log; a report sees evidence only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heavylift.evidence.estimates import AdviceRecord, EstimateRecord
from heavylift.evidence.pricing_words import money, origin
from heavylift.evidence.wording import duration, size
from heavylift.report.story import RunStory


@dataclass(frozen=True)
class CostRow:
    """One line of an estimate.

    :param count: how many requests or bytes, in words.
    :param source: where the price comes from.
    """

    what: str
    count: str
    cost: str
    source: str


@dataclass(frozen=True)
class Forecast:
    """What the plan of one dataset foresaw."""

    dataset: str
    via: str
    objects: int
    size_bytes: int
    total: str
    unknown: str
    rows: tuple[CostRow, ...]
    durations: tuple[tuple[str, str], ...]
    regimes: tuple[str, ...]
    advice: AdviceRecord | None


def forecasts_of(story: RunStory) -> tuple[Forecast, ...]:
    """Return the forecast of every dataset whose plan has an estimate, and something to move."""
    return tuple(
        _forecast(each.dataset, each.plan.record.via, each.plan.record.estimate, each.plan.record.advice)
        for each in story.datasets
        if each.plan and each.plan.record.estimate and each.plan.record.estimate.objects
    )


def _forecast(dataset: str, via: str, record: EstimateRecord, advice: AdviceRecord | None) -> Forecast:
    return Forecast(
        dataset=dataset,
        via=via,
        objects=record.objects,
        size_bytes=record.size_bytes,
        total=money(record.total),
        unknown=", ".join(record.unknown),
        rows=tuple(_rows(record)),
        durations=tuple((line.rate, duration(timedelta(seconds=line.seconds))) for line in record.durations),
        regimes=record.egress.regimes,
        advice=advice,
    )


def _rows(record: EstimateRecord) -> list[CostRow]:
    egress = record.egress
    count = size(egress.low_bytes)
    if egress.high_bytes != egress.low_bytes:
        count += f" to {size(egress.high_bytes)}"
    sources = "; ".join(dict.fromkeys(origin(note) for note in egress.prices))
    rows = [CostRow(f"egress from {egress.provider}", count, money(egress.cost), sources)]
    for line in record.requests:
        if line.high:
            count = f"{line.low:,}" if line.low == line.high else f"{line.low:,} to {line.high:,}"
            rows.append(
                CostRow(f"{line.request} requests, {line.side}", count, money(line.cost), origin(line.price))
            )
    if record.service.service != "heavylift":
        sources = "; ".join(origin(note) for note in record.service.prices)
        rows.append(CostRow(record.service.service, "", money(record.service.cost), sources))
    return rows
