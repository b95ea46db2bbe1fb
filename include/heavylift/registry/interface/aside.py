"""Names that experiments have exchanged on the source: one gives way before the other can come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from heavylift.registry.interface.merging import noted
from heavylift.registry.interface.names import tags_of

if TYPE_CHECKING:
    from heavylift.registry.interface.context import Context

_API = "api/2.0/mlflow/experiments"
NAME = "\0name"


def aside_name(registry: str, source_id: str) -> str:
    """Return what an experiment is called while another of the move has its name."""
    return f"heavylift aside: experiment {source_id} of {registry}"


async def make_way(
    context: Context, sources: Iterable[Mapping[str, Any]], taken: dict[str, dict[str, Any]]
) -> None:
    """Rename experiments of ours whose names are another's on the source by now; each gets its own later.

    A name that somebody on the target has given stays. Killed in between, the next run goes on.

    :param taken: the target's experiments by name; kept up to date.
    """
    provenance = context.provenance
    for thing in sources:
        name = str(thing["name"])
        holder = taken.get(name)
        tags = tags_of(holder.get("tags")) if holder else {}
        source_id = provenance.source_id(tags)
        earlier = noted(tags)
        if holder is None or source_id in (None, str(thing["experiment_id"])):
            continue
        if earlier is not None and not earlier.has(NAME, name):
            continue
        await _rename(context, holder, aside_name(provenance.registry, str(source_id)))
        taken[str(holder["name"])] = taken.pop(name)


async def _rename(context: Context, holder: dict[str, Any], name: str) -> None:
    """Rename an experiment; a deleted one takes a name only while it is there again."""
    body = {"experiment_id": holder["experiment_id"]}
    deleted = holder.get("lifecycle_stage") == "deleted"
    if deleted:
        await context.target.turn(f"{_API}/restore", body)
    await context.target.write("POST", f"{_API}/update", {**body, "new_name": name})
    if deleted:
        await context.target.turn(f"{_API}/delete", body)
    holder["name"] = name
