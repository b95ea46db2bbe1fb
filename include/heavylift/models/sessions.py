"""A model's process, seen from outside: started shut off, asked over a pipe, and ended whatever happens."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

import numpy as np

from heavylift.errors import IncompleteError, IntegrityError
from heavylift.redaction import words_without_credentials
from heavylift.scoring.golden import Golden
from heavylift.scoring.outputs import Outputs, Predicted

T = TypeVar("T")
_HERE = Path(__file__).parent
_MAX_LINE = 64 * 2**20
_LOOK_EVERY = 0.2
_ROUNDS = 100
"""How often is looked for processes that start others while they are ended."""
_PARTING = 5.0
"""Seconds that a process has to end in, once it has closed its pipe."""
_TAIL = 600


@dataclass(frozen=True)
class Limits:
    """What one model's process may use.

    :param seconds: longest wait for one answer.
    :param cpu_seconds: of processor time in all.
    """

    memory_bytes: int = 8 * 2**30
    cpu_seconds: int = 3600
    seconds: float = 600.0
    file_bytes: int = 2 * 2**30

    @property
    def resources(self) -> dict[str, int]:
        """The limits as the operating system knows them."""
        return {
            "RLIMIT_AS": self.memory_bytes,
            "RLIMIT_CPU": self.cpu_seconds,
            "RLIMIT_FSIZE": self.file_bytes,
            "RLIMIT_NOFILE": 1024,
            "RLIMIT_CORE": 0,
        }


def _network_of(process: int | str) -> str:
    """Return a name for the network that a process is in, which its descendants share; empty for none."""
    try:
        return os.readlink(f"/proc/{process}/ns/net")
    except OSError:
        return ""


def _end_strays(network: str) -> None:
    """End what a model has started and led out of its group: it is still in the model's own network."""
    if not network or network == _network_of("self"):
        return
    for _ in range(_ROUNDS):
        strays = [each for each in os.listdir("/proc") if each.isdigit() and _network_of(each) == network]
        if not strays:
            return
        for each in strays:
            with suppress(ProcessLookupError):
                os.kill(int(each), signal.SIGKILL)


class Session(Protocol):
    """A model that answers: a process of our own, or an endpoint."""

    name: str

    def predict(self) -> Predicted:
        """Answer all golden inputs."""
        ...

    def time(self, rows: Sequence[int]) -> list[float]:
        """Answer single rows one after the other; return milliseconds."""
        ...

    def peak_bytes(self) -> int | None:
        """Return the most memory that was held; None where it cannot be known."""
        ...


