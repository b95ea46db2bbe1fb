"""What a move will cost and take: pure arithmetic over exact counts and dated prices."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from heavylift.errors import ConflictError
from heavylift.evidence.estimates import (
    DurationLine,
    EstimateRecord,
    Money,
    PriceNote,
    RequestLine,
    ServiceLine,
    SizeClass,
)
from heavylift.evidence.records import Tally
from heavylift.facts.egress import egress_line
from heavylift.facts.prices import PriceBook

LINK_SHARE = 0.75
"""How much of a line's nominal rate a transfer gets: the middle of the 70-80 % in strategy_rules.csv."""

LINKS = {"100 Mbit/s line": 100e6, "1 Gbit/s line": 1e9, "10 Gbit/s line": 10e9}
ATTRIBUTES_COMPARED = 300
PAGE = {"aws": 1_000, "gcp": 1_000, "azure": 5_000, "kubernetes": 1_000}
"""Keys in one page of a listing. S3 and Cloud Storage: their documented maximum; Azure likewise."""

_COMPOSED_AT_ONCE = 32


@dataclass(frozen=True)
class Workload:
    """The exact counts that an estimate is made of.

    :param source: platform of the source; ``target`` likewise.
    :param listed_source: objects that a listing of the source passes; ``listed_target`` likewise.
    :param to_move: objects that go over the line; ``to_compare`` of them have to be compared first.
    :param large: those of them above the part size, and ``parts`` how many parts they make.
    :param unproved_bytes: bytes of objects that no checksum of the source's proves: read twice.
    :param sizes: histogram of ``to_move``.
    :param looked_at: objects at whose attributes the plan looks.
    :param rechecked: objects of equal bytes whose attributes the copy compares; few of them will differ.
    :param proved: objects whose attributes the verification compares; None: of some that were moved.
    """

    source: str
    target: str
    listed_source: int
    listed_target: int
    to_move: Tally
    to_compare: Tally = field(default_factory=Tally)
    large: int = 0
    parts: int = 0
    unproved_bytes: int = 0
    sizes: tuple[SizeClass, ...] = ()
    tags: bool = True
    looked_at: int = 0
    rechecked: int = 0
    proved: int | None = None


def estimate(
    workload: Workload,
    book: PriceBook,
    *,
    via: str = "heavylift",
    max_bandwidth: int | None = None,
    max_cost_usd: float | None = None,
) -> EstimateRecord:
    """Return what ``workload`` costs and takes. Retries are not in it.

    :param via: who moves the objects; a service's own requests are counted as one read and one
        write an object and part, like Heavylift's.
    :param max_bandwidth: bytes a second of one task, where a limit is set.
    """
    requests = priced_requests(workload, book)
    egress = egress_line(
        workload.source,
        workload.target,
        workload.to_move.size_bytes,
        workload.to_move.size_bytes + workload.unproved_bytes,
        book,
    )
    service = _service(via, workload.to_move, book)
    unknown = unpriced_requests(workload, requests)
    if egress.cost.high is None and egress.high_bytes:
        unknown.append(f"egress from {egress.provider}")
    if service.cost.high is None and workload.to_move.objects:
        unknown.append(f"what {service.service} bills for itself")
    return EstimateRecord(
        objects=workload.to_move.objects,
        size_bytes=workload.to_move.size_bytes,
        sizes=workload.sizes,
        large_objects=workload.large,
        parts=workload.parts,
        requests=requests,
        egress=egress,
        service=service,
        durations=tuple(durations(workload.to_move.size_bytes, max_bandwidth)),
        total=sum([*(line.cost for line in requests), egress.cost, service.cost], Money()),
        unknown=tuple(unknown),
        max_cost_usd=max_cost_usd,
    )


def priced_requests(workload: Workload, book: PriceBook) -> tuple[RequestLine, ...]:
    """Return the requests of plan, copy and verification with what they cost."""
    return tuple(_priced(line, workload, book) for line in request_lines(workload))


def unpriced_requests(workload: Workload, requests: Iterable[RequestLine]) -> list[str]:
    """Return in words which requests have no known price."""
    return [_unpriced(workload, line) for line in requests if line.cost.high is None and line.high]


