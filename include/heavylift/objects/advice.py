"""Who had best move a dataset: Heavylift's workers, a platform's own service, or a device that is shipped.

A rule, not a model: it compares times over the given line with the days there are, looks up each
service's limits in ``data/transfer_limits.csv`` and names what each way keeps and loses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from heavylift.evidence.estimates import AdviceRecord, Option
from heavylift.evidence.wording import counted
from heavylift.facts.estimate import LINK_SHARE, Workload
from heavylift.facts.rates import (
    APPLIANCE_BYTES,
    DAY,
    MOST_WORKERS,
    WEEK_RULE_DAYS,
    WORKER_BYTES_PER_SECOND,
    WORKER_OBJECTS_PER_SECOND,
    online_days,
)
from heavylift.facts.tables import table
from heavylift.objects.costing import platforms_of
from heavylift.objects.diff import Difference
from heavylift.objects.requests import TransferRequest

_CLOUDS = {"aws", "gcp", "azure"}
_NAMES = {"aws": "S3", "gcp": "Cloud Storage", "azure": "Azure Blob", "kubernetes": "your own machines"}
_SERVICES = ("storage-transfer-service", "azcopy", "datasync")
"""In the order of preference where more than one can: DataSync bills by volume."""


@dataclass(frozen=True)
class MoveCase:
    """What the rule is told.

    :param source: platform; ``target`` likewise.
    :param longest_key_bytes: of all keys; 0 where not known.
    :param folder_keys: keys that end in ``/``.
    :param needs_tags: tags have to arrive; None where nobody said.
    :param needs_versions: older versions have to arrive.
    :param link_bits_per_second: nominal rate of the line between the workers and both stores.
    :param days: how long the move may take; None for the week rule.
    """

    source: str
    target: str
    objects: int
    size_bytes: int
    longest_key_bytes: int = 0
    largest_bytes: int = 0
    folder_keys: int = 0
    needs_tags: bool | None = None
    needs_versions: bool = False
    link_bits_per_second: float = 1e9
    days: float | None = None
    most_workers: int = MOST_WORKERS


def advise(case: MoveCase) -> AdviceRecord:
    """Return which way is recommended, and every way with its reasons; pure."""
    options = (
        _heavylift(case),
        *(_SERVICE_RULES[name](case) for name in _SERVICES),
        _appliance(case),
    )
    recommended, reason = _choose(case, {option.way: option for option in options})
    assumptions = (
        f"a line of {case.link_bits_per_second / 1e9:g} Gbit/s between the workers and both stores,"
        f" of which {LINK_SHARE:.0%} can be used",
        f"a worker moves up to {WORKER_BYTES_PER_SECOND // 10**6} MB/s and {WORKER_OBJECTS_PER_SECOND}"
        " objects/s; measure yours with a first shard",
        f"{_deadline(case):g} days for the move" + ("" if case.days else " (the week rule)"),
    )
    return AdviceRecord(recommended=recommended, reason=reason, options=options, assumptions=assumptions)


def advise_plan(request: TransferRequest, workload: Workload, difference: Difference) -> AdviceRecord:
    """Return the advice for what a plan has to move, over an assumed line."""
    row = difference.database.execute(
        "SELECT coalesce(max(strlen(rel)), 0), coalesce(max(size_bytes), 0),"
        " count(*) FILTER (rel LIKE '%/') FROM diff WHERE action IN ('copy', 'replace', 'compare')"
    ).fetchone()
    longest, largest, folders = row or (0, 0, 0)
    return advise_workload(request, workload, int(longest), int(largest), int(folders))


def advise_workload(
    request: TransferRequest, workload: Workload, longest: int = 0, largest: int = 0, folders: int = 0
) -> AdviceRecord:
    """Return the advice for so much to move, over an assumed line.

    :param longest: bytes of the longest relative key; ``largest`` of the largest object.
    :param folders: keys that end in ``/``.
    """
    source, target = platforms_of(request)
    return advise(
        MoveCase(
            source=source,
            target=target,
            objects=workload.to_move.objects,
            size_bytes=workload.to_move.size_bytes,
            longest_key_bytes=longest + len(request.source.location.prefix.encode()),
            largest_bytes=largest,
            folder_keys=folders,
            needs_tags=None if request.options.metadata.tags else False,
        )
    )


def _deadline(case: MoveCase) -> float:
    return case.days or WEEK_RULE_DAYS


def _choose(case: MoveCase, options: dict[str, Option]) -> tuple[str, str]:
    own, deadline = options["heavylift"], _deadline(case)
    days = own.days or 0.0
    if days <= deadline:
        return "heavylift", (
            f"{_workers(own)} in {_days(days)} of the {deadline:g} days there are,"
            " keeping keys, metadata and tags as they are"
        )
    if options["appliance"].possible:
        return "appliance", f"the line would take {_days(days)}, more than the {deadline:g} days there are"
    for name in _SERVICES:
        if options[name].possible:
            return name, (
                f"the given line would take {_days(days)} with {_workers(own)}; the service does not use it"
            )
    return "heavylift", (
        f"no service and no device can do it; the given line takes {_days(days)} with {_workers(own)}:"
        " use a faster line or workers inside the source's cloud"
    )


def _heavylift(case: MoveCase) -> Option:
    def days(workers: int) -> float:
        return online_days(case.size_bytes, case.objects, case.link_bits_per_second, workers)

    enough = (n for n in range(1, case.most_workers + 1) if days(n) <= _deadline(case))
    # More workers than fill the line change nothing.
    useful = max(
        1, math.ceil(case.link_bits_per_second / 8 * LINK_SHARE / WORKER_BYTES_PER_SECOND), _by_requests(case)
    )
    workers = next(enough, min(case.most_workers, useful))
    against = ("older versions are not moved",) if case.needs_versions else ()
    return Option(
        way="heavylift",
        possible=True,
        days=round(days(workers), 3),
        workers=workers,
        reasons=("runs on your own workers; every object is proved on the way and again at the end",),
        against=against,
        keeps=("exact keys", "content headers", "user metadata", "tags"),
        loses=("older versions", "ACLs", "storage class"),
    )


def _by_requests(case: MoveCase) -> int:
    return math.ceil(case.objects / (WORKER_OBJECTS_PER_SECOND * _deadline(case) * DAY))


def _storage_transfer_service(case: MoveCase) -> Option:
    against = _common_objections(case)
    if case.target != "gcp" or case.source not in _CLOUDS:
        against.append("moves only from S3, Azure Blob or Cloud Storage to Cloud Storage without agents")
    if case.needs_tags and case.source != "gcp":
        against.append("does not keep tags")
    if case.largest_bytes > 5 * 2**40:
        against.append("Cloud Storage holds objects up to 5 TiB")
    return Option(
        way="storage-transfer-service",
        possible=not against,
        reasons=("runs inside Google's network: your line and workers are not used",),
        against=tuple(against),
        keeps=("content headers", "user metadata", "the source's ETag as metadata"),
        loses=("tags", "ACLs", "older versions", *_folders(case)),
    )


def _datasync(case: MoveCase) -> Option:
    against = _common_objections(case)
    if "aws" not in {case.source, case.target} or not {case.source, case.target} <= _CLOUDS:
        against.append("one side must be S3, the other S3, Cloud Storage or Azure Blob")
    if case.needs_tags and case.source != case.target:
        against.append("keeps tags between S3 buckets only")
    longest = int(limit("AWS DataSync", "max path length").split()[0])
    if case.longest_key_bytes > longest:
        against.append(f"a key has {case.longest_key_bytes} bytes, the most is {longest}")
    characters = int(limit("AWS DataSync", "S3 object name").split()[0])
    if case.longest_key_bytes > characters:
        against.append(
            f"S3 names have up to {characters} characters; a key has {case.longest_key_bytes} bytes"
        )
    within = case.source == case.target
    return Option(
        way="datasync",
        possible=not against,
        reasons=("Enhanced mode, without agents: your line is not used", f"objects: {_most_objects()}"),
        against=tuple(against),
        keeps=("content headers", "user metadata", *(("tags",) if within else ())),
        loses=("ACLs", "older versions", *(() if within else ("tags",)), *_folders(case)),
    )


def _azcopy(case: MoveCase) -> Option:
    against = _common_objections(case)
    if (case.source, case.target) != ("aws", "azure"):
        against.append("is driven from S3 to Azure Blob only")
    if case.needs_tags:
        against.append("does not keep tags of S3")
    return Option(
        way="azcopy",
        possible=not against,
        reasons=("Azure reads from S3 by itself; one worker runs the program, your line is not used",),
        against=tuple(against),
        keeps=("content headers", "user metadata"),
        loses=("tags", "older versions", *_folders(case)),
    )


def _appliance(case: MoveCase) -> Option:
    against: list[str] = []
    online = online_days(case.size_bytes, case.objects, case.link_bits_per_second, case.most_workers)
    if case.source != "kubernetes":
        against.append(
            f"nothing can be plugged into {_NAMES[case.source]}: devices are for your own data centre"
        )
    if case.size_bytes < APPLIANCE_BYTES:
        against.append("less than about 40 TB: shipping is not worth it")
    if online <= _deadline(case):
        against.append(f"the line is quick enough: {_days(online)}")
    if case.target == "aws":
        against.append("AWS Snowball Edge is closed to new customers")
    return Option(
        way="appliance",
        possible=not against,
        reasons=(f"the line would take {_days(online)}",),
        against=tuple(against),
        keeps=("bytes",),
        loses=("what the device's file system cannot hold: see its limits",),
    )


def _most_objects() -> str:
    return limit("AWS DataSync enhanced mode", "objects").split(";")[0]


def _common_objections(case: MoveCase) -> list[str]:
    return ["older versions are not moved"] if case.needs_versions else []


def _folders(case: MoveCase) -> tuple[str, ...]:
    if not case.folder_keys:
        return ()
    return (f"{case.folder_keys:,} keys that end in /, which Heavylift's workers move beside it",)


def limit(service: str, name: str) -> str:
    """Return a limit of a service, as ``data/transfer_limits.csv`` tells it.

    :raises KeyError: the table has no such row.
    """
    for row in table("transfer_limits.csv"):
        if (row["service"], row["limit"]) == (service, name):
            return row["value"]
    raise KeyError(f"{service}: {name}")


def _days(days: float) -> str:
    if days >= 1:
        return f"{days:,.1f} days"
    hours = days * 24
    if hours >= 1:
        return f"{hours:,.1f} hours"
    return f"{hours * 60:,.0f} minutes" if hours * 60 >= 1 else "less than a minute"


def _workers(own: Option) -> str:
    return counted(own.workers or 0, "worker")


_SERVICE_RULES: dict[str, Callable[[MoveCase], Option]] = {
    "storage-transfer-service": _storage_transfer_service,
    "datasync": _datasync,
    "azcopy": _azcopy,
}
