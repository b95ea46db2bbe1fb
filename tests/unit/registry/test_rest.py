"""What is read of a tracking server: fields by name, whole histories, and both sides' differences."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, NotFoundError
from heavylift.platforms.http import Request
from heavylift.registry.rest.client import TrackingServer, _read_error, server_url
from heavylift.registry.rest.comparing import Result
from heavylift.registry.rest.entities import as_moved, fields_of, points_digest
from heavylift.registry.rest.histories import Histories
from heavylift.registry.uris import uri_map

RUN = {
    "info": {"run_id": "1", "artifact_uri": "s3://old/1/artifacts", "end_time": 5},
    "data": {"tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "s3://old/x"}]},
    "inputs": {"dataset_inputs": [{"dataset": {"name": "d", "source": '{"uri": "s3://old/d"}'}}]},
}
MAP = uri_map([("s3://old", "gs://new")])


def test_fields_are_named_by_their_path() -> None:
    names = {"info.run_id", "info.artifact_uri", "info.end_time", "data.tags[a]", "data.tags[b]"}
    assert set(fields_of(RUN)) == {*names, "inputs.dataset_inputs"}


def test_only_columns_that_hold_uris_are_rewritten() -> None:
    ours, theirs = fields_of(as_moved("run", RUN, MAP)), fields_of(RUN)
    assert {name for name in ours if ours[name] != theirs[name]} == {
        "info.artifact_uri",
        "inputs.dataset_inputs",
    }
    arrived = {
        **RUN,
        "info": {**RUN["info"], "artifact_uri": "gs://new/1/artifacts"},
        "inputs": {"dataset_inputs": [{"dataset": {"name": "d", "source": '{"uri": "gs://new/d"}'}}]},
    }
    assert ours == fields_of(arrived)


def test_what_only_looks_like_a_place_stays() -> None:
    texts = {"source": "s3://old/x", "artifact_uri": "s3://old/x"}
    plain = {"dataset_inputs": [{"dataset": {"source": "s3://old/x"}, "tags": [{"key": "a", "value": "b"}]}]}
    trace = {"trace_metadata": texts, "assessments": [{"metadata": texts}], "tags": {"team": "s3://old/x"}}
    for kind, thing in (
        ("run", {"inputs": plain, "data": {"params": [{"key": "source", "value": "s3://old/x"}]}}),
        ("registered model", texts),
        ("trace", {**trace, "tags": {}}),
        ("evaluation dataset", {"tags": texts}),
    ):
        assert fields_of(as_moved(kind, thing, MAP)) == fields_of(thing)
    # The column holds every tag of a trace, and the mover rewrites the column.
    assert as_moved("trace", trace, MAP)["tags"] == {"team": "gs://new/x"}


def test_an_order_that_means_nothing_is_no_difference() -> None:
    one = {
        "inputs": [{"name": "a"}, {"name": "b"}],
        "tags": [{"key": "x", "value": 1}, {"key": "y", "value": 2}],
    }
    other = {name: value[::-1] for name, value in one.items()}
    assert fields_of(one) == fields_of(other)


def test_a_point_that_is_there_twice_counts_twice() -> None:
    point = {"key": "m", "value": 1.0, "timestamp": 3, "step": 1}
    assert points_digest([point]) != points_digest([point, point])
    assert points_digest([{**point, "value": "NaN"}]) != points_digest([point])
    assert points_digest([{"timestamp": 3, "step": 1}]) == points_digest([{**point, "value": 0.0}])


def test_differences_name_ids_and_fields_and_add_up() -> None:
    result = Result()
    source = {"1": {"a": b"1", "b": b"2"}, "2": {"a": b"1"}, "3": {"a": b"1"}}
    target = {"1": {"a": b"1", "b": b"3", "c": b"4"}, "3": {"a": b"1"}, "4": {"a": b"1"}}
    assert result.compare("run", source, target) == ["1", "3"]
    (count,) = result.compared()
    assert (count.source, count.target) == (3, 3)
    assert count.source == count.equal + count.different + count.missing
    assert count.target == count.equal + count.different + count.extra
    assert [(each.id, each.kind, each.fields) for each in result.differences] == [
        ("1", "different", ("b", "c")),
        ("2", "missing", ()),
        ("4", "extra", ()),
    ]


class Points:
    """A server that has so many points of each run's metric, and sends at most 25,000 at once."""

    def __init__(self, points: Mapping[str, int], *, bulk: bool = True) -> None:
        self.points, self.bulk = points, bulk
        self.asked: list[str] = []

    async def get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(path)
        if not self.bulk:
            raise NotFoundError("asking")
        found = [point for run in query["run_id"] for point in self._of(run)]
        return {"metrics": found[: query["max_results"]]}

    async def pages(
        self, path: str, _field: str, query: Mapping[str, Any]
    ) -> AsyncIterator[list[dict[str, Any]]]:
        self.asked.append(path)
        found = self._of(query["run_id"])
        for start in range(0, len(found), query["max_results"]):
            yield found[start : start + query["max_results"]]

    def _of(self, run: str) -> list[dict[str, Any]]:
        return [{"run_id": run, "value": 1.0, "step": n, "timestamp": n} for n in range(self.points[run])]


async def read(server: Points) -> dict[str, int]:
    histories = Histories(cast("TrackingServer", server))
    return {run: count async for run, _, (count, _) in histories.of(dict.fromkeys(server.points, ("m",)))}


@pytest.mark.parametrize(
    "points",
    [{"a": 3, "b": 0}, {"a": 12_500, "b": 12_500}, {"a": 25_000, "b": 1}, {"a": 60_000, "b": 2, "c": 9}],
)
async def test_histories_are_whole_although_answers_are_cut_off(points: dict[str, int]) -> None:
    assert await read(Points(points)) == points


async def test_a_server_without_the_route_for_many_runs() -> None:
    server = Points({"a": 3, "b": 4, "c": 5}, bulk=False)
    assert await read(server) == server.points
    assert [path.rpartition("/")[2] for path in server.asked] == ["get-history-bulk"] + ["get-history"] * 3


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        (Connection("a", "mlflow", host="https://mlflow.example/"), "https://mlflow.example"),
        (Connection("a", "http", host="mlflow", port=5000), "http://mlflow:5000"),
        (Connection("a", "http", host="mlflow", schema="https"), "https://mlflow"),
    ],
)
def test_where_a_server_is(connection: Connection, url: str) -> None:
    assert server_url(connection) == url


def test_a_connection_of_another_kind() -> None:
    with pytest.raises(ConnectionConfigError, match="HL-7141"):
        server_url(Connection("a", "postgres", host="h"))


def test_what_is_not_mlflow_is_told_from_a_thing_that_is_not_there() -> None:
    request = Request("GET", "http://x/api", "GET api on there", {})
    told = _read_error(request, 404, {}, b"<h1>Not Found</h1>")
    assert isinstance(told, NotFoundError)
    assert (told.code, "address of a tracking server" in told.remedy) == ("9561", True)
    gone = _read_error(request, 404, {}, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}')
    assert isinstance(gone, NotFoundError)
    assert gone.code != "9561"
    assert _read_error(request, 502, {}, b"<h1>Bad Gateway</h1>") is None
