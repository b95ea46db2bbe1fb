"""Great Expectations suites: checked before data is read, then run on one side's rows.

Great Expectations takes seconds and some 350 MB to import, so this is done only where a table
has a suite. Its context lives in memory: nothing is written, sent or shown.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from heavylift.errors import SpecError
from heavylift.evidence.records import ExpectationOutcome
from heavylift.spec.expectations import Expectation, TableExpectations
from heavylift.spec.gx_types import EXPECTATION_TYPES
from heavylift.spec.suggest import nearest
from heavylift.spec.vocabulary import TableFormat

_ROWS_ONLY = {"expect_table_row_count_to_be_between", "expect_table_row_count_to_equal"}
_NEEDS_ALL_ROWS = {"expect_column_values_to_be_increasing", "expect_column_values_to_be_decreasing"}
_COLUMN_KEYS = ("column", "column_A", "column_B")
_LONGEST_OBSERVATION = 500


@dataclass(frozen=True)
class BuiltExpectation:
    """An expectation of the spec and what Great Expectations made of it."""

    spec: Expectation
    built: Any


def build_suite(dataset: str, table: TableExpectations) -> tuple[BuiltExpectation, ...]:
    """Return the table's expectations, ready to run; nothing is imported for an empty suite.

    :raises SpecError: a type is unknown, an argument is missing, wrong or unknown, or an
        expectation on the order of rows is to run on a sample.
    """
    for expectation in table.suite:
        _demand_known(dataset, table, expectation)
    if not table.suite:
        return ()
    with _quiet():
        return tuple(BuiltExpectation(item, _build(dataset, table, item)) for item in table.suite)


def suite_columns(table: TableExpectations) -> set[str] | None:
    """Return the columns that the suite names; None where it is about the whole table."""
    found: set[str] = set()
    for item in table.suite:
        named = [item.kwargs.get(key) for key in _COLUMN_KEYS] + _listed(item.kwargs.get("column_list"))
        names = {name for name in named if isinstance(name, str)}
        if not names and item.type not in _ROWS_ONLY:
            return None
        found |= names
        if "row_condition" in item.kwargs:
            return None
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def run_suite(
    table: str, side: Literal["source", "target"], suite: Sequence[BuiltExpectation], frame: Any
) -> list[ExpectationOutcome]:
    """Run every expectation on the rows; one that cannot be evaluated has failed."""
    if not suite:
        return []
    with _quiet():
        batch = _batch(frame)
        return [_outcome(table, side, item, batch.validate(item.built)) for item in suite]


def judge_rows(name: str, suite: Sequence[Expectation], frame: Any) -> list[ExpectationOutcome]:
    """Judge rows that belong to no dataset by a suite.

    :param name: whose rows they are, for messages.
    :raises SpecError: the suite cannot be read.
    """
    table = TableExpectations(name="golden-inputs", format=TableFormat.PARQUET, path="*", suite=tuple(suite))
    return run_suite(table.name, "source", build_suite(name, table), frame)


def _demand_known(dataset: str, table: TableExpectations, item: Expectation) -> None:
    what = f"reading the suite of table {table.name!r} of dataset {dataset!r}"
    if item.type not in EXPECTATION_TYPES:
        close = nearest(item.type, EXPECTATION_TYPES)
        raise SpecError(
            what,
            got=f"the expectation {item.type!r}",
            expected="a type that Great Expectations knows for tables of rows",
            state="nothing was read",
            remedy=f"write {close}"
            if close
            else "correct the type; docs/reference/dataset-checks.md lists them",
            code="4301",
        )
    if item.type in _NEEDS_ALL_ROWS and table.sample_rows is not None:
        raise SpecError(
            what,
            got=f"{item.type} together with sample_rows",
            expected="all rows, for a sample has no order",
            state="nothing was read",
            remedy="take sample_rows away, or move the expectation to a table entry of its own without it",
            code="4303",
        )


def _build(dataset: str, table: TableExpectations, item: Expectation) -> Any:
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        built = ExpectationConfiguration(type=item.type, kwargs=dict(item.kwargs)).to_domain_obj()
    except (GreatExpectationsError, ValueError, TypeError) as error:
        raise SpecError(
            f"reading the suite of table {table.name!r} of dataset {dataset!r}",
            got=f"{item.type} with {_reasons(error)}",
            expected="the arguments that Great Expectations documents for it",
            state="nothing was read",
            remedy=_argument_hint(item) or "correct the expectation's kwargs in the spec",
            code="4302",
        ) from error
    return built


def _reasons(error: Exception) -> str:
    details = error.errors() if hasattr(error, "errors") else []
    named = [": ".join([*_field_of(found["loc"]), str(found["msg"])]) for found in details]
    return "; ".join(named) or (str(error).splitlines() or [type(error).__name__])[0]


def _field_of(place: tuple[Any, ...]) -> list[str]:
    """Return the argument's name; what concerns several arguments together has none."""
    return [] if place == ("__root__",) else [".".join(str(part) for part in place)]


def _argument_hint(item: Expectation) -> str:
    from great_expectations.expectations.registry import get_expectation_impl

    known = set(get_expectation_impl(item.type).__fields__)
    hints = [
        f"write {close} instead of {name}"
        for name in sorted(set(item.kwargs) - known)
        if (close := nearest(name, known))
    ]
    return "; ".join(hints)


def _batch(frame: Any) -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})


def _outcome(
    table: str, side: Literal["source", "target"], item: BuiltExpectation, result: Any
) -> ExpectationOutcome:
    return ExpectationOutcome(
        side=side,
        expectation=f"{table}: {item.spec.type}",
        kwargs=dict(item.spec.kwargs),
        passed=bool(result.success),
        observed=observed_text(result.result, result.exception_info)[:_LONGEST_OBSERVATION],
    )


def observed_text(result: dict[str, Any], exceptions: dict[str, Any]) -> str:
    """Return what was observed: a figure, a count, or why there is none; never the rows' values."""
    if "unexpected_count" in result:
        share = result.get("unexpected_percent")
        text = f"{result['unexpected_count']} of {result['element_count']} values unexpected"
        return f"{text} ({share:.4g} %)" if result["unexpected_count"] and share is not None else text
    if "observed_value" in result:
        return str(_plain(result["observed_value"]))
    messages = [found["exception_message"] for found in _raised(exceptions)]
    return f"could not be evaluated: {messages[0]}" if messages else ""


def _raised(exceptions: dict[str, Any]) -> list[dict[str, Any]]:
    """Great Expectations gives one such mapping, or one for each metric that failed."""
    candidates = [exceptions, *exceptions.values()]
    return [found for found in candidates if isinstance(found, dict) and found.get("exception_message")]


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings about Great Expectations' own code from whoever runs a check."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
