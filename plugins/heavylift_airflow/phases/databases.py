"""The tasks of one database in the DAGs that move data: snapshot once, then changes again and again."""

from __future__ import annotations

from airflow.sdk import BaseOperator, TaskGroup

from heavylift.spec import Phase
from heavylift.spec.sections_data import Database
from heavylift_airflow.operators.tables import (
    FORWARD,
    LIVE,
    PreflightTablesOperator,
    SnapshotTablesOperator,
    VerifyTablesOperator,
)
from heavylift_airflow.operators.tables_changes import SyncChangesOperator
from heavylift_airflow.phases.parts import ArgumentsOf


def group_of(database: Database) -> str:
    """Return the task group of a database. No dataset's is called so: their names have no underscore."""
    return f"database_{database.name}"


def add_database(
    arguments: ArgumentsOf, phase: Phase, begin: BaseOperator, database: Database
) -> BaseOperator:
    """Add one database's tasks to the DAG that is being defined, and return the last of them."""
    name = database.name
    with TaskGroup(group_id=group_of(database), tooltip=database.description):
        # After a switch a sync carries changes back, until a rollback or the end.
        direction = LIVE if phase is Phase.SYNC else FORWARD
        verify = VerifyTablesOperator(**arguments("verify_tables"), database=name, direction=direction)
        if phase is Phase.TRANSFER:
            preflight = PreflightTablesOperator(**arguments("preflight_tables"), database=name)
            begin >> preflight
            preflight >> SnapshotTablesOperator(**arguments("snapshot_tables"), database=name) >> verify
        else:
            sync = SyncChangesOperator(**arguments("sync_changes"), database=name, direction=direction)
            begin >> sync >> verify
    return verify
