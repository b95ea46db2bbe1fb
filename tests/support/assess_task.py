"""A process that runs one task of the assess phase in children, each killed at a later write than the last.

``python -m tests.support.assess_task SPEC TASK FIRST STEP`` prints how many children were killed. It imports
all before it forks, and has no threads then: a child begins where a worker's process would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.isolated import REPOSITORY


def killed_again_and_again(spec: Path, env: dict[str, str], task: str, step: int) -> int:
    """Run the process to its end, and return how many children were killed."""
    paths = ":".join(str(REPOSITORY / each) for each in ("include", "plugins", ""))
    settings = {"PYTHONPATH": paths, "PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(spec.parent / "airflow")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.assess_task", str(spec), task, str(step)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**env, **settings},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.splitlines()[-1])


def main(spec: str, name: str, step: str) -> None:
    """Kill and try again, until a child ends by itself."""
    from heavylift.inventory import api
    from heavylift_airflow.operators import assess
    from tests.plugins.world import context_of
    from tests.support.small_account import SmallPlane

    api.open_plane = lambda _request, _stop: SmallPlane()
    task: Any = getattr(assess, name)(task_id="task", spec_path=spec, phase="assess")
    killed = 0
    while _dies(task, context_of(task), 1 + killed * int(step)):
        killed += 1
    print(killed)


def _dies(task: Any, context: Any, number: int) -> bool:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _count_writes(number)
            task.execute(context)
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    if not os.WIFSIGNALED(ended) and os.WEXITSTATUS(ended):
        raise SystemExit(f"the attempt killed at write {number} failed otherwise")
    return os.WIFSIGNALED(ended)


def _count_writes(last: int) -> None:
    """Have this process die instead of its ``last``-th write to the evidence store."""
    from heavylift.evidence.store import EvidenceStore

    write, count = EvidenceStore.write_bytes, 0

    async def counted(self: EvidenceStore, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return await write(self, *arguments)

    EvidenceStore.write_bytes = counted  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    main(*sys.argv[1:])
