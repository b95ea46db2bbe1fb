"""Real servers for trials: started with a setting, asked in an open loop over connections, ended.

Nothing goes through a shell: the command is a list, and a setting's values are put in place of ``{knob}`` in
its parts, in the values of variables, and in the URL.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from heavylift.connections import Connection
from heavylift.errors import HeavyliftError
from heavylift.evidence.optimize_records import TrialStep
from heavylift.load.driving import Limits, drive
from heavylift.load.endpoint import Endpoint
from heavylift.load.figures import step_record
from heavylift.load.plan import LoadPlan
from heavylift.load.schedule import schedule
from heavylift.optimize.batches import batched
from heavylift.optimize.checks import demand
from heavylift.optimize.judging import SLOW, Objective, Watching
from heavylift.optimize.ports import UnservedError
from heavylift.optimize.requests import TrialPlan
from heavylift.optimize.spaces import CONNECTIONS, ROWS, Setting, Space, count_of, titled

PORT = "port"
_MARK = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
_GUARD = Path(__file__).with_name("guard.py")
_LOOK_EVERY, _TAIL, _END_SECONDS = 0.05, 400, 20.0


@dataclass(frozen=True)
class ServerCommand:
    """How a server is started. ``{port}`` is a free one; other marks are knobs.

    :param environment: of ours only the path and the like reach the server, and what ``passed`` names.
    :param ready_text: what it writes ``ready_times`` times (a number, or a knob) once all of it serves;
        where empty, it serves when it answers.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    url: str = "http://127.0.0.1:{port}/invocations"
    ready_text: str = ""
    ready_times: str = "1"
    ready_seconds: float = 120.0
    passed: tuple[str, ...] = ()

    def check(self, space: Space) -> None:
        """Refuse marks that are no knobs, and knobs that turn nothing.

        :raises SpecError: so it is.
        """
        texts = [*self.argv, *self.environment.values(), self.url]
        used = {mark for text in texts for mark in _MARK.findall(text)}
        knobs = {knob.name for knob in space.knobs}
        unknown = sorted(used - knobs - {PORT})
        idle = sorted(knobs - used - {ROWS, CONNECTIONS})
        got = f"{{{unknown[0]}}}, which is no knob" if unknown else ""
        got = got or (f"the knob {idle[0]}, which no part of the command has" if idle else "")
        got = got or ("" if self.argv else "no command")
        demand(not got, "reading a server's command", got, "a mark {knob} for each knob, and {port}", "9260")


def mlflow_command(models: str = "{model}", workers: str = "{workers}", python: str = "") -> ServerCommand:
    """Return what serves an MLflow model from a folder, as ``mlflow models serve`` starts it.

    :param python: an interpreter that has the model's packages; ours by default.
    """
    return ServerCommand(
        argv=(
            *(python or sys.executable, "-m", "uvicorn", "mlflow.pyfunc.scoring_server.app:app"),
            *("--host", "127.0.0.1", "--port", "{port}", "--workers", workers, "--no-access-log"),
        ),
        environment={
            "__pyfunc_model_path__": models,
            "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "60",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "GIT_PYTHON_REFRESH": "quiet",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        # Each worker says so when it has loaded the model.
        ready_text="Application startup complete",
        ready_times=workers,
    )


class CommandRunner:
    """Starts servers by a command, on this machine.

    :param bodies: of recorded requests; with a knob ``rows`` they are put together anew.
    :param connections: where no knob says how many the client opens at most.
    """

    def __init__(
        self,
        command: ServerCommand,
        bodies: Sequence[bytes],
        objective: Objective,
        plan: TrialPlan,
        connections: int = 64,
    ) -> None:
        self._command, self._bodies, self._objective = command, tuple(bodies), objective
        self._plan, self._connections = plan, connections

    @asynccontextmanager
    async def served(self, setting: Setting, rate: float, seed: int) -> AsyncIterator[Asked]:
        """Start a server, wait until it serves, warm it up, and end it at the block's end."""
        values = dict(setting)
        bodies = batched(self._bodies, int(values[ROWS])) if ROWS in values else self._bodies
        port = _free_port()
        marks = {**{name: str(value) for name, value in setting}, PORT: str(port)}
        most = count_of(setting, CONNECTIONS, self._connections)
        plan = self._plan
        with tempfile.TemporaryFile() as said:
            process = await self._start(marks, said)
            try:
                url = _filled(self._command.url, marks)
                endpoint = Endpoint(
                    Connection("trial", "http", host=url),
                    bodies,
                    connections=most,
                    timeout_seconds=plan.timeout_seconds,
                )
                try:
                    await self._ready(process, endpoint, marks, said, setting)
                    asked = Asked(endpoint, len(bodies), self._objective, plan, most)
                    if plan.warm_up_seconds:
                        await asked.drive(rate / 2, plan.warm_up_seconds, seed, None)
                    yield asked
                finally:
                    await endpoint.close()
            finally:
                await _end(process)

    async def _start(self, marks: Mapping[str, str], said: IO[bytes]) -> asyncio.subprocess.Process:
        command = self._command
        env = {name: os.environ[name] for name in (*_PASSED, *command.passed) if name in os.environ}
        env |= {name: _filled(value, marks) for name, value in command.environment.items()}
        argv = [_filled(part, marks) for part in command.argv]
        # It ends when the pipe does, so that no server outlives us however we end.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(_GUARD), *argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=said,
            stderr=said,
            env=env,
            start_new_session=True,
        )

    async def _ready(
        self,
        process: asyncio.subprocess.Process,
        endpoint: Endpoint,
        marks: Mapping[str, str],
        said: IO[bytes],
        setting: Setting,
    ) -> None:
        """Wait until it serves.

        :raises UnservedError: it ends, or does not serve in time.
        """
        command = self._command
        text, times = command.ready_text.encode(), int(_filled(command.ready_times, marks))
        try:
            async with asyncio.timeout(command.ready_seconds):
                while text and _output(said).count(text) < times:
                    _demand_running(process, said, setting)
                    await asyncio.sleep(_LOOK_EVERY)
                while not await endpoint.answers(command.ready_seconds):
                    _demand_running(process, said, setting)
                    await asyncio.sleep(_LOOK_EVERY)
            await endpoint.probe(command.ready_seconds)
        except TimeoutError:
            why = f"no server within {command.ready_seconds:g} s; {_tail(said)}"
            raise UnservedError(f"{titled(setting)}: {why}") from None
        except HeavyliftError as error:
            raise UnservedError(f"{titled(setting)}: {error.got}; {_tail(said)}") from error