def request_lines(workload: Workload) -> list[RequestLine]:
    """Return the requests of plan, copy and verification, without prices."""
    moved, small = workload.to_move.objects, workload.to_move.objects - workload.large
    drawn = min(moved, ATTRIBUTES_COMPARED) if workload.proved is None else workload.proved
    # Each is asked for once, by the copy or by the verification, on both sides.
    drawn += workload.rechecked
    looked = workload.looked_at
    undecided = workload.to_compare.objects
    # The plan and the verification list both sides; a listing of an empty place is one page too.
    pages_source = 2 * _pages(workload.source, workload.listed_source)
    pages_target = _pages(workload.target, workload.listed_target) + _pages(
        workload.target, workload.listed_target + moved
    )
    has_tags = workload.tags and workload.source in {"aws", "azure"}
    writes = small + workload.parts + _assembly(workload)
    lines = [
        ("source", "list", pages_source, pages_source + 4),
        # Of a look the object's head, and where they are in force its access list.
        ("source", "read", moved + drawn + looked, 3 * moved + 2 * undecided + drawn + 2 * looked + 11),
        (
            "source",
            "tags",
            min(moved, 1) if has_tags else 0,
            moved + drawn + looked + undecided if has_tags else 0,
        ),
        ("target", "list", pages_target, pages_target + 4),
        ("target", "read", drawn, 3 * moved + 2 * undecided + drawn + 10),
        ("target", "tags", 0, drawn + undecided if workload.target in {"aws", "azure"} else 0),
        ("target", "write", writes, writes + workload.large + moved // 100 + 10 if moved else 0),
    ]
    return [
        RequestLine.model_validate({"side": side, "request": request, "low": low, "high": max(low, high)})
        for side, request, low, high in lines
    ]


def _assembly(workload: Workload) -> int:
    """Return the requests that make objects of their parts: begin and complete, compose, or commit."""
    if workload.target == "aws":
        return 2 * workload.large
    if workload.target == "gcp":
        # Each round composes up to 32 parts into one; the last round gives the object.
        return math.ceil(workload.parts / (_COMPOSED_AT_ONCE - 1)) if workload.parts else 0
    return workload.large


def _pages(platform: str, objects: int) -> int:
    return max(1, math.ceil(objects / PAGE.get(platform, 1_000)))


def _priced(line: RequestLine, workload: Workload, book: PriceBook) -> RequestLine:
    provider = workload.source if line.side == "source" else workload.target
    if provider == "kubernetes":
        return line.model_copy(
            update={"cost": Money(low=0.0, high=0.0), "price": PriceNote(note="one's own")}
        )
    price = book.request(provider, line.request)
    if price is None or price.usd is None:
        return line.model_copy(update={"price": price.note if price else PriceNote(note="no row")})
    cost = Money(low=line.low / 1000 * price.usd, high=line.high / 1000 * price.usd)
    return line.model_copy(update={"cost": cost, "price": price.note})


def _unpriced(workload: Workload, line: RequestLine) -> str:
    provider = workload.source if line.side == "source" else workload.target
    return f"{line.request} requests on {provider} ({line.side})"


def _service(via: str, moved: Tally, book: PriceBook) -> ServiceLine:
    by_volume, by_run = book.service(via, "gb"), book.service(via, "execution")
    notes = tuple(price.note for price in (by_volume, by_run) if price)
    if not moved.objects:
        return ServiceLine(service=via, cost=Money(low=0.0, high=0.0), prices=notes)
    if by_volume is None or by_volume.usd is None:
        return ServiceLine(service=via, prices=notes)
    usd = by_volume.usd * moved.size_bytes / 1e9 + ((by_run.usd or 0.0) if by_run else 0.0)
    return ServiceLine(service=via, cost=Money(low=usd, high=usd), prices=notes)


def durations(size_bytes: int, max_bandwidth: int | None) -> Iterable[DurationLine]:
    """Yield how long ``size_bytes`` take at the limit, if there is one, and on usual lines.

    Lines are counted at 75 % of their nominal rate; the time for requests is not in it.
    """
    if max_bandwidth:
        yield DurationLine(
            rate="the bandwidth limit of one task",
            bytes_per_second=max_bandwidth,
            seconds=size_bytes / max_bandwidth,
        )
    for name, bits in LINKS.items():
        rate = int(bits / 8 * LINK_SHARE)
        yield DurationLine(
            rate=f"{name} at {LINK_SHARE:.0%}", bytes_per_second=rate, seconds=size_bytes / rate
        )


def refuse_too_dear(dataset: str, record: EstimateRecord) -> None:
    """Do nothing where the estimate keeps the spec's limit, or there is none.

    :raises ConflictError: it may cost more than ``max_cost_usd``, or a part of it has no known
        price, so that nobody can say. Nothing has been moved.
    """
    limit = record.max_cost_usd
    if limit is None:
        return
    high = record.total.high or 0.0
    if high > limit:
        raise _refused(dataset, f"an estimate of up to {high:,.2f} USD", limit, "raise max_cost_usd")
    if record.unknown:
        got = f"no known price for {', '.join(record.unknown)}"
        raise _refused(dataset, got, limit, "name a file with these prices in the field prices")


def _refused(dataset: str, got: str, limit: float, remedy: str) -> ConflictError:
    return ConflictError(
        f"planning of dataset {dataset!r}",
        got=got,
        expected=f"at most {limit:,.2f} USD (max_cost_usd)",
        state="nothing was moved",
        remedy=f"{remedy}, or move less; a dry run shows the whole estimate",
        code="5511",
    )
