"""A process that runs tasks of a registry one after the other, to be killed.

``python -m tests.support.registry_task SPEC TASK…``; each task's name is printed before it runs, and its
result after. Behind a colon a task may have further arguments, as JSON. The first may be the run's
parameters, as a JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.isolated import REPOSITORY


def start(
    spec: Path, env: dict[str, str], *tasks: str, module: str = "tests.support.registry_task"
) -> subprocess.Popen[str]:
    """Start the process; its output is to be read line by line."""
    paths = ":".join(str(REPOSITORY / each) for each in ("include", "plugins", ""))
    settings = {
        "PYTHONPATH": paths,
        "PATH": "/usr/bin:/bin",
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW_HOME": str(spec.parent / "airflow"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    return subprocess.Popen(
        [sys.executable, "-m", module, str(spec), *tasks],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
        env={**env, **settings},
    )


def main(spec: str, *tasks: str) -> None:
    """Run the tasks."""
    from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

    from heavylift_airflow.operators import registries, registries_following
    from tests.plugins.world import context_of

    kinds: dict[str, Any] = {
        "preflight": registries.PreflightRegistryOperator,
        "copy": registries.CopyRegistryOperator,
        "sync": registries_following.SyncRegistryOperator,
        "switch": registries_following.SwitchRegistryOperator,
        "verify": registries.VerifyRegistryOperator,
    }
    params: dict[str, Any] = {}
    for word in tasks:
        if word.startswith("{"):
            params = json.loads(word)
            continue
        name, _, options = word.partition(":")
        more = json.loads(options) if options else {}
        task = kinds[name](task_id=name, spec_path=spec, phase="registry", registry="history", **more)
        print(f"BEGUN {name}")
        try:
            print(f"DONE {json.dumps(task.execute(context_of(task, **params)))}")
        except AirflowSkipException:
            print("DONE null")
        except TaskDeferred as waiting:
            print(f"DONE {json.dumps({'waits': waiting.trigger.serialize()[1]})}")


if __name__ == "__main__":
    main(*sys.argv[1:])
