"""From a stream's engine to what mirrors it; an engine that is not carried out yet is refused by name."""

from __future__ import annotations

from heavylift.errors import UnsupportedError
from heavylift.spec.support import SUPPORTED_STREAM_ENGINES
from heavylift.streams.ports import StreamMirror
from heavylift.streams.requests import StreamRequest


def open_mirror(request: StreamRequest) -> StreamMirror:
    """Return what mirrors this stream; nothing is connected yet.

    :raises UnsupportedError: no adapter mirrors between these engines.
    """
    for place in (request.source, request.target):
        if place.engine not in SUPPORTED_STREAM_ENGINES:
            raise UnsupportedError(
                f"mirroring stream {request.stream!r}",
                got=f"the engine {place.engine.value}, understood but not yet supported by this version",
                expected=" or ".join(sorted(engine.value for engine in SUPPORTED_STREAM_ENGINES)),
                state="nothing was touched",
                remedy="take the stream out of the spec; move it by the platform's own means for now",
                code="6535",
            )
    from heavylift.streams.kafka.mirror import KafkaMirror

    return KafkaMirror(request)
