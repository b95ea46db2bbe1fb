"""Frameworks that Heavylift's own environment has not: built by its own solver, for makers of models."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from heavylift.environments import Solver

TORCH = "2.13.0"
_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def python() -> str:
    """Return this interpreter's minor version."""
    return ".".join(map(str, sys.version_info[:2]))


def environment(*requirements: str) -> Path:
    """Return an interpreter that has the packages, and MLflow's small package beside them."""
    solver = Solver()
    wanted = [*requirements, f"mlflow-skinny=={version('mlflow')}", "pandas", "pyarrow"]
    return solver.build(solver.solve(wanted, python()), python())


def made_by(interpreter: Path, maker: Path, folder: Path) -> Path:
    """Run a maker of models, and return its folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    variables = {**kept, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    argv = [str(interpreter), str(maker), str(folder)]
    done = subprocess.run(argv, env=variables, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def cpu_wheel(folder: Path) -> str:
    """Fetch PyTorch's build for processors alone, where pip finds it; return the folder, or nothing.

    The index's own wheel does as well, and brings CUDA's libraries: some gigabytes.
    """
    for more in ((), ("--index-url", _CPU_INDEX)):
        if _download(folder, more):
            return str(folder)
    return ""


def _download(folder: Path, more: Sequence[str]) -> bool:
    # An environment that uv has made holds no pip; the interpreter that it was made of does.
    base = Path(sys.base_prefix) / "bin" / f"python{python()}"
    argv = [str(base), "-m", "pip", "download", f"torch=={TORCH}+cpu", "--no-deps", "--retries", "0"]
    argv += ["--dest", str(folder), *more]
    return not subprocess.run(argv, capture_output=True, check=False).returncode
