"""The form that Airflow shows when a person triggers a run."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import Param

from heavylift.spec import Phase
from heavylift_airflow.context import (
    ALLOW_MANY_DELETES,
    BANDWIDTH_LIMIT,
    BRING_BACK,
    COPY_ANEW,
    DRY_RUN,
    SHARD_OBJECTS,
)

# The pattern lets an emptied field through: the form sends it as an empty text.
_RATE_PATTERN = r"^$|^[0-9]+(\.[0-9]+)? ?(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)/s$"


def form_params(phase: Phase | None = None, *, databases: bool = False) -> dict[str, Param]:
    """Return the parameters of a run of the transfer or the sync phase.

    :param databases: the migration has some.
    """
    params = _movement_params()
    if phase is Phase.SYNC:
        params |= _delete_params()
    return params | (_database_params() if databases and phase is Phase.TRANSFER else {})


def way_back_params(registries: Sequence[str]) -> dict[str, Param]:
    """Return the parameter that names the registries which go back in a run; none where none can.

    :param registries: those that can.
    """
    if not registries:
        return {}
    names = list(registries)
    param = Param(
        [],
        type="array",
        items={"type": "string", "enum": names},
        examples=names,
        title="Bring back",
        section="What to do",
        description="After a switch: registries whose changes on the target go back in this run.",
    )
    return {BRING_BACK: param}


def dry_run_param(description: str) -> dict[str, Param]:
    """Return the parameter that makes a run look and do nothing."""
    return {
        DRY_RUN: Param(False, type="boolean", title="Dry run", section="What to do", description=description)
    }


def _database_params() -> dict[str, Param]:
    return {
        COPY_ANEW: Param(
            False,
            type="boolean",
            title="Copy databases anew",
            section="What to do",
            description="Give up earlier streams and the rows that they brought to the target, and begin"
            " again: for a stream that is invalid.",
        ),
    }


def _delete_params() -> dict[str, Param]:
    return {
        ALLOW_MANY_DELETES: Param(
            False,
            type="boolean",
            title="Allow many deletions",
            section="What to do",
            description="Let this run delete what delete_brake would refuse. Look at a dry run first.",
        ),
    }


def _movement_params() -> dict[str, Param]:
    return {
        **dry_run_param("List both sides, look at databases, write the plan; move nothing, open no gate."),
        BANDWIDTH_LIMIT: Param(
            None,
            type=["null", "string"],
            pattern=_RATE_PATTERN,
            title="Bandwidth limit",
            section="Limits of this run",
            description="Most bytes a second of each dataset, such as 200MiB/s. Empty: the spec's limit.",
        ),
        SHARD_OBJECTS: Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=1_000_000,
            title="Shard size (objects)",
            section="Limits of this run",
            description="Most objects that one mapped copy task moves. Empty: the spec's shard size.",
        ),
    }
