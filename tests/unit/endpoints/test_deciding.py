"""From spec and source to what is wanted: taken over, mapped, missing, left behind, and no secret carried."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.endpoints.deciding import decide, judged
from heavylift.endpoints.smoke import unlike
from heavylift.endpoints.source import SourceDeployment, SourceEndpoint, in_percent, split_variables
from heavylift.errors import SpecError
from heavylift.spec.sections_endpoints import Endpoint

_MODEL = {"artifact": "gs://m/1/"}
_SOURCE = SourceEndpoint(
    "aws",
    (
        SourceDeployment("AllTraffic", "ml.g5.xlarge", 2, 4, 100, 8080, "/invocations", "/ping", {"A": "1"}),
        SourceDeployment("Old", "ml.m5.large", 1, 1, 0),
    ),
)


def endpoint(*deployments: dict[str, Any], kind: str = "vertex", **more: Any) -> Endpoint:
    target = {"kind": kind, "connection": "t", "endpoint": "score"}
    source = {"kind": "sagemaker", "connection": "s", "endpoint": "score"}
    given = {"name": "score", "source": source, "target": target, "deployments": list(deployments), **more}
    return Endpoint.model_validate(given)


def test_what_the_spec_does_not_say_comes_from_the_source_and_the_map_of_accelerators() -> None:
    asked = endpoint({"name": "blue", "source": "AllTraffic", "model": _MODEL, "image": "i"})
    [found] = decide("m", asked, _SOURCE, "europe-west4").wanted.deployments
    assert found.machine.startswith("g2-standard")
    assert (found.accelerator, found.accelerators) == ("NVIDIA_L4", 1)
    assert (found.min_replicas, found.max_replicas, found.traffic) == (2, 4, 100)
    assert (found.predict_route, found.health_route, found.port) == ("/invocations", "/ping", 8080)
    assert found.variables == {"A": "1"}


def test_what_nobody_tells_is_named_all_at_once() -> None:
    asked = endpoint({"name": "blue", "source": "Nowhere", "model": _MODEL})
    with pytest.raises(SpecError) as told:
        decide("m", asked, _SOURCE, "x")
    for word in ("no Nowhere on the source", "no machine", "no min_replicas", "no traffic", "no image"):
        assert word in told.value.got


def test_a_machine_without_accelerator_has_no_place_in_the_map() -> None:
    asked = endpoint({"name": "blue", "source": "Old", "model": _MODEL, "image": "i", "traffic": 100})
    with pytest.raises(SpecError, match=r"none for ml\.m5\.large"):
        decide("m", asked, _SOURCE, "x")


def test_a_gap_is_accepted_by_its_name_and_an_acceptance_that_meets_none_is_told() -> None:
    accepted = [{"subject": "blue: variable *", "reason": "r"}, {"subject": "other", "reason": "r"}]
    asked = endpoint({"name": "blue", "model": _MODEL, "image": "i"}, accept_untranslated=accepted)
    _kept, gaps = split_variables("blue", {"API_KEY": "whatever", "LEVEL": "info"})
    found, unused = judged(asked, gaps)
    assert [(each.subject, each.accepted) for each in found] == [("score: blue: variable API_KEY", "r")]
    assert unused == ["score: other"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("DB_PASSWORD", "x"), ("URL", "https://a:b@c/d"), ("X", "AKIA" + "A" * 16)],
)
def test_a_variable_that_looks_like_a_secret_is_neither_carried_nor_shown(name: str, value: str) -> None:
    kept, [gap] = split_variables("blue", {name: value})
    assert kept == {}
    assert value not in gap.model_dump_json().replace(name, "")


def test_a_source_deployment_with_traffic_that_nothing_stands_for_is_told() -> None:
    source = SourceEndpoint("aws", (*_SOURCE.deployments, SourceDeployment("New", traffic=10)))
    asked = endpoint({"name": "blue", "source": "AllTraffic", "model": _MODEL, "image": "i"})
    assert [each.subject for each in decide("m", asked, source, "x").gaps] == ["New: deployment"]


@pytest.mark.parametrize(
    ("weights", "percents"),
    [({"a": 1.0, "b": 2.0}, {"a": 33, "b": 67}), ({"a": 0.0}, {"a": 0}), ({"a": 7.0}, {"a": 100})],
)
def test_weights_are_percents_that_make_a_hundred(
    weights: dict[str, float], percents: dict[str, int]
) -> None:
    assert in_percent(weights) == percents


@pytest.mark.parametrize(
    ("expected", "answer", "where"),
    [
        ({"p": [1.0, 2]}, {"p": [1.0000001, 2], "more": 1}, None),
        ({"p": [1.0]}, {"p": [1.1]}, "$.p[0]"),
        ({"p": [1]}, {"p": [1, 2]}, "$.p"),
        ({"p": True}, {"p": 1}, "$.p"),
        ({"p": None}, {}, "$.p"),
        ([{"a": "x"}], [{"a": "y"}], "$[0].a"),
    ],
)
def test_an_answer_is_compared_field_by_field(expected: Any, answer: Any, where: str | None) -> None:
    assert unlike(expected, answer, 1e-6) == where