@dataclass
class ModelProcess:
    """One model in its own interpreter.

    :param name: for messages.
    :param interpreter: of the model's environment.
    :param check: called while waiting; raises where the work is to stop.
    :param program: what answers in there.
    :param weights: a file of tensors that takes the place of the model's own.
    """

    name: str
    interpreter: Path
    form: str
    model: Path
    limits: Limits = field(default_factory=Limits)
    check: Callable[[], None] = lambda: None
    program: str = "worker.py"
    weights: Path | None = None
    python: str = ""
    isolation: str = ""
    load_seconds: float = 0.0
    _process: subprocess.Popen[bytes] | None = None
    _scratch: str = ""
    _waiting: bytes = b""

    def __enter__(self) -> ModelProcess:
        self._scratch = tempfile.mkdtemp(prefix="heavylift-model-")
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        limits = {"parent": os.getpid(), "resources": self.limits.resources}
        argv = [
            sys.executable, "-I", str(_HERE / "launcher.py"), json.dumps(limits),
            str(self.interpreter), "-IB", str(_HERE / self.program),
        ]  # fmt: skip
        with Path(self._scratch, "said").open("wb") as said:
            self._process = subprocess.Popen(  # noqa: S603 - our own launcher, no shell
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, cwd=self._scratch,
                env=self._environment(), start_new_session=True,
            )  # fmt: skip
        self.python, self.isolation = self._read(
            "hello", lambda told: (str(told["python"]), str(told["isolation"]))
        )

    def _environment(self) -> dict[str, str]:
        """Return all that the process finds in its environment: nothing of ours."""
        return {
            "PATH": f"{self.interpreter.parent}:/usr/bin:/bin",
            "HOME": self._scratch,
            "TMPDIR": self._scratch,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "MLFLOW_TRACKING_URI": f"file://{self._scratch}/mlruns",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "VIRTUAL_ENV": str(self.interpreter.parent.parent),
            # One thread adds up in one order: the same bits each time, and durations that compare.
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        }

    def load(self, golden: Golden | None) -> None:
        """Load the model and give it the golden inputs, where there are any.

        :raises IncompleteError: it cannot be loaded.
        """
        weights = str(self.weights) if self.weights else ""
        self.load_seconds = self._read(
            "load", lambda told: float(told["seconds"]), form=self.form, path=str(self.model), weights=weights
        )
        if golden is None:
            return
        path = Path(self._scratch, "inputs.npz")
        columns = golden.write(path)
        self._ask("inputs", path=str(path), columns=columns)

    def predict(self) -> Predicted:
        """Answer all golden inputs."""
        path = Path(self._scratch, "outputs.npz")
        path.unlink(missing_ok=True)
        names, seconds, notes = self._read(
            "predict",
            lambda told: (
                list(told["columns"]),
                float(told["seconds"]),
                tuple(words_without_credentials(str(each)) for each in told["notes"]),
            ),
            path=str(path),
        )
        try:
            self._demand_small(path)
            with np.load(path, allow_pickle=False) as kept:
                columns = {str(name): kept[str(n)] for n, name in enumerate(names)}
        except (ValueError, OSError, KeyError, TypeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise self._nonsense(f"answers that cannot be read: {type(error).__name__}") from error
        return Predicted(Outputs(columns), seconds, notes)

    def _demand_small(self, path: Path) -> None:
        """Raise where what is packed is more than the file may hold: it would come into our memory."""
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(each.file_size for each in packed.infolist())
        if unpacked > self.limits.file_bytes:
            raise ValueError(f"{unpacked:,} bytes")

    def convert(self, into: Path, act: str = "convert") -> Mapping[str, Any]:
        """Convert the model into the file ``into``; return what is told of that.

        :param act: ``convert``, or ``weights`` for its tensors alone.
        :raises IntegrityError: the file is not as it should be.
        """
        path, most = Path(self._scratch, "converted"), self.limits.file_bytes
        told = self._ask(act, path=str(path))
        if told.get("missing"):
            return told
        if path.is_symlink() or not path.is_file() or path.stat().st_size > most:
            raise self._nonsense(f"no file of at most {most:,} bytes")
        shutil.move(path, into)
        return told

    def tensors(self) -> list[tuple[str, str, tuple[int, ...], str]]:
        """Return name, kind, shape and SHA-256 of each tensor that the model holds.

        :raises IntegrityError: something else was told.
        """
        try:
            return [
                (str(name), str(kind), tuple(map(int, shape)), str(sha256))
                for name, kind, shape, sha256 in self._ask("tensors")["tensors"]
            ]
        except (TypeError, ValueError, KeyError) as error:
            raise self._nonsense(f"tensors that cannot be read: {type(error).__name__}") from error

    def time(self, rows: Sequence[int]) -> list[float]:
        """Answer single rows; the durations are taken inside the process, around the model alone."""
        found = self._read(
            "time", lambda told: [float(each) / 1e6 for each in told["nanoseconds"]], rows=list(rows)
        )
        if len(found) != len(rows):
            raise self._nonsense(f"{len(found)} durations of {len(rows)} requests")
        return found

    def peak_bytes(self) -> int:
        """Return the most memory that the process has held."""
        return self._read("usage", lambda told: int(told["peak_bytes"]))

    def close(self) -> None:
        """End the process and all that it has started, and take its files away."""
        process = self._process
        if process is not None:
            inside = _network_of(process.pid)
            # Already gone is as good.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _end_strays(inside)
            for pipe in (process.stdin, process.stdout):
                # What was to be written to a process that is gone is of no interest.
                with suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
            self._process = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _read(self, what: str, read: Callable[[Mapping[str, Any]], T], **arguments: Any) -> T:
        """Ask, and read the answer: what a model has started may have written it."""
        told = self._ask(what, **arguments)
        try:
            return read(told)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._nonsense(f"an answer to {what} that tells something else") from error

    def _ask(self, what: str, **arguments: Any) -> Mapping[str, Any]:
        process = self._process
        if process is None or process.stdin is None:
            raise self._failed(what, "it has ended")
        try:
            process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failed(what, "it has ended") from error
        try:
            answer = json.loads(self._line(what))
        except ValueError as error:
            raise self._nonsense("an answer that is no JSON") from error
        if not isinstance(answer, dict) or "ok" not in answer:
            raise self._failed(what, str(answer.get("error") if isinstance(answer, dict) else answer)[:1000])
        if not isinstance(answer["ok"], dict):
            raise self._nonsense(f"an answer to {what} that tells something else")
        return answer["ok"]

    def _line(self, what: str) -> bytes:
        """Return the next line of the process, which must come in time and not be endless."""
        process = self._process
        if process is None or process.stdout is None:
            raise self._failed(what, "it has ended")
        deadline = time.monotonic() + self.limits.seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._waiting:
                self.check()
                if time.monotonic() > deadline:
                    raise self._failed(what, f"no answer within {self.limits.seconds:.0f} s")
                ended = process.poll() is not None
                if not selector.select(0 if ended else _LOOK_EVERY):
                    if ended:
                        # What it has started may hold the pipe open for as long as it likes.
                        raise self._failed(what, self._ending(process))
                    continue
                chunk = os.read(process.stdout.fileno(), 2**20)
                if not chunk:
                    raise self._failed(what, self._ending(process))
                self._waiting += chunk
                if len(self._waiting) > _MAX_LINE:
                    raise self._nonsense(f"an answer of more than {_MAX_LINE} bytes")
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line

    @staticmethod
    def _ending(process: subprocess.Popen[bytes]) -> str:
        try:
            status = process.wait(_PARTING)
        except subprocess.TimeoutExpired:
            return "it has closed the pipe that answers come by, and goes on"
        return (
            f"it was ended by signal {-status} (a limit?)" if status < 0 else f"it ended with status {status}"
        )

    def _said(self) -> str:
        path = Path(self._scratch, "said")
        if not path.exists():
            return ""
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _TAIL))
            return " ".join(stream.read().decode("utf-8", "replace").split())

    def _failed(self, what: str, got: str) -> IncompleteError:
        said = self._said()
        return IncompleteError(
            f"asking {self.name} to {what}",
            got=words_without_credentials(got + (f"; it said: …{said}" if said else "")),
            expected="an answer within its limits of memory, time and files",
            state="its process is ended; nothing was changed",
            remedy="read what it said; raise the model's limits if one was met, or correct its requirements",
            code="7550",
        )

    def _nonsense(self, got: str) -> IntegrityError:
        return IntegrityError(
            f"reading what {self.name} answered",
            got=got,
            expected="rows of numbers or texts",
            state="its process is ended; nothing was changed",
            remedy="look at what the model does when it is loaded: it may write where it should not",
            code="7551",
        )
