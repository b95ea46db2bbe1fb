"""Batches of a run's metrics, parameters and tags: what a server refuses of one does not hold the rest up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heavylift.errors import IncompleteError, PermanentError
from heavylift.registry.interface.names import pairs_of
from heavylift.registry.interface.runs import API
from heavylift.registry.interface.server import WritingServer

_BYTES = 800_000
_SORTS = {"metrics": "metric", "params": "parameter", "tags": "tag"}
MOST_REFUSED = 20
"""From so many on a server refuses something else than single values."""
_SHOWN = 60
_LONG = {"params": 6000, "tags": 5000}
"""No server of MLflow 3 cuts off what is no longer (``mlflow/utils/validation.py``)."""


async def log_batch(
    target: WritingServer, body: Mapping[str, Any], refused: list[str], last: Mapping[str, str] | None = None
) -> None:
    """Log what a body holds; refused items are named in ``refused``, and everything else is logged.

    :param last: tags that say that all of the run is there: written only where nothing was refused.
    :raises PermanentError: the server refuses too many, or something that is no value.
    """
    note = pairs_of(last or {}) if not refused else []
    # More than the server takes at once: long texts one by one.
    large = len(json.dumps(body)) > _BYTES
    if note and not large:
        try:
            await _write(target, {**body, "tags": [*(body.get("tags") or ()), *note]})
        except PermanentError as error:
            demand_plain(error)
        else:
            return
    if len(body) > 1:
        for part in _parts(body) if large else [body]:
            await _log(target, part, refused)
    if note and not refused:
        await _write(target, {"run_id": body["run_id"], "tags": note})


async def _write(target: WritingServer, body: Mapping[str, Any]) -> None:
    await target.write("POST", f"{API}/log-batch", body)


def demand_plain(error: PermanentError) -> None:
    """Raise an error that is about the run, the credentials or the room, and not about a value."""
    if type(error) is not PermanentError:
        raise error


async def _log(target: WritingServer, body: Mapping[str, Any], refused: list[str]) -> None:
    try:
        await _write(target, body)
    except PermanentError as error:
        demand_plain(error)
        if len(refused) >= MOST_REFUSED:
            raise
        items = [(sort, each) for sort in _SORTS for each in body.get(sort) or ()]
        if len(items) > 1:
            for half in (items[: len(items) // 2], items[len(items) // 2 :]):
                await _log(target, {"run_id": body["run_id"], **_by_sort(half)}, refused)
        else:
            refused += [f"{_described(*item)}: {error.got}" for item in items]


Long = Mapping[tuple[str, str], str]


def long_values(params: Mapping[str, str], tags: Mapping[str, str]) -> Long:
    """Return those that a server may cut off without a word, by sort and key."""
    given = (*((("params", key), value) for key, value in params.items()),
             *((("tags", key), value) for key, value in tags.items()))  # fmt: skip
    return {which: value for which, value in given if len(value) > _LONG[which[0]]}


async def cut_off(target: WritingServer, run: str, long: Long) -> list[str]:
    """Read long values back; return what is to be said of those that are others than were sent."""
    if not target.writes:
        return []
    answer = await target.get(f"{API}/get", {"run_id": run})
    data = answer["run"].get("data", {})
    there = {
        (sort, each["key"]): each.get("value") for sort in ("params", "tags") for each in data.get(sort, ())
    }
    return [
        f"{_described(sort, {'key': key, 'value': value})}: cut off there"
        for (sort, key), value in long.items()
        if (sort, key) in there and there[sort, key] != value
    ]


def refused_items(run: str, refused: Sequence[str]) -> IncompleteError:
    """Return the error that names what a server refused of a run."""
    return IncompleteError(
        f"filling run {run}",
        got=f"not taken by the target's server: {'; '.join(refused)}",
        expected="values that it takes",
        state="everything else of the run was written",
        remedy="shorten or mend these values on the source (a store in SQLite takes longer ones than a"
        " server does), or leave them; the next run tries them again",
        code="9557",
    )


def _by_sort(items: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for sort, each in items:
        found.setdefault(sort, []).append(each)
    return found


def _described(sort: str, item: Mapping[str, Any]) -> str:
    """Return what an item is called, and how long it is; values are not shown."""
    key = str(item["key"])
    shown = repr(key if len(key) <= _SHOWN else key[:_SHOWN] + "…")
    if sort == "metrics":
        return f"metric {shown} at step {item.get('step')}, time {item.get('timestamp')}"
    return f"{_SORTS[sort]} {shown} ({len(key):,} characters; its value {len(str(item['value'])):,})"


def described_input(thing: Mapping[str, Any]) -> str:
    """Return which dataset or logged model it is, and how long a dataset's texts are."""
    if "model_id" in thing:
        return f"logged model {thing['model_id']}"
    dataset = thing["dataset"]
    sizes = ", ".join(f"{key} {len(str(each)):,}" for key, each in sorted(dataset.items()) if key != "name")
    name = str(dataset.get("name", ""))
    return f"dataset {name[:_SHOWN]!r} (characters: name {len(name):,}, {sizes})"


def _parts(body: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    run = {"run_id": body["run_id"]}
    if body.get("metrics"):
        yield {**run, "metrics": body["metrics"]}
    for name in ("params", "tags"):
        for each in body.get(name, ()):
            yield {**run, name: [each]}
