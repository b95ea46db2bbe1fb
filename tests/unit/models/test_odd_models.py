"""Models that do odd things while they are asked: each ends in right answers or in a clear error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
import pytest

from heavylift.errors import IncompleteError
from heavylift.models.sessions import Limits, ModelProcess
from heavylift.scoring.golden import Golden
from heavylift.scoring.outputs import Predicted

ROWS = 100
GOLDEN = Golden("golden", {"a": "number"}, {"a": np.arange(float(ROWS))})


def asked(folder: Path, body: str) -> Predicted:
    """Return what a model answers whose ``predict(self, table)`` has this body."""
    code = "class Model:\n    def predict(self, table):\n        import os, sys, time\n"
    known: dict[str, Any] = {"__name__": "__main__"}
    exec(code + "".join(f"        {line}\n" for line in body.splitlines()), known)
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(known["Model"]()))
    limits = Limits(seconds=20.0, memory_bytes=4 * 2**30)
    with ModelProcess("model", Path(sys.executable), "pickle", folder / "model.pkl", limits) as process:
        process.load(GOLDEN)
        return process.predict()


@pytest.mark.parametrize(
    "body",
    [
        "for _ in range(500): print('x' * 10_000); print('y' * 10_000, file=sys.stderr)\nreturn table['a']",
        "os.write(1, b'{\"ok\": {}}\\n' * 1000)\nreturn table['a']",
        "if os.fork() == 0: time.sleep(600)\nreturn table['a']",
        # The child goes on as the model would, and must not answer as well.
        "os.fork()\nreturn table['a']",
    ],
    ids=["floods", "writes-answers", "forks", "splits"],
)
def test_what_a_model_does_beside_answering_changes_no_answer(tmp_path: Path, body: str) -> None:
    [values] = asked(tmp_path, body).outputs.columns.values()
    assert values.tolist() == list(range(ROWS))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os._exit(0)", "it ended with status 0"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import numpy\nreturn numpy.ones(10**11)", "MemoryError"),
        ("import ctypes\nctypes.string_at(0)", "ended by signal 11"),
        ("return self.predict(table)", "RecursionError"),
        ("import numpy\nreturn numpy.ones((len(table), 20_000))", "20000 values a row"),
        ("return [object()] * len(table)", "objects"),
        ("os.closerange(3, 99)\nreturn table['a']", "Bad file descriptor"),
    ],
)
def test_a_model_that_does_not_answer_is_told(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(IncompleteError, match=words):
        asked(tmp_path, body)


def test_answers_of_a_megabyte_a_row_are_told_apart_without_being_held(tmp_path: Path) -> None:
    body = "return ['x' * 10**6 + str(n) for n in range(len(table))]"
    [values] = asked(tmp_path, body).outputs.columns.values()
    assert len(set(values.tolist())) == ROWS
    assert values.nbytes < 10**6


def test_answers_that_would_not_fit_when_unpacked_are_refused(tmp_path: Path) -> None:
    process = ModelProcess("model", Path(sys.executable), "pickle", tmp_path, Limits(file_bytes=2**20))
    path = tmp_path / "answers.npz"
    np.savez_compressed(path, np.zeros(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(ValueError, match="bytes"):
        process._demand_small(path)


def test_a_secret_that_a_model_tells_is_in_no_error(tmp_path: Path) -> None:
    words = "cannot reach postgresql://scorer:hunter2@db/prod"
    with pytest.raises(IncompleteError, match="ValueError: cannot reach") as caught:
        asked(tmp_path, f"print({words!r})\nraise ValueError({words!r})")
    assert "hunter2" not in str(caught.value)
