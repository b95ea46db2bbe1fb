"""An estimate and an advice in words, the same on the command line, in logs and in the report."""

from __future__ import annotations

from datetime import timedelta

from heavylift.evidence.estimates import AdviceRecord, EstimateRecord
from heavylift.evidence.pricing_words import money, origin
from heavylift.evidence.wording import duration, size


def estimate_lines(record: EstimateRecord) -> list[str]:
    """Return an estimate for people, one fact a line."""
    egress = record.egress
    lines = [
        f"estimate: {record.objects:,} objects, {size(record.size_bytes)}"
        f" ({record.size_bytes:,} bytes), {record.large_objects:,} of them in {record.parts:,} parts",
        f"  cost: {money(record.total)}" + _without(record),
        f"  egress from {egress.provider}: {size(egress.low_bytes)}"
        + (f" to {size(egress.high_bytes)}" if egress.high_bytes != egress.low_bytes else "")
        + f", {money(egress.cost)}",
        *(f"    price: {origin(note)}" for note in egress.prices[:3]),
        *(f"    perhaps less: {regime}" for regime in egress.regimes),
    ]
    for line in record.requests:
        if line.high:
            count = f"{line.low:,}" if line.low == line.high else f"{line.low:,} to {line.high:,}"
            lines.append(f"  {line.side} {line.request} requests: {count}, {money(line.cost)}")
    if record.service.service != "heavylift":
        lines.append(f"  {record.service.service} itself: {money(record.service.cost)}")
    lines += [
        f"  duration over {each.rate}: {duration(timedelta(seconds=each.seconds))}"
        for each in record.durations
    ]
    return lines


def _without(record: EstimateRecord) -> str:
    return f", without {', '.join(record.unknown)} (no known price)" if record.unknown else ""


def estimate_line(record: EstimateRecord) -> str:
    """Return an estimate in one line, for a log."""
    times = ", ".join(
        f"{duration(timedelta(seconds=line.seconds))} over {line.rate}" for line in record.durations
    )
    requests = sum(line.high for line in record.requests)
    return (
        f"estimate: {record.objects:,} objects, {record.size_bytes:,} bytes, up to {requests:,} requests,"
        f" egress {money(record.egress.cost)}, in all {money(record.total)}{_without(record)}; {times}"
    )


def advice_lines(record: AdviceRecord) -> list[str]:
    """Return an advice for people: the recommendation, then every way with what speaks for and against."""
    lines = [f"advice: {record.recommended}: {record.reason}"]
    for option in record.options:
        told = "possible" if option.possible else "ruled out"
        lines.append(f"  {option.way}: {told}: {'; '.join(option.against or option.reasons)}")
        if option.possible and option.loses:
            lines.append(f"    loses: {', '.join(option.loses)}")
    return [*lines, *(f"  assumed: {each}" for each in record.assumptions)]
