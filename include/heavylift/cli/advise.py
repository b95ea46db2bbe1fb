"""What ``heavylift objects advise`` is told, as the rule takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.errors import SpecError
from heavylift.locations import SCHEMES, parse_location
from heavylift.spec.quantities import parse_rate, parse_size

if TYPE_CHECKING:
    from heavylift.objects.advice import MoveCase
    from heavylift.objects.requests import TransferRequest


def case_of(
    request: TransferRequest | None,
    source_url: str,
    target_url: str,
    objects: int | None,
    size: str | None,
    *,
    link: str,
    days: float | None,
    tags: bool | None,
    versions: bool,
) -> MoveCase:
    """Return the case: counts as given, or as both places' listings tell.

    :param request: a dry run between the places; only needed without counts.
    :raises SpecError: a size or rate cannot be read.
    """
    from heavylift.objects.advice import MoveCase

    try:
        bits = parse_rate(link) * 8.0
        size_bytes = parse_size(size) if size else 0
    except ValueError as error:
        raise SpecError(
            "reading the options of the advice",
            got=", ".join(text for text in (size, link) if text),
            expected="a size such as 40TB and a rate such as 125MB/s",
            state="nothing was touched",
            remedy="correct --size or --link",
            code="5545",
        ) from error
    if objects is None or size is None:
        objects, size_bytes = _listed(request)
    return MoveCase(
        source=SCHEMES[parse_location(source_url).scheme],
        target=SCHEMES[parse_location(target_url).scheme],
        objects=objects,
        size_bytes=size_bytes,
        needs_tags=tags,
        needs_versions=versions,
        link_bits_per_second=bits,
        days=days,
    )


def _listed(request: TransferRequest | None) -> tuple[int, int]:
    from heavylift.aio import run
    from heavylift.objects.api import plan_transfer

    if request is None:
        return 0, 0
    plan = run(plan_transfer(request))
    return plan.to_copy.objects, plan.to_copy.size_bytes
