"""Imported by every Airflow process of the sandbox: loads what tasks need before the scheduler forks.

A task runs in a fork of a scheduler's worker. What the scheduler has imported costs the task
nothing; what it has not, every single task imports again.
"""

import importlib
import logging
import sys

_ALWAYS = (
    "airflow.sdk",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
)
_FOR_TASKS = (
    "aiohttp",
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
    "heavylift_airflow",
)


def _load(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            # The task that needs it fails with a message of its own.
            logging.getLogger(__name__).warning("could not load %s before forking", name)


if "scheduler" in sys.argv:
    _load(_ALWAYS + _FOR_TASKS)
elif "dag-processor" in sys.argv:
    _load(_ALWAYS)
