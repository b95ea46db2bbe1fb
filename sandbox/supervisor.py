"""The process that owns a sandbox's servers: ``python -m sandbox.supervisor FILE``.

It starts each server in a session of its own, notes pids and exit codes in ``run/``, and ends
them all when it is told to (SIGTERM), or, when attached, as soon as the process that started it
is gone, however that died: the kernel closes the other end of the pipe. On Linux it also adopts
orphans, and servers die with it if it is itself killed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sandbox import processes
from sandbox.model import Launch
from sandbox.processes import Ident
from sandbox.state import write_private

_TICK = 1.0
_POLL = 0.05
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform == "linux"


class Supervisor:
    """Owns the processes of one launch file.

    :param run_dir: where pids and exit codes are noted, one file for each server.
    :param pipe: file descriptor whose end-of-file means that the owner is gone.
    """

    def __init__(self, launches: list[Launch], run_dir: Path, pipe: int | None) -> None:
        self._launches = launches
        self._run_dir = run_dir
        self._pipe = pipe
        self._children: dict[int, Launch] = {}
        # Kept so that Popen's destructor never waits for a child behind _reap's back.
        self._handles: list[subprocess.Popen[bytes]] = []
        self._asked = False
        self._parent = os.getppid()

    def run(self) -> None:
        """Start everything; return once everything has ended."""
        wake = self._catch_signals()
        _adopt_orphans()
        try:
            for launch in self._launches:
                self._start(launch)
            self._watch(wake)
        finally:
            self._stop()

    def _catch_signals(self) -> int:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return reader

    def _ask(self, *_: object) -> None:
        self._asked = True

    def _start(self, launch: Launch) -> None:
        uid, gid = launch.user or (None, None)
        with Path(launch.log).open("ab") as log:
            child = subprocess.Popen(
                launch.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=launch.env,
                cwd=launch.cwd,
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=[] if launch.user else None,
                preexec_fn=_die_with(os.getpid()),
            )
        self._children[child.pid] = launch
        self._handles.append(child)
        self._note(launch, child.pid, None)

    def _note(self, launch: Launch, pid: int, status: int | None) -> None:
        mine = Ident.of(os.getpid())
        theirs = Ident.of(pid)
        body = {
            "pid": pid,
            "created": theirs.created if theirs else 0.0,
            "supervisor": os.getpid(),
            "supervisor_created": mine.created if mine else 0.0,
            "exit": status,
        }
        write_private(self._run_dir / f"{launch.name}.json", json.dumps(body))

    def _watch(self, wake: int) -> None:
        while self._children and not self._asked:
            ends = [wake] if self._pipe is None else [wake, self._pipe]
            ready, _, _ = select.select(ends, [], [], _TICK)
            if wake in ready:
                os.read(wake, 4096)
            if self._pipe is not None and (self._pipe in ready or os.getppid() != self._parent):
                return
            self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            launch = self._children.pop(pid, None)
            if launch is not None:
                self._note(launch, pid, os.waitstatus_to_exitcode(status))

    def _stop(self) -> None:
        family = _family(self._children)
        began = time.monotonic()
        for pid, launch in self._children.items():
            _signal(pid, launch.stop_signal)
        while self._children:
            self._reap()
            for pid, launch in self._children.items():
                if time.monotonic() - began > launch.grace:
                    _signal(pid, signal.SIGKILL)
            time.sleep(_POLL)
        # What a server leaves behind has had its chance to end with it.
        leftovers = {*family, *_family(self._children)}
        processes.end(sorted(leftovers, key=_pid), 0.0, signal.SIGKILL)
        self._reap()


def _pid(ident: Ident) -> int:
    return ident.pid


def _family(children: dict[int, Launch]) -> list[Ident]:
    """Return the servers and all that descends from them.

    On Linux orphans are adopted, so nothing is missed; elsewhere an orphan is not found here.
    """
    if _LINUX:
        return processes.descendants(os.getpid())
    found = (Ident.of(pid) for pid in children)
    return [member for ident in found if ident for member in ident.family()]


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _adopt_orphans() -> None:
    if _LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _die_with(parent: int) -> Callable[[], None] | None:
    """Return what a child runs before it becomes the server: die when the supervisor dies."""
    if not _LINUX:
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return prepare


def _go_on_alone() -> bool:
    """Fork, so that the caller has no child to wait for; return whether this is the one that goes on."""
    child = os.fork()
    if child:
        print(child, flush=True)
        return False
    os.setsid()
    os.dup2(2, 1)  # the caller reads standard output to its end
    return True


def main(argv: list[str] | None = None) -> int:
    """Run a launch file; the file is removed once it is read, as it holds environments."""
    parser = argparse.ArgumentParser(prog="sandbox.supervisor")
    parser.add_argument("file", type=Path)
    parser.add_argument("--pipe", type=int)
    parser.add_argument("--detach", action="store_true", help="print the pid and go on in the background")
    options = parser.parse_args(argv)
    if options.detach and not _go_on_alone():
        return 0
    launches = [Launch.from_json(raw) for raw in json.loads(options.file.read_text())]
    options.file.unlink()
    Supervisor(launches, options.file.parent, options.pipe).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
