"""A process that runs tasks of the revalidate phase one after the other, to be killed.

``python -m tests.support.model_task SPEC TASK:MODEL…``; see :mod:`tests.support.registry_task`. A task that
fails prints ``FAILED`` with its message, and the next one runs, as mapped tasks do.
"""

from __future__ import annotations

import json
import sys


def main(spec: str, *tasks: str) -> None:
    """Run the tasks."""
    from heavylift.errors import HeavyliftError
    from heavylift_airflow.operators import models, models_closing
    from tests.plugins.world import context_of

    common = {"spec_path": spec, "phase": "revalidate"}
    kinds = {
        "check": models.CheckModelOperator,
        "compare": models.RevalidateModelOperator,
        "convert": models.ConvertModelOperator,
    }
    for name in tasks:
        act, _, model = name.partition(":")
        print(f"BEGUN {name}")
        try:
            if act == "gate":
                gate = models_closing.EvaluateModelsGateOperator(task_id=act, gate=model, **common)
                found = gate.execute(context_of(gate))
            else:
                task = kinds[act](task_id=act, model={"model": model, "version": ""}, **common)
                found = task.execute(context_of(task))
            print(f"DONE {json.dumps(found)}")
        except HeavyliftError as error:
            print(f"FAILED {json.dumps(str(error))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
