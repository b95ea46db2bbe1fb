"""Checks evidence files against their SHA-256, and the files that those name in turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Literal

from heavylift.errors import NotFoundError
from heavylift.evidence.canonical import sha256_hex
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.store import EvidenceStore

_AT_ONCE = 8
_REF_KEYS = set(EvidenceRef.model_fields)

Problem = Literal["missing", "changed"]


async def walk_evidence(
    store: EvidenceStore, refs: Iterable[EvidenceRef]
) -> AsyncIterator[tuple[EvidenceRef, Problem | None]]:
    """Yield each file that ``refs`` reach, once, with what is wrong with it.

    A JSON file whose content is proved may name further files, which are then followed; so
    an audit entry that names a gate's result also binds the manifests behind it.
    """
    waiting = list(dict.fromkeys(refs))
    seen = set(waiting)
    while waiting:
        batch, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        for ref, (problem, named) in zip(
            batch, await asyncio.gather(*(_check(store, ref) for ref in batch)), strict=True
        ):
            yield ref, problem
            new = [each for each in dict.fromkeys(named) if each not in seen]
            seen.update(new)
            waiting.extend(new)


async def _check(store: EvidenceStore, ref: EvidenceRef) -> tuple[Problem | None, list[EvidenceRef]]:
    try:
        if not ref.path.endswith(".json"):
            return (None if await store.matches(ref) else "changed"), []
        data = await store.read_bytes(ref.path)
    except NotFoundError:
        return "missing", []
    if sha256_hex(data) != ref.sha256:
        return "changed", []
    return None, list(refs_in(json.loads(data)))


def refs_in(document: Any) -> Iterator[EvidenceRef]:
    """Yield the references that a JSON document holds, wherever they are in it."""
    if isinstance(document, dict):
        if set(document) == _REF_KEYS:
            yield EvidenceRef.model_validate(document)
            return
        for value in document.values():
            yield from refs_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from refs_in(value)
