"""A pipeline and its translations, run for real, make the same files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heavylift.errors import IncompleteError
from heavylift.pipelines.adapter import NAME, SCRIPT, unwrap, wrap
from heavylift.pipelines.api import load, translate
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import System
from heavylift.pipelines.runner import Run

DEFINITIONS = Path(__file__).parent / "definitions"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("7\n")
    return tmp_path / "in"


def run(path: Path, folder: Path, data: Path, **arguments: object) -> list[str]:
    pipeline, _ = load(path, None, TargetMap())
    return Run(pipeline, folder, arguments, {"s3://bkt/in": str(data)}).run()


def test_the_translation_makes_the_same_files(tmp_path: Path, data: Path) -> None:
    made = translate(DEFINITIONS / "toy.json", None, System.VERTEX, TargetMap())
    (tmp_path / "toy.yaml").write_text(made.text)
    run(DEFINITIONS / "toy.json", tmp_path / "one", data)
    run(tmp_path / "toy.yaml", tmp_path / "two", data)
    for file in ("Make/rows/n.txt", "Sum/report/r.json", "Good/final/final.json"):
        step, rest = file.split("/", 1)
        same = (tmp_path / "two" / step.lower() / rest).read_bytes()
        assert (tmp_path / "one" / file).read_bytes() == same
    assert (tmp_path / "one/Good/final/final.json").read_text() == '{"a": {"sum": 22}}'


def test_the_other_way_of_a_branch_fails_as_it_says(tmp_path: Path, data: Path) -> None:
    with pytest.raises(IncompleteError, match="too small") as caught:
        run(DEFINITIONS / "toy.json", tmp_path / "one", data, Rows=1)
    assert "Make, Sum" in str(caught.value)
    assert not (tmp_path / "one" / "Good").exists()


_DOCKER = """#!{python}
import os, pathlib, subprocess, sys
words = sys.argv[1:]
command = words[words.index("--entrypoint") + 1:]
command = [command[0], *command[2:]]
root = pathlib.Path(os.environ["ROOTS"], str(os.getpid()))
after = command.index("--") if "--" in command else len(command)
command = [*command[:after], *(str(root) + w if w.startswith("/opt/ml/") else w for w in command[after:])]
sys.exit(subprocess.run(command, env={{**os.environ, "HEAVYLIFT_ROOT": str(root)}}).returncode)
"""
_DAG_RUN = """
import sys
space = {"__name__": "dag"}
exec(open(sys.argv[1]).read(), space)
from jinja2 import Environment
def filled(value):
    if isinstance(value, str):
        return Environment().from_string(value).render(params=params, run_id="r1", dag=space["dag"])
    if isinstance(value, dict):
        return {k: filled(v) for k, v in value.items()}
    return [filled(v) for v in value] if isinstance(value, list) else value
params = space["dag"].params.dump() | {"pipeline_data": sys.argv[2]}
for task in space["dag"].topological_sort():
    try:
        task.python_callable(**filled(task.op_kwargs))
        print("ran", task.task_id)
    except space["AirflowSkipException"]:
        print("skipped", task.task_id)
"""


def test_the_airflow_dag_runs_its_containers(tmp_path: Path, data: Path) -> None:
    mapping = TargetMap(uris={"s3://bkt/in": str(data)})
    made = translate(DEFINITIONS / "toy.json", None, System.AIRFLOW, mapping)
    (tmp_path / "toy.py").write_text(made.text)
    docker = tmp_path / "docker"
    docker.write_text(_DOCKER.format(python=sys.executable))
    docker.chmod(0o755)
    env = {**os.environ, "PIPELINE_CONTAINER_PROGRAM": str(docker), "ROOTS": str(tmp_path / "roots")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _DAG_RUN, tmp_path / "toy.py", tmp_path / "work"],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "skipped Bad" in done.stdout
    assert (tmp_path / "work/r1/Good/final/final.json").read_text() == '{"a": {"sum": 22}}'


def adapted(*words: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", SCRIPT, NAME, *words],
        env={"PATH": "/usr/bin:/bin", "HEAVYLIFT_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_writes_hyperparameters_and_packs_models(tmp_path: Path) -> None:
    program = 'cat "$1/opt/ml/input/config/hyperparameters.json"; echo m > "$1/opt/ml/model/m"'
    done = adapted(
        "out", "/opt/ml/model", str(tmp_path / "model"), "model.tar.gz",
        "hp", "a", 'x"y\\z', "hp", "b", "1", "--", "sh", "-c", program, "x", str(tmp_path / "root"),
        root=tmp_path / "root",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == '{"a":"x\\"y\\\\z","b":"1"}'
    listed = subprocess.run(
        ["tar", "-tzf", tmp_path / "model" / "model.tar.gz"], capture_output=True, text=True, check=True
    )
    assert "./m" in listed.stdout.split()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("in", "/nowhere/at/all", "/x", "--", "true"), 64, "there is no input"),
        (("in", "s3://b/k", "/x", "--", "true"), 64, "cannot be reached"),
        (("out", "/x", "s3://b/k", "", "--", "true"), 64, "cannot be reached"),
        (("out", "/x", "/tmp/heavylift-never", "", "--", "sh", "-c", "exit 7"), 7, ""),
        (("what", "--", "true"), 64, "unknown word"),
    ],
)
def test_the_script_fails_loudly(tmp_path: Path, words: tuple[str, ...], status: int, said: str) -> None:
    done = adapted(*words, root=tmp_path)
    assert done.returncode == status
    assert said in done.stderr


def test_words_are_found_again_in_a_command() -> None:
    words = [["in", "a", "b"], ["arg", "x"], ["more", "y"]]
    assert unwrap(wrap(words, ["p", "--", "q"])) == (words, ["p", "--", "q"])
    assert unwrap(["sh", "-c", "true"]) is None
