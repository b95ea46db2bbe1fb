"""What is published about the spec is what the code does."""

from __future__ import annotations

import importlib
import json
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from heavylift.spec import SUPPORTED_SECTIONS, MigrationSpec, load_spec
from heavylift.spec.fields import key_names
from heavylift.spec.gx_types import EXPECTATION_TYPES
from heavylift.spec.reference import field_rows, fields_as_markdown
from heavylift.spec.schema import spec_schema
from tests.unit.spec.samples import minimal, with_dataset, write

# The models are many, and nobody here changes what is returned.
schema_once = cache(spec_schema)
SQL_ONLY = re.compile(r"like_pattern|query_results|other_table")


@pytest.fixture(scope="module")
def reference(repository: Path) -> Path:
    return repository / "docs" / "reference"


def test_the_published_schema_is_that_of_the_models(reference: Path) -> None:
    published = json.loads((reference / "migration.schema.json").read_text(encoding="utf-8"))
    fresh = "run: python -m heavylift spec schema > docs/reference/migration.schema.json"
    assert published == json.loads(json.dumps(schema_once())), fresh


def test_the_published_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema_once())


def test_every_property_of_the_schema_is_described() -> None:
    schema = schema_once()
    for name, model in {"": schema, **schema["$defs"]}.items():
        for key, field in model.get("properties", {}).items():
            told = field.get("description") or schema["$defs"][field["$ref"].split("/")[-1]]["description"]
            assert told, f"{name}.{key}"


def test_a_section_of_a_later_version_says_so_in_the_schema() -> None:
    for section, supported in SUPPORTED_SECTIONS.items():
        described = schema_once()["properties"][section]["description"]
        assert described.startswith("Understood, but not yet supported") is not supported


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({}, True),
        ({"x-mine": {"anything": 1}}, True),
        ({"nonsense": 1}, False),
        ({"apiVersion": "heavylift/v2"}, False),
        ({"migration": "Not A Name"}, False),
        ({"owner": None}, False),
        ({"defaults": {"limits": {"part_size": "64MiB"}}}, True),
        ({"defaults": {"limits": {"part_size": 67108864}}}, True),
        ({"defaults": {"limits": {"part_size": "64Mb"}}}, False),
        ({"defaults": {"retry_delay": "1h30m"}}, True),
        ({"defaults": {"retry_delay": "1 hour"}}, False),
    ],
)
def test_editors_see_the_form_of_a_spec(change: dict[str, Any], right: bool) -> None:
    found = list(Draft202012Validator(schema_once()).iter_errors({**minimal(), **change}))
    assert (not found) is right


def test_editors_see_both_ways_of_writing_a_place_and_a_verification() -> None:
    validator = Draft202012Validator(schema_once())
    for fields in (
        {"source": {"url": "s3://fraud/training/", "connection": "mine"}},
        {"verify": "sample"},
        {"verify": {"mode": "sample", "sample": {"objects": 5}}},
    ):
        assert not list(validator.iter_errors(yaml.safe_load(with_dataset(**fields))))
    assert list(validator.iter_errors(yaml.safe_load(with_dataset(verify="some"))))


def test_the_example_is_right_for_editors_too_and_points_to_the_schema(repository: Path) -> None:
    example = repository / "include" / "migrations" / "fraud-scoring.yaml"
    text = example.read_text(encoding="utf-8")
    assert not list(Draft202012Validator(schema_once()).iter_errors(yaml.safe_load(text)))
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    schema = repository / "docs" / "reference" / "migration.schema.json"
    assert (example.parent / named[1]).resolve() == schema


def test_the_page_lists_every_field(reference: Path) -> None:
    page = (reference / "spec.md").read_text(encoding="utf-8")
    _, marker, tables = page.partition("a test holds it to the models. -->\n\n")
    assert marker
    assert tables == fields_as_markdown(), "replace what follows the marker by: heavylift spec fields"


def test_the_smallest_spec_of_the_page_is_right(reference: Path, tmp_path: Path) -> None:
    page = (reference / "spec.md").read_text(encoding="utf-8")
    [small] = re.findall(r"```yaml\n(apiVersion:.*?)```", page, flags=re.DOTALL)
    assert load_spec(write(tmp_path, small)).migration == "churn-model"


def test_every_field_has_a_meaning_and_every_row_four_cells() -> None:
    rows = list(field_rows())
    assert {row.name for row in rows} >= set(key_names(MigrationSpec))
    assert not [row.name for row in rows if not row.meaning or not row.kind]
    for line in fields_as_markdown().splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5


def test_the_expectation_types_are_those_of_the_locked_great_expectations() -> None:
    # In this process, which has it already for the tests of datasets: its import takes seconds.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("great_expectations.expectations.core")
        from great_expectations.expectations.registry import list_registered_expectation_implementations

    wanted = {
        name
        for name in list_registered_expectation_implementations()
        if name.startswith("expect_") and not SQL_ONLY.search(name)
    }
    assert wanted == EXPECTATION_TYPES
