"""Imported by every Airflow process of the sandbox: loads what forks need before they are made.

A task runs in a fork of a scheduler's worker. What the scheduler has imported costs the task
nothing; what it has not, every single task imports again. The price: a change of the library is
seen by tasks only after Airflow was started again. So it is with the DAG processor and what DAG files import.
"""

import importlib
import logging
import pkgutil
import sys
from collections.abc import Iterable

_ALWAYS = (
    "airflow.sdk",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
)
_FOR_TASKS = (
    "httptools",
    "azure.identity",
    "azure.storage.blob",
    "boto3",
    "botocore.httpsession",
    "duckdb",
    "google.cloud.storage",
    "great_expectations",
    "matplotlib.figure",
    "pandas",
    "psycopg",
    "pyarrow.parquet",
    "airflow.providers.standard.operators.hitl",
)
_FOR_SWITCHES = (
    "airflow.api_fastapi.execution_api.app",
    "heavylift.cutover.pauses",
    "heavylift.switching.parts",
    "heavylift.spec",
    "psycopg",
)
# What DAG files import: each is read in a fork of its own, again and again.
_FOR_DAGS = ("heavylift.spec", "heavylift_airflow.phases")
# What only a shell or the API server uses.
_NOT_FOR_TASKS = ("heavylift.__main__", "heavylift.cli", "heavylift_airflow.ui")


def _load(names: Iterable[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            # The task that needs it fails with a message of its own.
            logging.getLogger(__name__).warning("could not load %s before forking", name)


def _all_of(*packages: str) -> list[str]:
    found = list(packages)
    _load(found)
    for package in [sys.modules[name] for name in found if name in sys.modules]:
        walked = pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=lambda _name: None)
        found += [module.name for module in walked if not module.name.startswith(_NOT_FOR_TASKS)]
    return found


if "scheduler" in sys.argv:
    _load([*_ALWAYS, *_FOR_TASKS, *_all_of("heavylift", "heavylift_airflow")])
elif "triggerer" in sys.argv:
    # What ends a pause of writes must not spend it on imports.
    _load([*_ALWAYS, *_FOR_SWITCHES])
elif "dag-processor" in sys.argv:
    _load([*_ALWAYS, *_all_of(*_FOR_DAGS)])
