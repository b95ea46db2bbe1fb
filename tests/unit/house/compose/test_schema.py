"""docker-compose.yaml is a Compose file, and its variables are explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.unit.house.compose import compose_file
from tests.unit.house.compose.compose_file import (
    MissingVariableError,
    example_settings,
    interpolated,
    variables,
)

SCHEMA = json.loads(Path(__file__).with_name("compose-spec.json").read_text(encoding="utf-8"))


def problems(document: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_file_keeps_the_schema(compose: dict[str, Any]) -> None:
    assert problems(compose) == []


@pytest.mark.parametrize(
    "slip", [{"heathcheck": {}}, {"ports": "8080"}, {"depends_on": {"x": {"condition": "healthy"}}}]
)
def test_the_schema_sees_a_slip(compose: dict[str, Any], slip: dict[str, Any]) -> None:
    services = {**compose["services"], "redis": {**compose["services"]["redis"], **slip}}
    assert problems({**compose, "services": services})


def test_a_missing_required_variable_stops_compose_with_an_explanation() -> None:
    required = {it.name: it.explanation for it in variables() if it.default is None}
    assert required, "nothing is required"
    for name, explanation in required.items():
        settings = {**example_settings()[0], name: ""}
        with pytest.raises(MissingVariableError, match=explanation[:20]):
            interpolated(settings)


def test_every_variable_is_in_the_example_and_nothing_else_is() -> None:
    active, shown = example_settings()
    assert {it.name for it in variables()} == set(active) | set(shown)


def test_the_example_sets_exactly_what_is_required() -> None:
    active, _ = example_settings()
    assert set(active) == {it.name for it in variables() if it.default is None}


def test_the_example_shows_the_defaults_of_the_file() -> None:
    _, shown = example_settings()
    differing = {
        it.name: it.default for it in variables() if it.default is not None and shown[it.name] != it.default
    }
    assert not differing


def test_one_variable_has_one_default() -> None:
    uses = {(it.name, it.default) for it in variables()}
    assert len(uses) == len({name for name, _ in uses})


def test_interpolation_is_that_of_compose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("a: '${A:-one} ${B} $${C} $$D'\nb: {c: ['${A:?why}']}\n")
    monkeypatch.setattr(compose_file, "COMPOSE", file)
    assert interpolated({"A": "x", "B": "y"}) == {"a": "x y ${C} $D", "b": {"c": ["x"]}}
    assert [it.name for it in variables()] == ["A", "B", "A"]
