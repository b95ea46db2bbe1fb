"""From a stream's engine to what mirrors it; an engine that is not carried out yet is refused by name."""

from __future__ import annotations

from heavylift.errors import UnsupportedError
from heavylift.spec.sections_data import StreamEngine
from heavylift.streams.ports import StreamMirror
from heavylift.streams.requests import StreamRequest

KAFKA_PROTOCOL = frozenset({StreamEngine.KAFKA, StreamEngine.EVENT_HUBS})
"""Engines that speak it: Event Hubs does, at port 9093 of its namespace."""


def open_mirror(request: StreamRequest) -> StreamMirror:
    """Return what mirrors this stream; nothing is connected yet.

    :raises UnsupportedError: no adapter mirrors between these engines.
    """
    for place in (request.source, request.target):
        if place.engine not in KAFKA_PROTOCOL:
            raise UnsupportedError(
                f"mirroring stream {request.stream!r}",
                got=f"the engine {place.engine.value}, understood but not yet supported by this version",
                expected=" or ".join(sorted(engine.value for engine in KAFKA_PROTOCOL)),
                state="nothing was touched",
                remedy="take the stream out of the spec; move it by the platform's own means for now",
                code="6535",
            )
    from heavylift.streams.kafka.mirror import KafkaMirror

    return KafkaMirror(request)
