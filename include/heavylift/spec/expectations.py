"""Checks of tabular data in a dataset: Great Expectations suites and comparison of both sides."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from heavylift.spec.base import Count, Flag, Name, Number, Pattern, SpecModel, Text, wrong
from heavylift.spec.gx_types import EXPECTATION_TYPES
from heavylift.spec.suggest import nearest
from heavylift.spec.vocabulary import CompareColumns, TableFormat


def _check_type(value: str) -> str:
    if value not in EXPECTATION_TYPES:
        close = nearest(value, EXPECTATION_TYPES)
        raise wrong(
            "expectation",
            "the type of a Great Expectations expectation",
            f"perhaps {close} is meant" if close else "",
        )
    return value


class Expectation(SpecModel):
    """One expectation of a suite, as Great Expectations writes it."""

    type: Annotated[str, AfterValidator(_check_type)] = Field(
        description="For example expect_column_values_to_not_be_null."
    )
    kwargs: dict[str, JsonValue] = Field(
        default={}, description="Its arguments: column, min_value, value_set, …"
    )
    name: Text = Field(default="", description="What it means, for the report.")


class Compare(SpecModel):
    """What must be equal on both sides."""

    rows: Flag = Field(default=True, description="The number of rows.")
    columns: CompareColumns = Field(
        default=CompareColumns.PROFILE,
        description="profile: names, types, nulls, distinct values, minimum, maximum, mean; none: nothing.",
    )
    tolerance: Number = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Largest accepted relative difference of a profile's numbers.",
    )


class TableExpectations(SpecModel):
    """One table among a dataset's objects and what is expected of it."""

    name: Name = Field(description="Unique in its dataset.")
    format: TableFormat = Field(description="parquet or csv.")
    path: Pattern = Field(
        description="Keys of the table's files, relative to the dataset's URL, as a pattern."
    )
    suite: tuple[Expectation, ...] = Field(default=(), description="The expectations.")
    suite_file: str | None = Field(
        default=None,
        description="YAML or JSON file with the list of expectations, beside this file or below it.",
    )
    compare: Compare = Field(default=Compare(), description="What must be equal on both sides.")
    sample_rows: Count | None = Field(
        default=None,
        ge=1,
        le=10**12,
        description="Rows that expectations see on each side; all where not set.",
    )
