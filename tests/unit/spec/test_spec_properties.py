"""Properties: what is written is read again, and no file of any kind breaks the reader."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from heavylift.spec import MigrationSpec, load_files, load_spec, load_specs, spec_digest
from heavylift.spec.gx_types import EXPECTATION_TYPES
from heavylift.spec.schema import spec_schema
from tests.unit.spec.samples import MINIMAL, minimal

MIB, GIB = 2**20, 2**30
PUBLISHED = Draft202012Validator(spec_schema())
names = st.text(alphabet="ab01", min_size=1, max_size=20)
connections = st.text(alphabet="abAB01_", min_size=1, max_size=20)
words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs", "S"]), max_size=30).filter(
    lambda text: "://" not in text and "=" not in text and "-----" not in text
)
prefixes = st.lists(st.text(alphabet="abc 12+%#?é-", min_size=1, max_size=6), max_size=3).map("/".join)
flags = st.booleans()


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


limits = optional(
    max_bandwidth=st.integers(1024, 2**40),
    max_requests=st.one_of(st.integers(1, 10**6), st.sampled_from(["500/s", "1/s"])),
    max_tasks=st.integers(1, 1000),
    windows=st.lists(
        st.sampled_from(["Sat-Sun", "22:00-06:00 Europe/Berlin", "Mon 00:00-24:00"]), max_size=3
    ),
    max_concurrency=st.integers(1, 1024),
    shard_objects=st.integers(1, 10**6),
    shard_size=st.integers(GIB, 100 * GIB),
    part_size=st.integers(5 * MIB, 64 * MIB),
    memory_budget=st.integers(128 * MIB, GIB),
)
expectations = st.fixed_dictionaries(
    {
        "type": st.sampled_from(sorted(EXPECTATION_TYPES)),
        "kwargs": st.dictionaries(
            st.sampled_from(["column", "min_value", "value_set", "mostly"]),
            st.one_of(st.integers(), st.booleans(), st.none(), words, st.lists(words, max_size=3)),
        ),
    }
)
tables = st.fixed_dictionaries(
    {"format": st.sampled_from(["parquet", "csv"]), "path": st.sampled_from(["*.csv", "**/[a-z]?.parquet"])},
    optional={
        "suite": st.lists(expectations, max_size=3),
        "sample_rows": st.integers(1, 10**9),
        "compare": optional(
            rows=flags, columns=st.sampled_from(["profile", "none"]), tolerance=st.floats(0, 1)
        ),
    },
)
verifies = st.one_of(
    st.sampled_from(["full", "sample"]),
    st.fixed_dictionaries(
        {"mode": st.just("sample")},
        optional={
            "method": st.sampled_from(["provider", "read_back"]),
            "sample": optional(objects=st.integers(1, 10**8), confidence=st.floats(0.51, 0.999)),
        },
    ),
)


@st.composite
def datasets(draw: st.DrawFn, index: int) -> dict[str, Any]:
    place = f"{draw(prefixes)}/{index}/"
    target: Any = f"gs://bucket-{index}/{place}"
    if draw(flags):
        target = {"url": target, "connection": draw(connections)}
    rows = draw(st.lists(tables, max_size=2))
    return {
        "name": f"set-{index}",
        "source": f"s3://bucket/{place}",
        "target": target,
        "expectations": [{**table, "name": f"table-{number}"} for number, table in enumerate(rows)],
        **draw(
            optional(
                description=words,
                include=st.lists(st.sampled_from(["*", "**/*.csv", "a?[b-d]"]), max_size=3),
                on_conflict=st.sampled_from(["fail", "skip", "overwrite"]),
                on_unholdable_key=st.sampled_from(["fail", "skip"]),
                deletes=st.just("keep"),
                metadata=optional(content_headers=flags, user_metadata=flags, tags=flags),
                limits=limits,
                verify=verifies,
            )
        ),
    }


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 3))
    gates = [
        {
            "name": f"gate-{number}",
            "checks": draw(st.lists(st.sampled_from(["counts_equal", "no_findings"]), min_size=1)),
            **rest,
        }
        for number, rest in enumerate(
            draw(
                st.lists(
                    st.fixed_dictionaries(
                        {"phase": st.sampled_from(["transfer", "sync"])},
                        optional={
                            "max_age": st.integers(60, 10**6),
                            "approval": optional(
                                timeout=st.integers(60, 10**6), assigned_users=st.just(["a", "1"])
                            ),
                        },
                    ),
                    max_size=3,
                )
            )
        )
    ]
    return {
        **minimal(),
        "migration": draw(names),
        "datasets": [draw(datasets(index)) for index in range(count)],
        "gates": gates,
        **draw(
            optional(
                description=words,
                schedule=st.sampled_from(
                    [{"sync": "@daily"}, {"sync": "*/5 1-3 * jan *"}, {"sync": None}, {}]
                ),
                evidence=optional(url=st.just("s3://evidence/here/"), connection=connections),
                defaults=optional(retries=st.integers(0, 50), retry_delay=st.integers(1, 60)),
            )
        ),
    }


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


class _Quoting(yaml.SafeDumper):
    """Quotes all texts: PyYAML, of YAML 1.1, leaves some plain that are numbers to a reader of 1.2 (1e5)."""


_Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@given(specs(), st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_spec_that_is_written_out_is_read_as_the_same(
    folder: Path, data: dict[str, Any], flow: bool
) -> None:
    path = folder / "spec.yaml"
    text = yaml.dump(data, Dumper=_Quoting, allow_unicode=True, default_flow_style=flow)
    path.write_text(text, encoding="utf-8")
    spec = load_spec(path)
    again = folder / "again.yaml"
    again.write_text(yaml.dump(spec.model_dump(mode="json"), Dumper=_Quoting), encoding="utf-8")
    read = load_spec(again)
    assert read == spec
    assert spec_digest(read) == spec_digest(spec)
    assert MigrationSpec.model_validate(spec.model_dump()) == spec


@given(specs())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_right_is_right_by_the_published_schema_too(data: dict[str, Any]) -> None:
    assert not list(PUBLISHED.iter_errors(data))


def read_anything(path: Path) -> None:
    """Read a file that may hold anything; the only error is ours, and it can be shown."""
    found = load_files([path])
    assert len(found.valid) + len(found.broken) == 1
    for error in found.broken:
        assert error.problems
        assert str(error).endswith("]")
        json.dumps(error.attrs())


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(folder: Path, raw: bytes) -> None:
    path = folder / "raw.yaml"
    path.write_bytes(raw)
    read_anything(path)


yamlish = st.text(alphabet="ab:- \n{}[]&*!|>'\"#,?%@`<\t1.~", max_size=60)


@given(yamlish, st.integers(0, len(MINIMAL)))
@settings(max_examples=150, deadline=None)
def test_any_text_put_into_a_spec_is_read_or_refused(folder: Path, text: str, place: int) -> None:
    path = folder / "text.yaml"
    path.write_text(MINIMAL[:place] + text + MINIMAL[place:], encoding="utf-8")
    read_anything(path)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def places_in(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in ``data``."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, inner in entries for place in places_in(inner, (*path, key)))]


@given(specs(), st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_in_the_place_of_any_other_is_read_or_refused(
    folder: Path, data: dict[str, Any], draws: st.DataObject
) -> None:
    place = draws.draw(st.sampled_from([path for path in places_in(data) if path]))
    broken = copy.deepcopy(data)
    inner: Any = broken
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = draws.draw(values)
    path = folder / "broken.yaml"
    path.write_text(yaml.safe_dump(broken, allow_unicode=True), encoding="utf-8")
    read_anything(path)


@given(st.lists(st.sampled_from(["right", "wrong", "same", "noise"]), max_size=6))
@settings(max_examples=40, deadline=None)
def test_every_file_of_a_directory_is_counted_once(kinds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        for index, kind in enumerate(kinds):
            migration = "same" if kind == "same" else f"m{index}"
            text = MINIMAL.replace("fraud-scoring", migration) + ("x: 1\n" if kind == "wrong" else "")
            suffix = "txt" if kind == "noise" else "yaml"
            Path(name, f"{index}.{suffix}").write_text(text, encoding="utf-8")
        found = load_specs(name)
    same = kinds.count("same")
    assert len(found.valid) == kinds.count("right") + min(same, 1)
    assert len(found.broken) == kinds.count("wrong") + max(same - 1, 0)
