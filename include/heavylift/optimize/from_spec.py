"""What the section ``optimize`` of a spec comes to: requests, and what their results may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.assess_evidence import latest_use
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.optimize_records import MixRecord, OptimizeKind, SizeRecord, StudyRecord
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.locations import parse_location
from heavylift.optimize.checkpoints import Interruptions, chosen_interval, expected
from heavylift.optimize.judging import Objective
from heavylift.optimize.mixing import Job, MixRequest, Serving, recommend_mix
from heavylift.optimize.purchases import Commitment, Prices
from heavylift.optimize.recommending import Wish
from heavylift.optimize.requests import HourlyPrice, Kept, StudyRequest, TrialPlan
from heavylift.optimize.resilience import Replaced
from heavylift.optimize.rightsizing import SizeRequest, recommend_size
from heavylift.optimize.serving import CommandRunner, ServerCommand, mlflow_command
from heavylift.optimize.sizing import SizingRules
from heavylift.optimize.spaces import knobs_of
from heavylift.optimize.studies import Tell, run_study
from heavylift.platforms.bodies import fetch_bodies
from heavylift.platforms.places import Place
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_optimize import Optimize, Purchase, Rightsizing, TrialServer, TrialStudy

T = TypeVar("T", TrialStudy, Rightsizing, Purchase)
LookUp = Callable[[str], Connection]
Result = StudyRecord | SizeRecord | MixRecord


@dataclass(frozen=True)
class Around:
    """A spec, the run, and where connections and files beside it are looked up."""

    spec: MigrationSpec
    run: RunKey
    folder: Path
    look_up: LookUp
    evidence_url: str | None
    evidence_connection: Connection | None

    @property
    def section(self) -> Optimize:
        """The section ``optimize``; an empty one where it was taken out."""
        return self.spec.optimize or Optimize()

    def kept(self, name: str) -> Kept:
        """Return whose evidence a result of that name is."""
        return Kept(self.run, name, self.evidence_url, self.evidence_connection)

    def place(self, url: str, connection: str | None) -> Place:
        """Return a place by its URL; without a connection of its own it is the target's."""
        location = parse_location(url)
        conn_id = connection or self.spec.target.connection
        return Place(location, None if location.scheme == "file" else self.look_up(conn_id))

    async def use_of(self, component: str) -> Place:
        """Return where the newest series of a component's use lies, as the phase assess has read it.

        :raises NotFoundError: there is none.
        """
        async with open_evidence(self.evidence_url, self.evidence_connection, create=False) as store:
            found = await latest_use(store, self.spec.migration, component)
            if found is not None:
                return Place(parse_location(store.url_of(found.file.path)), self.evidence_connection)
        raise NotFoundError(
            f"looking up what {component!r} uses",
            got="no series of it in the evidence of the phase assess",
            expected="one of a component that was read (assess.utilisation)",
            state="nothing was reckoned",
            remedy="run the phase assess, or 'heavylift baseline SPEC', or name a series of your own",
            code="9412",
        )

    def beside(self, path: str | None) -> Path | None:
        """Return a file beside the spec, or by its whole path."""
        return None if path is None else self.folder / path


def subjects_of(spec: MigrationSpec) -> list[tuple[OptimizeKind, str]]:
    """Return all that a spec wants judged, by kind and name, in its order."""
    found = spec.optimize or Optimize()
    made: list[tuple[OptimizeKind, str]] = [("trials", each.name) for each in found.trials]
    made += [("rightsizing", each.name) for each in found.rightsizing]
    return made + [("mix", each.name) for each in found.purchases]


async def optimize_one(
    around: Around, kind: OptimizeKind, name: str, tell: Tell = lambda _: None
) -> tuple[Result, EvidenceRef]:
    """Measure or reckon one thing that the spec names, and write its record.

    :raises NotFoundError: the spec has nothing of that name.
    """
    section = around.section
    if kind == "trials":
        study = _named(section.trials, kind, name)
        request, runner = await trials_of(around, study)
        return await run_study(request, runner, tell)
    if kind == "rightsizing":
        return await recommend_size(await size_request(around, _named(section.rightsizing, kind, name)))
    return await recommend_mix(mix_request(around, _named(section.purchases, kind, name)))


