"""The DAGs of the two phases that move data: transfer, once, and sync, again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, CronTriggerTimetable

from heavylift.spec import LoadedSpec, MigrationSpec, Phase
from heavylift.spec.registry_phase import spec_for
from heavylift_airflow.callbacks import tell_failure, tell_retry, tell_success
from heavylift_airflow.notifying import deadlines_of
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.compliance import add_compliance
from heavylift_airflow.phases.databases import add_database
from heavylift_airflow.phases.envelopes import add_envelope
from heavylift_airflow.phases.form import form_params
from heavylift_airflow.phases.parts import Parts
from heavylift_airflow.phases.runbook import dag_document
from heavylift_airflow.phases.streams import add_stream
from heavylift_airflow.retry import HeavyliftRetryPolicy

_RIVALS = {Phase.TRANSFER: Phase.SYNC, Phase.SYNC: Phase.TRANSFER}
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def movement_dag(loaded: LoadedSpec, phase: Phase) -> DAG | None:
    """Return the DAG of ``phase`` for one spec, or None where it has nothing to move."""
    spec = loaded.spec
    if not (spec.datasets or spec.databases or spec.streams):
        return None
    with DAG(
        dag_id=spec.dag_id(phase),
        schedule=_schedule(spec, phase),
        # A sync moves data unasked, so somebody has to switch it on.
        is_paused_upon_creation=True if phase is Phase.SYNC else None,
        params=form_params(phase, databases=bool(spec.databases)),
        **dag_settings(spec_for(spec, phase), phase, loaded.path),
    ) as dag:
        _build(loaded, phase)
    return dag


def _schedule(spec: MigrationSpec, phase: Phase) -> CronTriggerTimetable | list[Asset] | None:
    if phase is Phase.TRANSFER and any(dataset.appliance for dataset in spec.datasets):
        # What devices brought is reconciled: now the rest follows online.
        return [phase_asset(spec.migration, Phase.APPLIANCE)]
    return cron_of(spec.schedule.sync) if phase is Phase.SYNC else None


def cron_of(schedule: str | None) -> CronTriggerTimetable | None:
    """Return the timetable of a schedule in the spec; None where runs are started by hand."""
    return CronTriggerTimetable(schedule, timezone="UTC") if schedule is not None else None


def dag_settings(spec: MigrationSpec, phase: Phase, path: Path) -> dict[str, Any]:
    """Return the settings that the DAGs of all phases have in common.

    :param spec: as the phase sees it.
    :param path: of the spec's file.
    """
    return {
        "deadline": deadlines_of(spec, phase, str(path.absolute())) or None,
        "description": spec.description.strip().split("\n")[0] or None,
        "doc_md": dag_document(spec, phase),
        "start_date": EPOCH,
        "catchup": False,
        "max_active_runs": 1,
        "tags": {f"migration:{spec.migration}", f"phase:{phase.value}"},
        "default_args": default_args(spec),
    }


def default_args(spec: MigrationSpec) -> dict[str, Any]:
    """Return what all tasks of a migration have in common: owner, retries, callbacks."""
    defaults = spec.defaults
    # Only where somebody wants to know: it costs each task a call.
    told: dict[str, Any] = {"on_success_callback": tell_success} if spec.notify else {}
    return {
        **told,
        "owner": spec.owner,
        "retries": defaults.retries,
        "retry_delay": timedelta(seconds=defaults.retry_delay),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(seconds=defaults.max_retry_delay),
        "retry_policy": HeavyliftRetryPolicy(defaults.retry_delay, defaults.max_retry_delay),
        "on_failure_callback": tell_failure,
        "on_retry_callback": tell_retry,
    }


def _build(loaded: LoadedSpec, phase: Phase) -> None:
    """Add all tasks to the DAG that is being defined."""
    spec = spec_for(loaded.spec, phase)
    parts = Parts(spec, str(loaded.path.absolute()), phase)
    begin = BeginRunOperator(
        **parts.arguments("begin_run"),
        rival_dag_id=spec.dag_id(_RIVALS[phase]),
        gives_way=phase is Phase.SYNC,
    )
    first = add_compliance(parts.arguments, phase, begin, spec)
    proved = [parts.dataset(first, dataset) for dataset in spec.datasets]
    proved += [add_database(parts.arguments, phase, first, database) for database in spec.databases]
    proved += [add_stream(parts.arguments, first, stream) for stream in spec.streams]
    proved += [add_envelope(parts.arguments, first, envelope) for envelope in spec.envelopes]
    parts.finish(proved, spec.gates_for(phase))
