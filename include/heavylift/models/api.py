"""What operators and commands call: each act does its work, keeps its record, and leaves nothing behind.

Models are fetched into a folder of their own that is gone afterwards. What blocks runs in a thread;
cancelling an act ends the models' processes within a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from heavylift.aio import in_thread
from heavylift.errors import SpecError
from heavylift.evidence.model_records import (
    ModelBaseline,
    ModelCheckRecord,
    ModelComparisonRecord,
    model_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.store import open_evidence
from heavylift.models.checking import Checked, check, look
from heavylift.models.environments import Solver
from heavylift.models.fetching import FetchedModel, fetch_model, fetch_registered
from heavylift.models.golden import Golden, read_golden
from heavylift.models.requests import ModelRequest
from heavylift.models.revalidating import revalidate
from heavylift.models.sides import demand_safe, prepare
from heavylift.models.work import Tell, Work, silent
from heavylift.platforms.places import Place
from heavylift.platforms.registered import OpenRegistry, Registered

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef

T = TypeVar("T")


async def check_model(
    request: ModelRequest, tell: Tell = silent, registries: OpenRegistry | None = None
) -> tuple[ModelCheckRecord, EvidenceRef]:
    """Check one version of a model; nothing of it is run. Where it has arrived, that is checked as well.

    :param registries: opens the registry of a model that is named by one.
    :return: the record tells whether it passed; if not, nothing is raised.
    :raises NotFoundError: there is no model.
    """
    if request.source is None:
        raise _no_model(request)
    async with _folder() as folder:
        fetched = await _fetch_sides(request, folder, tell, registries)
        record = await _in_thread(
            lambda work: check(request, fetched["source"], fetched.get("target"), work), tell
        )
    return record, await _keep(request, "model-check", record)


async def revalidate_model(
    request: ModelRequest,
    tell: Tell = silent,
    baseline: ModelBaseline | None = None,
    registries: OpenRegistry | None = None,
) -> tuple[ModelComparisonRecord, EvidenceRef]:
    """Run both sides on the golden inputs and compare them.

    :param baseline: what the source did when it was measured earlier.
    :param registries: opens the registry of a model that is named by one.
    :return: the record tells whether the target passed; if not, nothing is raised.
    :raises ConflictError: a side's files are not safe; nothing was run.
    """
    async with _folder() as folder:
        fetched = await _fetch_sides(request, folder, tell, registries)
        golden = (
            await _fetch(request, request.golden, folder / "golden", tell, registries)
            if request.golden
            else None
        )
        record = await _in_thread(lambda work: _compare(request, fetched, golden, work, baseline), tell)
    return record, await _keep(request, "model-comparison", record)


def _compare(
    request: ModelRequest,
    fetched: dict[str, FetchedModel],
    golden: FetchedModel | None,
    work: Work,
    baseline: ModelBaseline | None,
) -> ModelComparisonRecord:
    solver = Solver(request.check.solve_seconds, request.check.offline)
    checked: dict[str, Checked | None] = {"source": None, "target": None}
    for side, model in fetched.items():
        before = checked["source"]
        if before is not None and before.fetched.digest == model.digest:
            # The same bytes were looked at already; each side still runs its own.
            checked[side] = replace(before, fetched=model)
        else:
            checked[side] = look(model, request.check, solver, work)
    for side, each in checked.items():
        demand_safe(request, side, each)
    pair = [prepare(request, side, each, solver) for side, each in checked.items()]
    work.check()
    rows, digest = _golden(request, golden, checked)
    return revalidate(request, (pair[0], pair[1]), rows, digest, work, baseline)


def _golden(
    request: ModelRequest, golden: FetchedModel | None, checked: dict[str, Checked | None]
) -> tuple[Golden, str]:
    """Return the golden inputs: those that are named, else the source's own example."""
    options = request.compare
    if golden is not None:
        if len(golden.files) != 1:
            raise _no_golden(request, f"{len(golden.files)} files at {golden.url}", "one file")
        file = golden.files[0]
        path = golden.folder / file.path
        rows = read_golden(path, file.path, label=options.label, slices=options.slices, drop=options.drop)
        return rows, file.sha256
    source = checked["source"]
    if source is None or not source.layout.example:
        raise _no_golden(
            request, "no golden inputs, and a model without an input example", "rows to ask about"
        )
    path = source.fetched.folder / source.layout.example
    return read_golden(path, source.layout.example), hashlib.sha256(path.read_bytes()).hexdigest()


@asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="heavylift-models-") as folder:
        yield Path(folder)


async def _fetch_sides(
    request: ModelRequest, folder: Path, tell: Tell, registries: OpenRegistry | None
) -> dict[str, FetchedModel]:
    return {
        side: await _fetch(request, place, folder / side, tell, registries)
        for side, place in (("source", request.source), ("target", request.target))
        if place is not None
    }


async def _fetch(
    request: ModelRequest,
    place: Place | Registered,
    folder: Path,
    tell: Tell,
    registries: OpenRegistry | None,
) -> FetchedModel:
    await asyncio.to_thread(folder.mkdir)
    if isinstance(place, Registered):
        if registries is None:
            raise TypeError(f"{place} needs a way to open its registry")
        return await fetch_registered(place, registries, folder, max_bytes=request.check.max_bytes, told=tell)
    return await fetch_model(place, folder, max_bytes=request.check.max_bytes, told=tell)


async def _keep(
    request: ModelRequest, kind: str, record: ModelCheckRecord | ModelComparisonRecord
) -> EvidenceRef:
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        _number, ref = await write_next(
            store,
            lambda number: model_path(request.run, request.model, request.version, kind, number),
            record,
        )
        return ref


async def _in_thread(act: Callable[[Work], T], tell: Tell) -> T:
    return await in_thread(lambda stop, relay: act(Work(stop, relay)), tell)


def _no_model(request: ModelRequest) -> SpecError:
    return SpecError(
        f"checking model {request.name!r}",
        got="an endpoint, and no files",
        expected="the URL of the model",
        state="nothing was run or changed",
        remedy="name the model's folder as source; endpoints are compared, not checked",
        code="7508",
    )


def _no_golden(request: ModelRequest, got: str, expected: str) -> SpecError:
    return SpecError(
        f"comparing model {request.name!r}",
        got=got,
        expected=expected,
        state="nothing was run or changed",
        remedy="name golden_inputs, a Parquet, CSV or JSON file with the model's inputs",
        code="7509",
    )
