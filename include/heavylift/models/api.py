"""What operators and commands call: each act does its work, keeps its record, and leaves nothing behind.

Models are fetched into a folder of their own that is gone afterwards. What blocks runs in a thread;
cancelling an act ends the models' processes within a second.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.environments import Solver
from heavylift.errors import SpecError
from heavylift.evidence.model_records import (
    ModelBaseline,
    ModelCheckRecord,
    ModelComparisonRecord,
)
from heavylift.models.checking import Checked, check, look
from heavylift.models.fetching import FetchedModel
from heavylift.models.gathering import (
    fetch_golden,
    fetch_sides,
    golden_inputs,
    in_own_thread,
    keep,
    own_folder,
)
from heavylift.models.judging import Judge, demand_expected, judge_golden
from heavylift.models.requests import ModelRequest
from heavylift.models.revalidating import revalidate
from heavylift.models.sides import demand_safe, prepare
from heavylift.models.work import Tell, Work, silent
from heavylift.platforms.registered import OpenRegistry

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef


async def check_model(
    request: ModelRequest,
    tell: Tell = silent,
    registries: OpenRegistry | None = None,
    judge: Judge | None = None,
) -> tuple[ModelCheckRecord, EvidenceRef]:
    """Check one version of a model; nothing of it is run. Where it has arrived, that is checked as well.

    :param registries: opens the registry of a model that is named by one.
    :param judge: runs the suite of the golden inputs, where there is one.
    :return: the record tells whether it passed; if not, nothing is raised.
    :raises NotFoundError: there is no model.
    """
    if request.source is None:
        raise _no_model(request)
    async with own_folder() as folder:
        fetched = await fetch_sides(request, folder, tell, registries)
        golden = await fetch_golden(request, folder, tell) if request.golden_suite else None
        record = await in_own_thread(
            lambda work: check(
                request,
                fetched["source"],
                fetched.get("target"),
                work,
                judge_golden(request, golden, judge),
            ),
            tell,
        )
    return record, await keep(request, "model-check", record)


async def revalidate_model(
    request: ModelRequest,
    tell: Tell = silent,
    baseline: ModelBaseline | None = None,
    registries: OpenRegistry | None = None,
    judge: Judge | None = None,
) -> tuple[ModelComparisonRecord, EvidenceRef]:
    """Run both sides on the golden inputs and compare them.

    :param baseline: what the source did when it was measured earlier.
    :param registries: opens the registry of a model that is named by one.
    :param judge: runs the suite of the golden inputs, where there is one.
    :return: the record tells whether the target passed; if not, nothing is raised.
    :raises ConflictError: a side's files are not safe, or golden inputs not as expected; nothing was run.
    """
    async with own_folder() as folder:
        fetched = await fetch_sides(request, folder, tell, registries)
        golden = await fetch_golden(request, folder, tell)
        record = await in_own_thread(
            lambda work: _compare(request, fetched, golden, work, baseline, judge), tell
        )
    return record, await keep(request, "model-comparison", record)


def _compare(
    request: ModelRequest,
    fetched: dict[str, FetchedModel],
    golden: FetchedModel | None,
    work: Work,
    baseline: ModelBaseline | None,
    judge: Judge | None,
) -> ModelComparisonRecord:
    outcomes = judge_golden(request, golden, judge)
    demand_expected(request, outcomes)
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
    rows, digest = golden_inputs(request, golden, checked)
    record = revalidate(request, (pair[0], pair[1]), rows, digest, work, baseline)
    return record.model_copy(update={"expectations": outcomes})


def _no_model(request: ModelRequest) -> SpecError:
    return SpecError(
        f"checking model {request.name!r}",
        got="an endpoint, and no files",
        expected="the URL of the model",
        state="nothing was run or changed",
        remedy="name the model's folder as source; endpoints are compared, not checked",
        code="7508",
    )
