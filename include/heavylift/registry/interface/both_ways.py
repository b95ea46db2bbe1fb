"""A move whose things may have gone the other way before: found again there, and marked for the next time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.errors import NotFoundError
from heavylift.registry.interface import names
from heavylift.registry.interface.experiments import SORT, all_experiments
from heavylift.registry.interface.merging import united
from heavylift.registry.interface.names import tags_of
from heavylift.registry.rest.returning import Marks, look_both_ways

if TYPE_CHECKING:
    from heavylift.registry.interface.context import Context
    from heavylift.registry.requests import RegistryRequest

_RESTORE = "api/2.0/mlflow/experiments/restore"
_SET_TAG = "api/2.0/mlflow/experiments/set-experiment-tag"


async def see_both_ways(request: RegistryRequest, context: Context) -> None:
    """Let the move know things that have gone the other way before.

    :raises NotFoundError: a way back of what has never gone there.
    """
    marks = Marks(request.id, request.id_of_other_way, united)
    there = await look_both_ways(context.source, context.target, marks, back=request.is_back)
    if request.is_back and not there:
        raise _never_went(request)
    context.both_ways = there
    if there:
        await _mark_experiments(context, marks)


async def _mark_experiments(context: Context, marks: Marks) -> None:
    """Mark the target's experiments that have a copy on the source: by these a later move sees the way.

    What is in them needs no marks, for its copies have them.
    """
    lens, context.target.lens = context.target.lens, None
    found = [each async for each in all_experiments(context.target)]
    context.target.lens = lens
    for each in found:
        tags = marks.copies.get(("experiment", str(each["experiment_id"])), {})
        there = tags_of(each.get("tags"))
        marked = there.get(names.REGISTRY) == marks.ours
        if marked or not tags or tags[names.ID] in marks.asleep:
            # One that is asleep on the source stays so: what comes into it is found without its mark, too.
            continue
        if each.get("lifecycle_stage") == "deleted":
            await context.target.turn(_RESTORE, {"experiment_id": each["experiment_id"]})
            if context.target.writes:
                context.tally.changed(SORT)
        # The last one says that all are there.
        tags = tags | united(there, tags)
        for key, value in sorted(tags.items(), key=lambda tag: tag[0] == names.REGISTRY):
            body = {"experiment_id": each["experiment_id"], "key": key, "value": value}
            await context.target.write("POST", _SET_TAG, body)


def _never_went(request: RegistryRequest) -> NotFoundError:
    return NotFoundError(
        f"taking registry {request.registry!r} back",
        got=f"no experiment that bears the mark {request.id_of_other_way!r}",
        expected="experiments that were copied there through the interface",
        state="nothing was touched",
        remedy="say the same connections, --name and --migration as the copy had, in the same order, and"
        " --back; what was copied at store level goes back by registry switch",
        code="9587",
    )