class Asked:
    """A server that is up, and what it is asked."""

    def __init__(
        self, endpoint: Endpoint, bodies: int, objective: Objective, plan: TrialPlan, connections: int
    ) -> None:
        self._endpoint, self._bodies, self._objective = endpoint, bodies, objective
        self._plan, self._connections = plan, connections

    async def step(self, rate: float, seed: int) -> TrialStep:
        """Ask at a rate; end as soon as the objective surely does not hold."""
        plan, before = self._plan, self._endpoint.reconnected
        seconds = plan.seconds_at(rate)
        watching = Watching(self._objective)
        driven = await self.drive(rate, seconds, seed, watching)
        load = LoadPlan(
            rates=(rate,),
            step_seconds=seconds,
            connections=self._connections,
            timeout_seconds=plan.timeout_seconds,
            max_error_rate=self._objective.share,
        )
        reconnected = self._endpoint.reconnected - before
        record = step_record(rate, load, driven, reconnected, np.random.default_rng(seed))
        # A pace that is not kept ends late in any longer step, whatever this one's latencies were.
        holds = watching.holds(len(driven.outcomes)) and record.sustained
        return TrialStep(
            step=record,
            ended=watching.ended,
            late=watching.late,
            holds=holds,
            stopped=driven.stopped == SLOW,
        )

    async def drive(self, rate: float, seconds: float, seed: int, watching: Watching | None) -> Any:
        """Send what is due at a rate, for so many seconds."""
        generator = np.random.default_rng(seed)
        due = schedule(rate, seconds, self._bodies, "poisson", generator)
        limits = Limits(
            connections=self._connections,
            timeout_seconds=self._plan.timeout_seconds,
            waiting_seconds=self._plan.timeout_seconds,
            most_errors=len(due),
            judge=watching,
        )
        return await drive(self._endpoint, due, limits)


def _filled(text: str, marks: Mapping[str, str]) -> str:
    return _MARK.sub(lambda found: marks.get(found[1], found[0]), text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _output(said: IO[bytes]) -> bytes:
    said.flush()
    return os.pread(said.fileno(), 2**20, 0)


def _tail(said: IO[bytes]) -> str:
    size = os.fstat(said.fileno()).st_size
    text = os.pread(said.fileno(), _TAIL, max(0, size - _TAIL)).decode("utf-8", "replace")
    return f"it wrote: …{' '.join(text.split())}" if text.strip() else "it wrote nothing"


def _demand_running(process: asyncio.subprocess.Process, said: IO[bytes], setting: Setting) -> None:
    if process.returncode is not None:
        raise UnservedError(f"{titled(setting)}: it ended with {process.returncode}; {_tail(said)}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the server by closing what holds it up; the guard kills its group, and then ends itself."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
