"""A process that switches a stream, and may be killed on its way: ``python -m … '{"env": …}'``."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from heavylift.cutover.api import SwitchRequest, bring_to
from heavylift.cutover.ports import Side
from heavylift.cutover.world import Parts
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.streams.requests import FenceOptions
from heavylift.switching.streams import SwitchedStream
from tests.integration.streams.brokers import Brokers


async def main(given: dict[str, object]) -> None:
    """Switch to the given side."""
    brokers = Brokers(given["env"], Path(str(given["folder"])), str(given["mark"]))  # type: ignore[arg-type]
    fence = FenceOptions("marker", settle_seconds=0.5)
    request = replace(brokers.request(consumer_groups=("none-*",)), fence=fence)
    run = RunKey(migration="m", phase="cutover", run=str(given["run"]))
    async with open_evidence(request.evidence_url, None) as store:
        parts = Parts([SwitchedStream(request)])
        await bring_to(SwitchRequest(store, run, parts, "test", 60.0), Side(str(given["side"])))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
