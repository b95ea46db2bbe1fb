"""Memory does not grow with the size of layers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.made_images import image, push
from tests.support.registries import RegistryServer

_CODE = """
import pathlib, sys
from heavylift.cli import app
from heavylift.cli.run import run
status = run(app, sys.argv[1:])
# Not getrusage: that begins with what the parent of the process had.
[line] = [each for each in pathlib.Path("/proc/self/status").read_text().splitlines() if "VmHWM" in each]
print(line.split()[1], file=sys.stderr)
sys.exit(status)
"""
MIB = 2**20


@pytest.mark.long
def test_a_copy_of_large_layers_needs_no_more_than_one_of_small_ones(
    real: tuple[RegistryServer, RegistryServer], tmp_path: Path
) -> None:
    source, target = real
    peaks = {}
    for name, size in (("small", 2 * MIB), ("large", 96 * MIB)):
        layers = [bytes([number]) + b"\0" * size for number in range(4)]
        push(source, f"memory/{name}/a", image(layers), "1")
        peaks[name] = peak(source, target, name, tmp_path)
    # In kilobytes: 384 MiB of layers may not cost more than what the streams on the way hold.
    assert peaks["large"] - peaks["small"] < 40 * 1024, peaks


def peak(source: RegistryServer, target: RegistryServer, name: str, folder: Path) -> int:
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3] / "include"),
        "AIRFLOW_CONN_HERE": json.dumps(source.fields()),
        "AIRFLOW_CONN_THERE": json.dumps(target.fields()),
    }
    places = f"{source.host}/memory/{name}", f"{target.host}/memory/{name}"
    command = [
        "images", "copy", "--source", places[0], "--target", places[1],
        "--source-conn", "here", "--target-conn", "there", "--evidence", folder.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *command],
        env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1])
