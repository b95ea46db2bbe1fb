"""A study: trials one after the other, each kept as it ends, until the best setting is known and repeated.

What is tried next follows from the trials that are kept and from nothing else, so that a study that was
killed goes on where it was: only the trial that was under way is made anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from heavylift.errors import ConflictError, IncompleteError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.numbered import write_next
from heavylift.evidence.optimize_records import Purpose, StudyRecord, TrialRecord, result_path, trial_path
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.optimize.ports import TrialRunner
from heavylift.optimize.proposals import Proposer, Seen
from heavylift.optimize.ranking import Candidate, candidates_of, challenger_of, leader_of
from heavylift.optimize.requests import StudyRequest
from heavylift.optimize.results import result_of
from heavylift.optimize.spaces import Setting, setting_of, titled
from heavylift.optimize.trying import Wanted, try_setting

Tell = Callable[[str], None]


@dataclass
class Course:
    """The trials of a study by now, and what they lie under."""

    trials: list[TrialRecord] = field(default_factory=list)
    refs: list[EvidenceRef] = field(default_factory=list)
    resumed: int = 0


async def run_study(
    request: StudyRequest, runner: TrialRunner, tell: Tell = lambda _: None
) -> tuple[StudyRecord, EvidenceRef]:
    """Try settings and write what came of it; trials that the run has already are not made again.

    Servers are started on this machine and asked; nothing else is changed.

    :raises ConflictError: the run holds trials of another study under this name.
    :raises IncompleteError: no setting held the objective at any rate.
    """
    began = time.monotonic()
    kept = request.kept
    request.price.check(request.space)
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        course = await read_course(store, request)
        if course.trials:
            tell(f"{len(course.trials)} trials are kept already and not made again")
        proposer = Proposer(request.space, request.plan.seed)
        while (wanted := next_trial(request, proposer, course.trials)) is not None:
            trial = await try_setting(runner, request, wanted)
            path = trial_path(kept.run, kept.name, trial.number)
            course.refs.append(await store.write_json(path, trial))
            course.trials.append(trial)
            tell(told(trial))
        record = await result_of(store, request, course.trials, course.refs, time.monotonic() - began)
        _, ref = await write_next(store, lambda n: result_path(kept.run, "trials", kept.name, n), record)
    if record.best is None:
        raise _none_holds(request, course.trials)
    return record, ref


async def read_course(store: EvidenceStore, request: StudyRequest) -> Course:
    """Return the trials that a run has already.

    :raises ConflictError: they are of another study.
    """
    course = Course()
    while True:
        path = trial_path(request.kept.run, request.kept.name, len(course.trials) + 1)
        if not await store.exists(path):
            course.resumed = len(course.trials)
            return course
        trial = await store.read_record(path, TrialRecord)
        if trial.study != request.digest:
            raise _another_study(request, path)
        course.trials.append(trial)
        course.refs.append(await store.ref_of(path))


def next_trial(request: StudyRequest, proposer: Proposer, trials: Sequence[TrialRecord]) -> Wanted | None:
    """Return what is tried next, given all trials by now; None where the study has ended.

    First settings that spread over the space, then the ones that may improve most, and in the end the best
    one again: it was chosen because it looked best, and what looks best was lucky as well. One that then
    looks as good is repeated in turn.
    """
    plan = request.plan
    number = len(trials) + 1
    if number > plan.most_trials:
        return None
    candidates = candidates_of(trials)
    best = leader_of(candidates)
    cost = None if best is None else best.usd_per_thousand
    repeating = any(each.purpose == "repeat" for each in trials)
    if not repeating and number <= plan.most_trials - 2 * plan.repeats:
        # A setting counts once, with what all its trials came to.
        proposed = proposer.next([Seen(each.setting, each.value) for each in candidates])
        if proposed is not None:
            purpose: Purpose = "first" if proposed.gain is None else "search"
            return Wanted(number, purpose, proposed.setting, cost)
    again = _to_repeat(candidates, best, plan.repeats)
    return None if again is None else Wanted(number, "repeat", again, cost)


def _to_repeat(candidates: Sequence[Candidate], best: Candidate | None, repeats: int) -> Setting | None:
    if best is None:
        return None
    if len(best.trials) <= repeats:
        return best.setting
    rival = challenger_of(candidates, best)
    return rival.setting if rival is not None and len(rival.trials) <= repeats else None


def told(trial: TrialRecord) -> str:
    """Return one line about a trial."""
    what = f"trial {trial.number} ({trial.purpose}): {titled(setting_of(trial.setting))}: "
    if trial.failed:
        return what + trial.failed
    if trial.usd_per_thousand is None or trial.capacity is None:
        return what + f"not at {trial.above or 0:.3g} predictions a second, and given up"
    return what + f"{trial.capacity:.4g} predictions a second, {trial.usd_per_thousand:.4g} for 1,000"


def _another_study(request: StudyRequest, path: str) -> ConflictError:
    return ConflictError(
        f"taking up the trials of {request.kept.name!r}",
        got=f"{path} is of another study: other knobs, objective, prices, requests or seed",
        expected="trials of this study, or none",
        state="no server was started; the trials that are kept stay",
        remedy="run again as a new run, or with what the kept trials were made with",
        code="9258",
    )


def _none_holds(request: StudyRequest, trials: Sequence[TrialRecord]) -> IncompleteError:
    why = next((each.failed for each in trials if each.failed), "")
    limit, share = request.objective.limit_ms, request.objective.quantile
    return IncompleteError(
        f"trials of {request.kept.name!r}",
        got=f"no trial of {len(trials)} that holds the objective at any rate" + (f"; {why}" if why else ""),
        expected=f"{share:.3%} of requests within {limit:g} ms at some rate",
        state="all servers of trials are ended; the trials are kept as evidence",
        remedy="look at the trials' steps; relax the objective, or add settings",
        code="9259",
    )
