"""The library runs where Airflow is not installed."""

from __future__ import annotations

import pytest

from tests.support.isolated import run_python
from tests.unit.house.modules import LIBRARY, modules_below

MODULES = modules_below(LIBRARY)

# `__main__` runs the command line when imported under that name only, so it can be imported here too.
IMPORT_ALL_WITHOUT_AIRFLOW = """
import importlib, sys, traceback

class NoAirflow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"airflow", "heavylift_airflow", "heavylift_plugin", "sandbox"}:
            raise ModuleNotFoundError(f"{name} is not for the library", name=name)

sys.meta_path.insert(0, NoAirflow())
failures = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException:
        failures[name] = traceback.format_exc(limit=-3)
answer(failures)
"""


@pytest.fixture(scope="module")
def failures() -> dict[str, str]:
    found = run_python(IMPORT_ALL_WITHOUT_AIRFLOW, *MODULES)
    assert isinstance(found, dict)
    return found


def test_the_block_bites() -> None:
    found = run_python(IMPORT_ALL_WITHOUT_AIRFLOW, "airflow", "heavylift.errors")
    assert list(found) == ["airflow"]


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_without_airflow(module: str, failures: dict[str, str]) -> None:
    assert module not in failures, failures[module]
