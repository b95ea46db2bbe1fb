"""The form that Airflow shows when a person triggers a run."""

from __future__ import annotations

from airflow.sdk import Param

from heavylift.spec import Phase
from heavylift_airflow.context import ALLOW_MANY_DELETES, BANDWIDTH_LIMIT, DRY_RUN, SHARD_OBJECTS

# The pattern lets an emptied field through: the form sends it as an empty text.
_RATE_PATTERN = r"^$|^[0-9]+(\.[0-9]+)? ?(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)/s$"


def form_params(phase: Phase | None = None) -> dict[str, Param]:
    """Return the parameters of a run of the transfer or the sync phase."""
    return _movement_params() | (_delete_params() if phase is Phase.SYNC else {})


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
        DRY_RUN: Param(
            False,
            type="boolean",
            title="Dry run",
            section="What to do",
            description="List both sides, look at databases, write the plan; move nothing, open no gate.",
        ),
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
