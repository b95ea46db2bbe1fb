"""What the rest of Heavylift calls to mirror streams: plan, mirror, verify, translate, status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.lazily import lazily

if TYPE_CHECKING:
    from heavylift.streams.draining import DrainedStream, drain_stream
    from heavylift.streams.ports import StreamMirror, StreamProgress
    from heavylift.streams.requests import StreamOptions, StreamPlace, StreamRequest, stream_request
    from heavylift.streams.work import (
        end_stream_mirror,
        fence_producers,
        live_request,
        mirror_stream,
        plan_stream,
        prepare_stream_back,
        producers_state,
        stream_flows,
        stream_status,
        translate_groups,
        verify_stream,
    )

__all__ = [
    "DrainedStream",
    "StreamMirror",
    "StreamOptions",
    "StreamPlace",
    "StreamProgress",
    "StreamRequest",
    "drain_stream",
    "end_stream_mirror",
    "fence_producers",
    "live_request",
    "mirror_stream",
    "plan_stream",
    "prepare_stream_back",
    "producers_state",
    "stream_flows",
    "stream_request",
    "stream_status",
    "translate_groups",
    "verify_stream",
]

_HOMES = {
    "live_request": "work",
    "stream_flows": "work",
    "producers_state": "work",
    "prepare_stream_back": "work",
    "fence_producers": "work",
    "end_stream_mirror": "work",
    "DrainedStream": "draining",
    "drain_stream": "draining",
    "StreamMirror": "ports",
    "StreamOptions": "requests",
    "StreamPlace": "requests",
    "StreamProgress": "ports",
    "StreamRequest": "requests",
    "mirror_stream": "work",
    "plan_stream": "work",
    "stream_request": "requests",
    "stream_status": "work",
    "translate_groups": "work",
    "verify_stream": "work",
}

__getattr__ = lazily(__name__, "heavylift.streams", _HOMES)
