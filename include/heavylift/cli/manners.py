"""Options of ``heavylift objects`` that hold a copy back or choose its objects: limits, windows, filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.objects.filters import Filters
    from heavylift.spec.datasets import Limits

MaxRequests = Annotated[
    str | None, typer.Option(help="most requests a second to each of the two stores, e.g. 500/s")
]
Window = Annotated[
    list[str] | None,
    typer.Option(help="copy only then, e.g. '22:00-06:00 Europe/Berlin' or 'Sat-Sun'; may be given again"),
]
NoWait = Annotated[
    bool,
    typer.Option("--no-wait", help="end with status 3 where the window is closed, instead of waiting for it"),
]
MinSize = Annotated[str | None, typer.Option(help="only objects of at least this size, e.g. 1MiB")]
MaxSize = Annotated[str | None, typer.Option(help="only objects of at most this size")]
ModifiedSince = Annotated[
    str | None, typer.Option(help="only objects written then or later: 2026-11-01, a time, or an age as 30d")
]
ModifiedBefore = Annotated[str | None, typer.Option(help="only objects written before then")]


def with_manners(limits: Limits, max_requests: str | None, window: list[str] | None) -> Limits:
    """Return ``limits`` with a cap on requests a second, and with time windows.

    :raises SpecError: one of them cannot be read; the message names it.
    """
    from heavylift.spec.windows import parse_window

    for text in window or ():
        _read("--window", text, parse_window)
    return limits.model_copy(
        update={
            "max_requests": _read("--max-requests", max_requests, _at_least_one),
            "windows": tuple(window or ()),
        }
    )


def _at_least_one(text: str) -> int:
    from heavylift.spec.base import wrong
    from heavylift.spec.quantities import parse_requests

    count = parse_requests(text)
    if count < 1:
        raise wrong("rate", "at least one request a second, such as 500/s")
    return count


def filters_of(
    min_size: str | None, max_size: str | None, modified_since: str | None, modified_before: str | None
) -> Filters:
    """Return the filters that the options mean.

    :raises SpecError: one of them cannot be read; the message names it.
    """
    from heavylift.evidence.records import utc_now
    from heavylift.objects.filters import Filters
    from heavylift.spec.moments import moment_of
    from heavylift.spec.quantities import parse_size

    filters = Filters(
        _read("--min-size", min_size, parse_size),
        _read("--max-size", max_size, parse_size),
        modified_since,
        modified_before,
    )
    for option, text in (("--modified-since", modified_since), ("--modified-before", modified_before)):
        if text is not None:
            _read(option, text, lambda value: moment_of(value, utc_now()))
    return filters


def _read(option: str, text: str | None, parse: Callable[[str], Any]) -> Any:
    if text is None:
        return None
    from pydantic_core import PydanticCustomError

    try:
        return parse(text)
    except PydanticCustomError as error:
        context = error.context or {}
        hint = context.get("hint")
        raise SpecError(
            f"reading {option}",
            got=repr(text),
            expected=str(context.get("expected") or error.message()),
            state="nothing was touched",
            remedy=f"correct {option}" + (f": {hint}" if hint else ""),
            code="5032",
        ) from error
