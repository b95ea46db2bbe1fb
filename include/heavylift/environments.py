"""Environments for models: solved and built by uv, from wheels only, one for each set of pins.

Building installs no source distribution, since that would run its code outside of any limits. Finished
environments are kept and used again by whoever needs the same pins.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from heavylift.errors import ConnectionConfigError, ServerUnavailableError, UnsupportedError

CACHE_VARIABLE = "HEAVYLIFT_MODEL_ENVIRONMENTS"
_PASSED = re.compile(
    r"(?:PATH|HOME|LANG|LC_ALL|TMPDIR|XDG_\w+|UV_\w+|SSL_CERT_\w+|https?_proxy|no_proxy|all_proxy)\Z",
    re.IGNORECASE,
)
_NETWORK_WORDS = (
    "error sending request",
    "dns error",
    "failed to fetch",
    "connection refused",
    "timed out",
    "network was disabled",
)
_DONE = ".complete"
_WARM = """
import contextlib
for name in ("mlflow.pyfunc", "mlflow.sklearn", "pandas", "skops.io", "onnxruntime", "modelscan.cli"):
    with contextlib.suppress(Exception):
        __import__(name)
"""


@dataclass(frozen=True)
class Solved:
    """What a set of requirements comes to.

    :param lock: one line for each package with its version; empty where there is none.
    :param problem: why there is none.
    """

    lock: tuple[str, ...] = ()
    problem: str = ""

    @property
    def digest(self) -> str:
        """The digest of the lock."""
        return hashlib.sha256("\n".join(self.lock).encode()).hexdigest()


@dataclass(frozen=True)
class Solver:
    """Solves and builds.

    :param seconds: for solving, and again for building.
    :param offline: use what has been downloaded before, and nothing else.
    :param sources: packages that have no wheels and are built: named one by one, for programs of ours alone.
    """

    seconds: float = 600.0
    offline: bool = False
    sources: tuple[str, ...] = ()
    _known: dict[tuple[object, ...], Solved] = field(default_factory=dict, compare=False, repr=False)

    def solve(
        self, requirements: Sequence[str], python: str, *, constraints: Sequence[str] = (), platform: str = ""
    ) -> Solved:
        """Return the versions that ``requirements`` come to; installs nothing.

        :param python: such as ``3.11``.
        :param constraints: lines that bound versions and ask for no package.
        :param platform: of the target, as uv names it; this machine's by default.
        :raises ServerUnavailableError: no index of packages could be reached.
        """
        asked = (tuple(requirements), python, tuple(constraints), platform)
        if asked not in self._known:
            self._known[asked] = self._solve(requirements, python, constraints, platform)
        return self._known[asked]

    def _solve(
        self, requirements: Sequence[str], python: str, constraints: Sequence[str], platform: str
    ) -> Solved:
        with tempfile.TemporaryDirectory(prefix="heavylift-solve-") as scratch:
            wanted, bounds = Path(scratch, "requirements.in"), Path(scratch, "constraints.txt")
            wanted.write_text("\n".join(requirements) + "\n")
            bounds.write_text("\n".join(constraints) + "\n")
            argv = [
                find_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-config",
                "--constraints", str(bounds), "--python-version", python, *self._options(), str(wanted),
            ]  # fmt: skip
            if platform:
                argv += ["--python-platform", platform]
            done = _run(argv, self.seconds)
        if done is None:
            return Solved(problem=f"no answer within {self.seconds:.0f} s")
        if done.returncode == 0:
            return Solved(lock=tuple(line for line in done.stdout.splitlines() if line.strip()))
        _demand_network(done.stderr)
        return Solved(problem=_said(done.stderr))

    def tool(self, requirement: str, python: str) -> Path:
        """Return the interpreter of an environment for one program of ours, solved when it is made.

        :raises UnsupportedError: it cannot be built here.
        """
        key = hashlib.sha256(f"{requirement} {python}".encode()).hexdigest()[:32]
        home = cache_folder() / f"tool-{key}"
        return self._once(home, lambda: self.solve([requirement], python), python)

    def build(self, solved: Solved, python: str) -> Path:
        """Return the interpreter of an environment with exactly the packages of ``solved``.

        :raises UnsupportedError: it cannot be built here.
        """
        key = hashlib.sha256(f"{python}\n{solved.digest}\n1".encode()).hexdigest()[:32]
        return self._once(cache_folder() / key, lambda: solved, python)

    def _once(self, home: Path, solve: Callable[[], Solved], python: str) -> Path:
        """Make the environment ``home`` unless it is there; two that want it wait for each other."""
        interpreter = home / "bin" / "python"
        with _alone(home.with_suffix(".lock")):
            if (home / _DONE).exists() and interpreter.exists():
                return interpreter
            shutil.rmtree(home, ignore_errors=True)
            self._make(home, interpreter, solve(), python)
            (home / _DONE).touch()
        return interpreter

    def _make(self, home: Path, interpreter: Path, solved: Solved, python: str) -> None:
        if solved.problem:
            raise self._unbuildable(solved.problem, "versions that fit together")
        uv = find_uv()
        venv = [uv, "venv", "--quiet", "--no-config", "--no-python-downloads", "--python", python, str(home)]
        self._demand(_run(venv, self.seconds), f"an environment with Python {python}")
        lock = home / "lock.txt"
        lock.write_text("\n".join(solved.lock) + "\n")
        install = [
            uv, "pip", "install", "--quiet", "--no-config", "--no-deps",
            "--python", str(interpreter),
            *self._options(), "-r", str(lock),
        ]  # fmt: skip
        self._demand(_run(install, self.seconds), f"{len(solved.lock)} packages installed from wheels")
        # Compiles what most models import, once, by code of the packages alone: processes with a model in
        # them write no such files. Whatever cannot be imported here is found when a model needs it.
        _run([str(interpreter), "-I", "-c", _WARM], self.seconds)

    def _options(self) -> list[str]:
        built = [part for name in self.sources for part in ("--no-binary", name)]
        wheels = ["--only-binary", ":all:", *built] if built else ["--no-build"]
        return [*wheels, *(["--offline"] if self.offline else [])]

    def _demand(self, done: subprocess.CompletedProcess[str] | None, expected: str) -> None:
        if done is not None and done.returncode == 0:
            return
        if done is None:
            raise self._unbuildable(f"no end within {self.seconds:.0f} s", expected)
        _demand_network(done.stderr)
        raise self._unbuildable(_said(done.stderr), expected)

    @staticmethod
    def _unbuildable(got: str, expected: str) -> UnsupportedError:
        return UnsupportedError(
            "building a model's environment",
            got=got,
            expected=expected,
            state="nothing was run or changed; the unfinished environment is not used",
            remedy="install that Python on the workers, or make the packages available to uv (UV_INDEX)",
            code="7530",
        )


def find_uv() -> str:
    """Return the path of uv: the package's own, else the one on PATH.

    :raises ConnectionConfigError: there is none.
    """
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found:
        return found
    raise ConnectionConfigError(
        "looking for uv",
        got="neither the package nor the program",
        expected="uv, which solves and builds models' environments",
        state="nothing was run or changed",
        remedy="install it beside Heavylift: pip install uv",
        code="7531",
    )


def cache_folder() -> Path:
    """Return the folder of finished environments: ``$HEAVYLIFT_MODEL_ENVIRONMENTS``, else a temporary one.

    :raises ConnectionConfigError: it belongs to somebody else, who could put code into it.
    """
    named = os.environ.get(CACHE_VARIABLE)
    folder = (
        Path(named) if named else Path(tempfile.gettempdir()) / f"heavylift-model-environments-{os.getuid()}"
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise ConnectionConfigError(
            f"using {folder} for models' environments",
            got="a folder of another user",
            expected="a folder of one's own",
            state="nothing was run or changed",
            remedy=f"set {CACHE_VARIABLE} to a folder that only this user can write to",
            code="7532",
        )
    return folder


def _run(argv: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str] | None:
    """Run uv; None where it took too long. It gets no secret of ours."""
    environment = {name: value for name, value in os.environ.items() if _PASSED.match(name)}
    environment |= {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    try:
        return subprocess.run(  # noqa: S603 - uv, and arguments that are never a shell's
            argv,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return None


def _demand_network(stderr: str) -> None:
    if any(words in stderr.lower() for words in _NETWORK_WORDS):
        raise ServerUnavailableError(
            "asking the index of packages",
            got=_said(stderr),
            expected="an answer",
            state="nothing was run or changed",
            remedy="let the worker reach the index (UV_INDEX, a proxy), or give it what is needed beforehand",
            code="7533",
        )


def _said(stderr: str) -> str:
    # URLs of indexes may hold a password.
    text = re.sub(r"//[^/@\s]+@", "//***@", " ".join(stderr.split()))
    return text[-800:] or "no message"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
