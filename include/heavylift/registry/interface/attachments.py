"""Attachments of traces: files through both servers, under the ids by which spans speak of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack

from heavylift.errors import UnsupportedError
from heavylift.registry.interface.artifacts import Place, route_for
from heavylift.registry.interface.context import Context
from heavylift.registry.interface.spooled import spooled
from heavylift.registry.rest.artifacts import Owner
from heavylift.registry.rest.attachments import (
    attachment_digest,
    attachment_route,
    attachments_in,
    sent_or_none,
)
from heavylift.registry.rest.spans import Spans

SORT = "attachments of traces"


async def attachments_due(context: Context, trace: str, spans: Spans, *, fresh: bool) -> list[str]:
    """Return which attachments of a trace are to be copied; reads those of a finished one for a copy alone.

    :param fresh: the trace was not finished, or has spans that the target has not.
    """
    if context.artifacts is None:
        return []
    ids = attachments_in(trace, spans)
    if fresh or not context.full:
        return ids if fresh else []
    found = []
    for each in ids:
        ours = await attachment_digest(context.source, trace, each)
        if ours is not None and ours != await attachment_digest(context.target, trace, each):
            found.append(each)
    return found


async def move_attachments(context: Context, trace: str, place: str, due: Iterable[str]) -> None:
    """Copy attachments to where the target keeps a trace's files."""
    owner = Owner("trace", trace)
    for each in due:
        if not context.target.writes:
            context.tally.created(SORT)
            continue
        async with AsyncExitStack() as stack:
            reading = stack.enter_async_context(spooled(context.source, *attachment_route(trace, each)))
            file = await sent_or_none(context.source, trace, reading)
            if file is None:
                context.tally.lose("trace", "an attachment", "the source does not send it", trace)
                continue
            to = Place(owner, owner, "", place, fresh=True)
            try:
                path, query = route_for(to, f"attachments/{each}", file.size)
            except UnsupportedError:
                reason = "the target's server does not serve the root of its artifacts"
                context.tally.lose("trace", "an attachment", reason, trace)
                continue
            await context.target.upload_from("PUT", path, query, file)
        context.tally.created(SORT)
