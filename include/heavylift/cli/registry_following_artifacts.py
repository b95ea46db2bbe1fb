"""Moves a followed registry's artifacts again and again, by a process of its own, beside the rows."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from heavylift.cli.output import note

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest

Objects = tuple[str | None, str | None, str | None]
"""Connection ids of both object stores, and of the evidence store."""


class Artifacts:
    """The artifacts of a followed registry.

    A process of its own moves them, so that the rows do not wait for it. What was logged since a move began
    may lack files on the other side until the next one ends: that is counted, and told as pending.

    :param every: seconds from the end of a move to the beginning of the next.
    """

    def __init__(self, request: RegistryRequest, objects: Objects, every: float) -> None:
        self._request = request
        self._objects = objects
        self._every = every
        self.document: dict[str, Any] = {"rounds": 0, "failed": 0, "as_of": None, "pending": None}

    async def keep_moving(self, direction: Callable[[], str]) -> None:
        """Move all artifacts until cancelled; nothing where no object store is named."""
        if not self._request.options.uris.changing:
            return
        if self._objects[0] is None or self._objects[1] is None:
            note("artifacts are not moved by this: run heavylift objects sync for each prefix beside it")
            return
        while True:
            await self._round(direction())
            await asyncio.sleep(self._every)

    async def _round(self, direction: str) -> None:
        from heavylift.mirror.pending import pending_artifacts
        from heavylift.registry.paths import stores_of

        began = int(time.time() * 1000)
        back = direction == "reverse"
        statuses = [await self._move(*pair, back=back) for pair in self._request.options.uris.changing]
        self.document["rounds"] += 1
        if any(statuses):
            self.document["failed"] += 1
            note(f"moving artifacts failed (status {max(statuses)}); it is tried again in {self._every:g} s")
            return
        receiving = stores_of(self._request)[0 if back else 1]
        pending = await asyncio.to_thread(pending_artifacts, receiving, began)
        self.document |= {"as_of": began, "pending": pending}
        waiting = ", ".join(f"{count:,} {table}" for table, count in pending.items() if count)
        note(f"artifacts are moved and proved; logged since: {waiting or 'nothing'}")

    async def _move(self, source: str, target: str, *, back: bool) -> int:
        """Run one sync of objects to its end; return its exit status."""
        ours, theirs, evidence = self._objects
        if back:
            source, target, ours, theirs = target, source, theirs, ours
        words = [sys.executable, "-m", "heavylift", "objects", "sync", source, target]
        words += ["--source-conn", str(ours), "--target-conn", str(theirs)]
        words += ["--migration", self._request.run.migration, "--json"]
        words += ["--evidence", self._request.evidence_url] if self._request.evidence_url else []
        words += ["--evidence-conn", evidence] if evidence else []
        process = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.send_signal(signal.SIGINT)
            await process.wait()
            raise
        if process.returncode:
            note(f"heavylift objects sync {source} {target}: {_error(output)}")
        return process.returncode or 0


def _error(output: bytes) -> str:
    try:
        document = json.loads(output)
    except ValueError:
        return "it said nothing that could be read"
    found = document.get("error") or {}
    return str(found.get("message") or found.get("code") or "not everything was moved")
