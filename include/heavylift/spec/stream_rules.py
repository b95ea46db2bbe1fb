"""Rules on streams: which products this version mirrors between."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.rule import Broken
from heavylift.spec.support import SUPPORTED_STREAM_ENGINES


def stream_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the streams: an engine that is not carried out yet, a stream into itself."""
    able = " or ".join(sorted(engine.value for engine in SUPPORTED_STREAM_ENGINES))
    for index, stream in enumerate(spec.streams):
        for side in ("source", "target"):
            engine = getattr(stream, side).engine
            if engine not in SUPPORTED_STREAM_ENGINES:
                yield Broken(
                    "6590",
                    ("streams", index, side, "engine"),
                    f"the engine {engine.value!r}, understood but not yet supported by this version",
                    able,
                    "take the stream out; for now it has to be moved by the platform's own means",
                )
        if stream.source == stream.target:
            yield Broken(
                "6591",
                ("streams", index, "target", "connection"),
                f"the connection of the source, {stream.target.connection!r}",
                "another cluster: topics keep their names",
            )
