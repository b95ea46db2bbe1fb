"""The phase's tasks on real models, in processes of their own that are killed on the way."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.registry_task import start

MODULE = "tests.support.model_task"


def write_spec(folder: Path, models: Path) -> Path:
    """Write a migration of two models: one was copied, the other was trained again."""
    golden = {
        "golden_inputs": (models / "golden.parquet").as_uri(),
        "golden_suite": [
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "amount"}},
            {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 2000}},
        ],
        "label": "truth",
        "drop": ["region"],
        "metrics": ["auc"],
        "latency": {"measure": False},
    }
    source = (models / "skops").as_uri()
    equal = {"name": "equal", "source": source, "target": (models / "copy").as_uri(), **golden}
    suite = [{"type": "expect_column_max_to_be_between", "kwargs": {"column": "amount", "max_value": 0}}]
    spec = {
        "apiVersion": "heavylift/v1",
        "migration": "small",
        "owner": "team",
        "source": {"platform": "kubernetes", "connection": "here"},
        "target": {"platform": "kubernetes", "connection": "there"},
        "models": [
            {**equal, "convert_to": ["onnx"], "converted": (folder / "portable").as_uri()},
            {**equal, "name": "other", "target": (models / "retrained").as_uri()},
            {**equal, "name": "unexpected", "golden_suite": suite},
        ],
    }
    (folder / "portable").mkdir()
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(spec))
    return file


def children(parent: int) -> list[int]:
    """Return the processes that a process has started, and theirs."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            ancestor = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if ancestor == parent:
            found += [int(entry.name), *children(int(entry.name))]
    return found


def programs(pids: list[int], name: str) -> list[int]:
    """Return which of the processes run a program of that name."""
    found = []
    for pid in pids:
        try:
            if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def kill_at(process: subprocess.Popen[str], name: str) -> list[int]:
    """Kill a process as soon as it has started a model's; return those, which must end with it."""
    found: list[int] = []
    while not found:
        assert process.poll() is None, process.communicate()[0][-3000:]
        found = programs(children(process.pid), name)
        time.sleep(0.01)
    process.kill()
    process.communicate()
    return found


def ended(pids: list[int]) -> bool:
    until = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def finish(process: subprocess.Popen[str]) -> list[tuple[str, Any]]:
    """Return what each task came to."""
    output, _ = process.communicate()
    assert process.returncode == 0, output[-3000:]
    lines = [line.partition(" ") for line in output.splitlines() if line.startswith(("DONE ", "FAILED "))]
    return [(word, json.loads(rest)) for word, _, rest in lines]


@pytest.mark.long
def test_two_models_are_judged_and_killed_tasks_go_on(models: Path, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, models)
    evidence = {"conn_type": "file", "extra": {"path": str(tmp_path / "evidence")}}
    # uv finds the index, and the cache of packages, where it finds them elsewhere in these tests.
    env = {**os.environ, "AIRFLOW_CONN_EVIDENCE": json.dumps(evidence)}
    assert ended(kill_at(start(spec, env, "compare:equal", module=MODULE), "worker.py"))
    assert not list((tmp_path / "evidence").rglob("model-comparison-*"))
    assert ended(kill_at(start(spec, env, "convert:equal", module=MODULE), "converter.py"))
    assert list((tmp_path / "portable").iterdir()) == []

    tasks = [f"{act}:{name}" for name in ("equal", "other", "unexpected") for act in ("check", "compare")]
    more = ("gate:models-revalidated", "convert:equal", "convert:equal")
    came = finish(start(spec, env, *tasks, *more, module=MODULE))
    found = dict(zip([*tasks, "gate", "first", "second"], came, strict=True))
    done = {name for name, (word, _) in found.items() if word == "DONE"}
    assert done == {"check:equal", "compare:equal", "first", "second"}, found
    assert (found["compare:equal"][1]["rows"], found["compare:equal"][1]["mismatched"]) == (2000, 0)
    # The trained one is other bytes, which the check says before anything is run.
    assert "digest-differs" in found["check:other"][1]
    assert "HL-7572" in found["compare:other"][1]
    assert "golden-expectation" in found["check:unexpected"][1]
    assert "HL-7821" in found["compare:unexpected"][1]
    assert "other" in found["gate"][1]
    first, second = found["first"][1], found["second"][1]
    assert (first["already"], second["already"]) == (False, True)
    assert first["place"] == second["place"]
