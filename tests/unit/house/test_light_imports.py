"""Nothing heavy is imported while DAG files are parsed, nor by what a task process imports first.

Every task forks a process that parses its DAG file again, so one heavy import is paid for each task.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.isolated import run_python
from tests.unit.house.modules import INTEGRATION, LIBRARY, dag_files, modules_below

HEAVY = (
    "azure",
    "boto3",
    "confluent_kafka",
    "botocore",
    "duckdb",
    "google.cloud",
    "great_expectations",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
)

# The parts of the library that a DAG file may import: everything but what moves or judges data.
LIGHT_PREFIXES = (
    "heavylift.errors",
    "heavylift.connections",
    "heavylift.locations",
    "heavylift.patterns",
    "heavylift.checksums",
    "heavylift.spec",
    "heavylift.platforms.ports",
    "heavylift.platforms.places",
    "heavylift.platforms.wiring",
)
LIGHT = [
    name
    for name in modules_below(LIBRARY)
    if name in LIGHT_PREFIXES or name.startswith(tuple(f"{prefix}." for prefix in LIGHT_PREFIXES))
]
INTEGRATION_MODULES = modules_below(INTEGRATION)
DAG_FILES = [str(path) for path in dag_files()]

# Blames the module during whose import a heavy one first appeared. What Airflow's own modules pull in is
# loaded first and counted apart: it is there whatever this project does.
IMPORT_EACH = """
import importlib, importlib.util, sys

first, heavy, names = sys.argv[1].split(","), sys.argv[2].split(","), sys.argv[3:]
for name in filter(None, first):
    importlib.import_module(name)

def loaded():
    return {name for name in heavy if name in sys.modules}

def load(name):
    if not name.endswith(".py"):
        importlib.import_module(name)
        return
    spec = importlib.util.spec_from_file_location("dag_file_" + str(abs(hash(name))), name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)

before = loaded()
blame = {"": sorted(before)}
for name in names:
    load(name)
    blame[name] = sorted(loaded() - before)
    before = loaded()
answer(blame)
"""


def heavy_imports(
    names: list[str], env: Mapping[str, str] | None = None, first: str = ""
) -> dict[str, list[str]]:
    found = run_python(IMPORT_EACH, first, ",".join(HEAVY), *names, env=env)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def airflow_env() -> Iterator[dict[str, str]]:
    """A home of its own for the subprocess: parallel runs of Airflow's set-up would collide."""
    with tempfile.TemporaryDirectory() as home:
        yield {"AIRFLOW_HOME": home, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/a.db"}


@pytest.fixture(scope="module")
def library_blame() -> dict[str, list[str]]:
    return heavy_imports(LIGHT)


@pytest.fixture(scope="module")
def integration_blame(airflow_env: dict[str, str]) -> dict[str, list[str]]:
    return heavy_imports([*INTEGRATION_MODULES, *DAG_FILES], airflow_env, first="airflow.sdk")


def test_the_check_sees_a_heavy_import(tmp_path: Path) -> None:
    guilty = tmp_path / "guilty.py"
    guilty.write_text("import duckdb\n")
    innocent = tmp_path / "innocent.py"
    innocent.write_text("import duckdb, json\n")
    blame = heavy_imports([str(guilty), str(innocent)])
    assert "duckdb" in blame[str(guilty)]
    assert blame[str(innocent)] == []


@pytest.mark.parametrize("module", LIGHT)
def test_library_module_is_light(module: str, library_blame: dict[str, list[str]]) -> None:
    assert library_blame[module] == []


@pytest.mark.parametrize("name", [*INTEGRATION_MODULES, *DAG_FILES], ids=os.path.basename)
def test_airflow_module_and_dag_file_are_light(name: str, integration_blame: dict[str, list[str]]) -> None:
    assert integration_blame[name] == []
