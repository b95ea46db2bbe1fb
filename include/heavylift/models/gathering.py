"""What every act on models needs: their files and golden inputs here, a thread of its own, a record kept."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from heavylift.aio import in_thread
from heavylift.errors import SpecError
from heavylift.evidence.base import Record
from heavylift.evidence.model_records import model_path
from heavylift.evidence.numbered import write_next
from heavylift.evidence.store import open_evidence
from heavylift.models.checking import Checked
from heavylift.models.fetching import FetchedModel, fetch_model, fetch_registered
from heavylift.models.requests import ModelRequest
from heavylift.models.work import Tell, Work
from heavylift.platforms.places import Place
from heavylift.platforms.registered import OpenRegistry, Registered
from heavylift.scoring.golden import Golden, read_golden, typed

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef

T = TypeVar("T")


@asynccontextmanager
async def own_folder() -> AsyncIterator[Path]:
    """Give a folder that is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="heavylift-models-") as folder:
        yield Path(folder)


async def fetch_sides(
    request: ModelRequest, folder: Path, tell: Tell, registries: OpenRegistry | None
) -> dict[str, FetchedModel]:
    """Fetch the model of each side that has one."""
    return {
        side: await fetch(request, place, folder / side, tell, registries)
        for side, place in (("source", request.source), ("target", request.target))
        if place is not None
    }


async def fetch_golden(request: ModelRequest, folder: Path, tell: Tell) -> FetchedModel | None:
    """Fetch the golden inputs that are named; None where the model's own example stands for them."""
    if request.golden is None:
        return None
    golden = await fetch(request, request.golden, folder / "golden", tell, None)
    if len(golden.files) != 1:
        raise _no_golden(request, f"{len(golden.files)} files at {golden.url}", "one file")
    return golden


async def fetch(
    request: ModelRequest,
    place: Place | Registered,
    folder: Path,
    tell: Tell,
    registries: OpenRegistry | None,
) -> FetchedModel:
    """Fetch what lies at a place, or has a name in a registry."""
    await asyncio.to_thread(folder.mkdir)
    if isinstance(place, Registered):
        if registries is None:
            raise TypeError(f"{place} needs a way to open its registry")
        return await fetch_registered(place, registries, folder, max_bytes=request.check.max_bytes, told=tell)
    return await fetch_model(place, folder, max_bytes=request.check.max_bytes, told=tell)


def golden_inputs(
    request: ModelRequest, golden: FetchedModel | None, checked: dict[str, Checked | None]
) -> tuple[Golden, str]:
    """Return the golden inputs: those that are named, else the source's own example."""
    options, source = request.compare, checked["source"]
    signature = source.layout.signature if source is not None else {}
    if golden is not None:
        [file] = golden.files
        path = golden.folder / file.path
        rows = read_golden(path, file.path, label=options.label, slices=options.slices, drop=options.drop)
        return typed(rows, signature), file.sha256
    if source is None or not source.layout.example:
        raise _no_golden(
            request, "no golden inputs, and a model without an input example", "rows to ask about"
        )
    path = source.fetched.folder / source.layout.example
    rows = typed(read_golden(path, source.layout.example), signature)
    return rows, hashlib.sha256(path.read_bytes()).hexdigest()


async def keep(request: ModelRequest, kind: str, record: Record) -> EvidenceRef:
    """Keep a record under the next free number."""
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        _number, ref = await write_next(
            store,
            lambda number: model_path(request.run, request.model, request.version, kind, number),
            record,
        )
        return ref


async def in_own_thread(act: Callable[[Work], T], tell: Tell) -> T:
    """Do what blocks, in a thread that is asked to stop when this is cancelled."""
    return await in_thread(lambda stop, relay: act(Work(stop, relay)), tell)


def _no_golden(request: ModelRequest, got: str, expected: str) -> SpecError:
    return SpecError(
        f"comparing model {request.name!r}",
        got=got,
        expected=expected,
        state="nothing was run or changed",
        remedy="name golden_inputs, a Parquet, CSV or JSON file with the model's inputs",
        code="7509",
    )