async def trials_of(around: Around, study: TrialStudy) -> tuple[StudyRequest, CommandRunner]:
    """Return the request of a study and what starts its servers.

    :raises SpecError: the recorded requests, knobs or the command can't be used.
    """
    bodies = await fetch_bodies(around.place(study.requests, study.requests_connection))
    space = knobs_of(study.knobs)
    command = _command(study.server, study)
    command.check(space)
    objective = Objective(study.quantile, study.latency)
    plan = TrialPlan(
        most_trials=study.max_trials,
        repeats=study.repeats,
        first_rate=study.first_rate,
        most_rate=study.max_rate,
        step_seconds=float(study.step),
        warm_up_seconds=float(study.warm_up),
        timeout_seconds=float(study.timeout),
        seed=study.seed,
    )
    price = HourlyPrice(study.usd_per_hour or 0.0, study.price_knob or "", dict(study.prices))
    price.check(space)
    request = StudyRequest(
        around.kept(study.name),
        space,
        objective,
        price,
        plan,
        bodies.sha256,
        repr(command),
        study.baseline or "",
    )
    return request, CommandRunner(command, bodies.bodies, objective, plan)


async def size_request(around: Around, machine: Rightsizing) -> SizeRequest:
    """Return the request for one machine; the use of a component is what the phase assess has kept.

    :raises NotFoundError: it has kept none of that component.
    """
    series = around.place(machine.series, machine.connection) if machine.series else None
    return SizeRequest(
        kept=around.kept(machine.name),
        series=series or await around.use_of(machine.component or ""),
        provider=(machine.platform or around.spec.target.platform).value,
        current=machine.instance_type,
        at=machine.at,
        columns=dict(machine.columns),
        unit=machine.unit,
        rules=SizingRules(machine.quantile, machine.headroom, machine.least_days),
        machines=around.beside(machine.machines),
        hours_a_month=machine.hours_a_month,
    )


def mix_request(around: Around, bought: Purchase) -> MixRequest:
    """Return the request for one purchase."""
    met = bought.interruptions
    interrupted = Interruptions(met.rate, met.replaced_after, met.restart, met.checkpoint) if met else None
    commitments = tuple(Commitment(c.name, c.usd_per_hour, c.term_hours) for c in bought.commitments)
    prices = Prices(bought.on_demand, bought.spot, commitments, spot_factor(bought, interrupted))
    serving = job = None
    if bought.serving is not None and met is not None:
        away = Replaced(met.rate, met.replaced_after, met.common_rate)
        serving = Serving(bought.serving.machines, bought.serving.shortfall, away)
    if bought.job is not None and interrupted is not None:
        job = Job(bought.job.hours, interrupted, bought.job.deadline, None, bought.job.machines)
    return MixRequest(
        kept=around.kept(bought.name),
        prices=prices,
        prices_of=bought.prices_of,
        demand=None if bought.demand is None else around.place(bought.demand, bought.connection),
        at=bought.at,
        column=bought.column,
        spot_share=bought.spot_share,
        serving=serving,
        job=job,
    )


def spot_factor(bought: Purchase, met: Interruptions | None) -> float:
    """Return how many hours are billed for an hour of work: of a job as it saves its state, else of a day."""
    if met is None:
        return 1.0
    work = bought.job.hours if bought.job else 24.0
    return expected(work, chosen_interval(work, met), met).billed / work


def wishes_of(spec: MigrationSpec) -> dict[str, Wish]:
    """Return what of the spec each result may change, by kind and name."""
    found = spec.optimize or Optimize()
    types = spec.infrastructure.instance_types if spec.infrastructure else {}
    made = {}
    for study in found.trials:
        made[f"trials {study.name}"] = Wish(
            study.replaces or "",
            types.get(study.replaces or "", ""),
            study.instance_knob or "",
            study.predictions_a_month,
        )
    for machine in found.rightsizing:
        replaces = machine.replaces or ""
        made[f"rightsizing {machine.name}"] = Wish(replaces, types.get(replaces, ""))
    for bought in found.purchases:
        made[f"mix {bought.name}"] = Wish(max_late=bought.job.max_late if bought.job else 0.05)
    return made


def _command(server: TrialServer, study: TrialStudy) -> ServerCommand:
    if not server.command:
        workers = "{workers}" if "workers" in study.knobs else "1"
        made = mlflow_command(workers=workers, python=server.python)
        return ServerCommand(
            made.argv,
            {**made.environment, **server.environment},
            server.url,
            made.ready_text,
            made.ready_times,
            float(server.ready_within),
            tuple(server.passed),
        )
    return ServerCommand(
        tuple(server.command),
        dict(server.environment),
        server.url,
        server.ready_text,
        ready_seconds=float(server.ready_within),
        passed=tuple(server.passed),
    )


def _named(known: tuple[T, ...], kind: str, name: str) -> T:
    for each in known:
        if each.name == name:
            return each
    raise NotFoundError(
        f"optimising {name!r}",
        got=f"no entry of that name among the spec's {kind}",
        expected=", ".join(each.name for each in known) or "an entry",
        state="nothing was measured",
        remedy="name one of them, or add it to the spec's section optimize",
        code="9264",
    )
