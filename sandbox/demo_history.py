"""An independent look at both tracking servers: their public interface, asked without Heavylift's movers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from heavylift.connections import connection_from_env
from heavylift.spec import MigrationSpec
from heavylift.spec.registry_phase import prefixes_in_spec
from sandbox.http import expect, request

_API = "api/2.0/mlflow"
_PLACES = frozenset({"artifact_uri", "artifact_location", "source", "storage_location"})


@dataclass(frozen=True)
class HistoryLook:
    """What both servers show.

    :param counts: things of each sort on the source.
    :param points: of the metrics' histories that were compared: one metric of each of the newest runs.
    :param different: what is not the same, the first few by name.
    """

    counts: Mapping[str, int]
    points: int
    different: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Both show the same, and there is something to show."""
        return not self.different and all(self.counts.values())

    def __str__(self) -> str:
        things = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        return f"{things}; of metrics, {self.points:,} points of the newest runs"


def look_at(spec: MigrationSpec, environ: Mapping[str, str]) -> HistoryLook:
    """Compare the servers of a spec's only registry."""
    (registry,) = spec.registries
    ends = (registry.source.connection, registry.target.connection)
    source, target = (connection_from_env(name, environ).host or "" for name in ends)
    return look(source, target, dict(prefixes_in_spec(registry)))


def look(source: str, target: str, roots: Mapping[str, str]) -> HistoryLook:
    """Compare two servers.

    :param source: its address, as ``target``.
    :param roots: where the source keeps artifacts, and where the target does.
    """
    ours, theirs = _shown(source), _shown(target)
    different: list[str] = []
    for what, things in ours.items():
        moved = {name: _moved(thing, roots) for name, thing in things.items()}
        there = theirs[what]
        names = sorted({*moved, *there})
        different += [f"{what} {name}" for name in names if moved.get(name) != there.get(name)]
    points = 0
    for run, metric in _histories(ours["runs"]):
        left, right = _points(source, run, metric), _points(target, run, metric)
        points += len(left)
        different += [] if left == right else [f"points of {metric} in run {run}"]
    counts = {what: len(things) for what, things in ours.items()}
    return HistoryLook(counts, points, tuple(different[:5]))


def _shown(server: str) -> dict[str, dict[str, Any]]:
    experiments = {
        each["experiment_id"]: each
        for each in _search(server, "experiments/search", "experiments", view_type="ALL")
    }
    runs = _search(server, "runs/search", "runs", experiment_ids=sorted(experiments), run_view_type="ALL")
    return {
        "experiments": experiments,
        "runs": {each["info"]["run_id"]: _in_order(each) for each in runs},
        "models": {
            each["name"]: each for each in _get(server, "registered-models/search", "registered_models")
        },
        "versions": {
            f"{each['name']}/{each['version']}": each
            for each in _get(server, "model-versions/search", "model_versions")
        },
    }


def _in_order(run: dict[str, Any]) -> dict[str, Any]:
    # A server lists tags, parameters and metrics in no order.
    data = {name: sorted(map(_text, found)) for name, found in run["data"].items()}
    inputs = sorted(map(_text, run.get("inputs", {}).get("dataset_inputs", ())))
    return {"info": run["info"], "data": data, "inputs": inputs}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _moved(thing: Any, roots: Mapping[str, str], name: str = "") -> Any:
    if isinstance(thing, dict):
        return {key: _moved(value, roots, key) for key, value in thing.items()}
    if isinstance(thing, list):
        return [_moved(value, roots, name) for value in thing]
    if isinstance(thing, str):
        for source, target in roots.items():
            if name in _PLACES and f"{thing}/".startswith(f"{source}/"):
                return target + thing[len(source) :]
            thing = thing.replace(f'\\"{source}/', f'\\"{target}/')
    return thing


def _histories(runs: Mapping[str, Any], most: int = 10) -> Iterator[tuple[str, str]]:
    """Yield one metric of each of the newest runs that have one."""
    newest = sorted(runs, key=lambda run: -int(runs[run]["info"].get("start_time", 0)))
    for run in newest[:most]:
        names = [json.loads(each)["key"] for each in runs[run]["data"].get("metrics", ())]
        if names:
            yield run, names[0]


def _points(server: str, run: str, metric: str) -> list[str]:
    query = urlencode({"run_id": run, "metric_key": metric})
    answer = expect(f"{server}/{_API}/metrics/get-history?{query}", timeout=30)
    return sorted(map(_text, json.loads(answer.body).get("metrics", ())))


def _get(server: str, path: str, field: str) -> list[dict[str, Any]]:
    answer = expect(f"{server}/{_API}/{path}?max_results=1000", timeout=30)
    return list(json.loads(answer.body).get(field, ()))


def _search(server: str, path: str, field: str, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        body = {"max_results": 1000, **asked, **({"page_token": token} if token else {})}
        answer = request(
            f"{server}/{_API}/{path}",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body).encode(),
            timeout=30,
        )
        page = json.loads(answer.body)
        found += page.get(field, ())
        token = page.get("next_page_token", "")
        if not token:
            return found
