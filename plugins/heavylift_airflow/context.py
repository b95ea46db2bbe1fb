"""From Airflow's task context to the library's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.errors import SpecError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import RunKey
    from heavylift.spec import MigrationSpec
    from heavylift.spec.vocabulary import Phase

DRY_RUN = "dry_run"
BANDWIDTH_LIMIT = "bandwidth_limit"
SHARD_OBJECTS = "shard_objects"
ALLOW_MANY_DELETES = "allow_many_deletes"
COPY_ANEW = "copy_anew"
DESTROY = "destroy"
REHEARSE = "rehearse"
CONFIRM, EARLY = "confirm", "early"
WITHOUT_TARGET = "without_target"
BRING_BACK = "bring_back"


@dataclass(frozen=True)
class RunOptions:
    """What the person who triggered the run chose in the form."""

    dry_run: bool = False
    bandwidth_bytes_per_second: int | None = None
    shard_objects: int | None = None
    allow_many_deletes: bool = False
    copy_anew: bool = False
    destroy: bool = False
    rehearse: bool = False
    bring_back: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskFrame:
    """All that a task knows of the run it belongs to.

    :param actor: who started the run: a user's name, or ``airflow (scheduled)`` and alike.
    :param attempt: number of this attempt at the task, from 1; grows with retries and clears.
    """

    spec: MigrationSpec
    run: RunKey
    options: RunOptions
    actor: str
    attempt: int
    dag_id: str
    task_id: str

    @property
    def task_actor(self) -> str:
        """The task itself, as the audit trail names it."""
        return f"airflow:{self.dag_id}.{self.task_id}"


def frame_of(context: Context, spec: MigrationSpec, phase: Phase | str) -> TaskFrame:
    """Return the frame of the task that runs now.

    :raises SpecError: a parameter of the trigger form cannot be used.
    """
    options = run_options(context["params"])
    return TaskFrame(
        spec=_on_their_way(spec, options.bring_back) if phase == "registry" else spec,
        run=run_key(spec.migration, phase, context["run_id"]),
        options=options,
        actor=actor_of(context),
        attempt=context["ti"].try_number,
        dag_id=context["ti"].dag_id,
        task_id=context["ti"].task_id,
    )


def run_key(migration: str, phase: Phase | str, run_id: str) -> RunKey:
    """Return the key of an Airflow run; different run ids give different keys."""
    from heavylift.evidence.paths import safe_segment
    from heavylift.evidence.records import RunKey

    return RunKey(migration=migration, phase=str(phase), run=safe_segment(run_id))


def actor_of(context: Context) -> str:
    """Return who started the run."""
    dag_run = context["dag_run"]
    user = getattr(dag_run, "triggering_user_name", None)
    return str(user) if user else f"airflow ({getattr(dag_run.run_type, 'value', dag_run.run_type)})"


def run_options(params: Mapping[str, Any]) -> RunOptions:
    """Return the options of a run; an empty field leaves the spec's limit.

    :raises SpecError: the bandwidth limit is no rate.
    """
    shard_objects = params.get(SHARD_OBJECTS)
    return RunOptions(
        dry_run=bool(params.get(DRY_RUN, False)),
        bandwidth_bytes_per_second=_bandwidth(params.get(BANDWIDTH_LIMIT)),
        shard_objects=int(shard_objects) if shard_objects else None,
        allow_many_deletes=bool(params.get(ALLOW_MANY_DELETES, False)),
        copy_anew=bool(params.get(COPY_ANEW, False)),
        destroy=bool(params.get(DESTROY, False)),
        rehearse=bool(params.get(REHEARSE, False)),
        bring_back=tuple(params.get(BRING_BACK) or ()),
    )


def _on_their_way(spec: MigrationSpec, names: tuple[str, ...]) -> MigrationSpec:
    from heavylift.spec.registry_phase import going_back, may_go_back

    able = [each.name for each in spec.registries if may_go_back(each)]
    unable = sorted(set(names) - set(able))
    if unable:
        raise SpecError(
            f"reading the run's parameter {BRING_BACK}",
            got=", ".join(map(repr, unable)),
            expected=" or ".join(able) or "no registry: none moves through the interface alone",
            state="nothing was moved by this task",
            remedy="start a new run with registries that move through the interface; what goes by databases"
            " flows back by itself once it is switched",
            code="9611",
        )
    return going_back(spec, names)


def _bandwidth(text: str | None) -> int | None:
    if not text:
        return None
    from pydantic_core import PydanticCustomError

    from heavylift.spec.quantities import RATE_EXPECTED, parse_rate

    try:
        return parse_rate(text)
    except PydanticCustomError as error:
        raise SpecError(
            f"reading the run's parameter {BANDWIDTH_LIMIT}",
            got=repr(text),
            expected=RATE_EXPECTED,
            state="nothing was moved by this task",
            remedy="start a new run with a rate, or with an empty field for the spec's own limit",
            code="8002",
        ) from error
