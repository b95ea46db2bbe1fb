"""One run of the mirror with offset map, lease, tail check and evidence; no verification: the peer has none.

``python -m tests.benchmarks.streams.ours TOPIC STREAM EVIDENCE``; connections come from the environment.
"""

from __future__ import annotations

import json
import sys

from heavylift.aio import run
from heavylift.connections import connection_from_env
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import StreamEngine
from heavylift.streams.api import StreamOptions, StreamPlace, StreamRequest, mirror_stream


def main(topic: str, stream: str, evidence: str) -> None:
    """Mirror a topic and print what the record says."""
    request = StreamRequest(
        run=RunKey(migration="bench", phase="sync", run=stream),
        stream=stream,
        source=StreamPlace(StreamEngine.KAFKA, connection_from_env("kafka_source")),
        target=StreamPlace(StreamEngine.KAFKA, connection_from_env("kafka_target")),
        evidence_url=evidence,
        evidence_connection=None,
        options=StreamOptions(topics=(topic,)),
    )
    record, _ = run(mirror_stream(request))
    print(json.dumps({"sent": record.sent, "records_per_second": record.records_per_second}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
