"""Makes the project's environment, then hands over to ``sandbox.dev`` inside it.

Standard library only, and run as a plain file: nothing is installed yet. What it makes is
``.bootstrap/uv`` (pip's and uv's own environment) and ``.venv`` (exactly requirements.txt).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BOOTSTRAP = REPO / ".bootstrap"
VENV = REPO / ".venv"
LOCK = REPO / "requirements.txt"
STAMP = VENV / ".heavylift-complete"
UV_VERSION = "0.13.9"

sys.path.insert(0, str(REPO))

from sandbox.usage import COMMANDS, USAGE  # noqa: E402


class BootstrapError(Exception):
    """Something could not be installed; the message says what to do."""


def main(argv: list[str]) -> int:
    """Install what is missing and become the command; return only when there is none to become."""
    if not argv or argv[0] in {"-h", "--help", "help"}:
        print(USAGE, end="")
        return 0 if argv else 2
    if argv[0] not in COMMANDS:
        print(f"dev: there is no command {argv[0]!r}; ./dev --help lists them", file=sys.stderr)
        return 2
    try:
        if not complete():
            with _Alone():
                if not complete():
                    install()
    except BootstrapError as error:
        print(f"\ndev: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndev: interrupted while installing; running it again goes on from here.", file=sys.stderr)
        return 3
    hand_over(argv)
    return 1


def hand_over(argv: list[str]) -> None:
    """Replace this process by the command in the environment."""
    python = _python(VENV)
    path = os.pathsep.join(str(REPO / name) for name in ("include", "plugins", "."))
    env = {**os.environ, "PYTHONPATH": path, "HEAVYLIFT_BASE_PYTHON": sys.executable}
    # Container images set it to stay small. Here dozens of processes import Airflow: without
    # cached bytecode each of them compiles thousands of files again.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env.pop("PYTHONHOME", None)
    sys.stdout.flush()
    os.execve(python, [str(python), "-m", "sandbox.dev", *argv], env)


def complete() -> bool:
    """Tell whether .venv holds exactly what requirements.txt says, as far as its stamp knows."""
    return STAMP.exists() and _python(VENV).exists() and STAMP.read_text() == _fingerprint()


def _fingerprint() -> str:
    config = VENV / "pyvenv.cfg"
    parts = (LOCK.read_bytes(), config.read_bytes() if config.exists() else b"")
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def install() -> None:
    """Bring .venv to requirements.txt.

    :raises BootstrapError: neither uv nor pip could do it. What they did stays and is used again.
    """
    began = time.monotonic()
    if sys.platform == "win32":
        raise BootstrapError("Windows is not supported; use WSL.")
    print(f"Installing the packages of {LOCK.name} into {VENV} (once; 2 GB on disk)", flush=True)
    uv = ensure_uv()
    _ensure_venv(uv)
    STAMP.unlink(missing_ok=True)
    sync = [str(uv), "pip", "sync", "--python", str(_python(VENV)), str(LOCK)]
    pip = [str(_python(BOOTSTRAP / "uv")), "-m", "pip", "--python", str(_python(VENV)), "install"]
    ways: list[tuple[list[str], dict[str, str]]] = [(sync, {})]
    settings = pip_settings()
    if settings:
        ways.insert(0, (sync, settings))
    ways.append(([*pip, "--no-deps", "--progress-bar", "on", "-r", str(LOCK)], {}))
    for argv, extra in ways:
        if _shown(argv, {**os.environ, **extra}) == 0:
            STAMP.write_text(_fingerprint())
            print(f"Installed in {time.monotonic() - began:.0f} s\n", flush=True)
            return
        print("  that did not work; trying another way", flush=True)
    raise BootstrapError(
        "the packages of requirements.txt could not be installed; the messages above say why. "
        "Mend that (the network, a proxy or index in pip's settings, the disk) and run the same "
        "command again: it goes on from here."
    )


def ensure_uv() -> Path:
    """Return uv, installing the pinned version with pip into an environment of its own."""
    home = BOOTSTRAP / "uv"
    uv = home / "bin" / "uv"
    mark = home / f".complete-{UV_VERSION}"
    if mark.exists() and _runs([str(uv), "--version"]):
        return uv
    print("  uv, which installs the rest", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    made = subprocess.run(
        [_base_python(), "-m", "venv", str(home)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        shutil.rmtree(home, ignore_errors=True)
        raise BootstrapError(
            f"{_base_python()} cannot make virtual environments:\n{made.stdout}{made.stderr}\n"
            "On Debian and Ubuntu: apt install python3-venv. Or set HEAVYLIFT_PYTHON to another Python."
        )
    argv = [str(_python(home)), "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"]
    if subprocess.run(argv, check=False).returncode != 0:
        raise BootstrapError(
            "pip could not install uv; its message is above. Mend that and run the command again."
        )
    mark.touch()
    return uv


def _ensure_venv(uv: Path) -> None:
    if _runs([str(_python(VENV)), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]):
        return
    # A .venv whose Python is gone (the machine was upgraded) cannot be mended.
    argv = [str(uv), "venv", "--quiet", "--clear", "--python", _base_python(), str(VENV)]
    if subprocess.run(argv, check=False).returncode != 0:
        raise BootstrapError(f"{VENV} could not be made; uv's message is above.")


def pip_settings() -> dict[str, str]:
    """Return pip's indexes, proxy and certificates in uv's words; nothing where uv has its own.

    Some machines reach packages only through what is configured for pip.
    """
    if any(name.startswith("UV_") and "INDEX" in name for name in os.environ):
        return {}
    argv = [str(_python(BOOTSTRAP / "uv")), "-m", "pip", "config", "list"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        # ":env:" lines come first and win, as they do in pip
        found.setdefault(name.rpartition(".")[2], value.strip().strip("'\""))
    settings = {
        "UV_DEFAULT_INDEX": found.get("index-url", ""),
        "UV_INDEX": found.get("extra-index-url", "").replace("\\n", " ").strip(),
        "UV_INSECURE_HOST": found.get("trusted-host", "").replace("\\n", " ").strip(),
        "SSL_CERT_FILE": found.get("cert", ""),
        "ALL_PROXY": found.get("proxy", ""),
    }
    if settings["UV_INDEX"]:
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # what pip does with several indexes
    return {name: value for name, value in settings.items() if value and name not in os.environ}


def _shown(argv: list[str], env: dict[str, str]) -> int:
    """Run an installer with its progress on the terminal, less one line for each package at the end."""
    from sandbox.terminal import run_shown

    return run_shown(argv, env)


def _runs(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _python(home: Path) -> Path:
    return home / "bin" / "python"


def _base_python() -> str:
    """Return the Python outside any virtual environment, so that ours stand on it alone."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return str(base)


class _Alone:
    """Keeps two ./dev from installing at once."""

    def __enter__(self) -> None:
        BOOTSTRAP.mkdir(exist_ok=True)
        self._stream = (BOOTSTRAP / "lock").open("w")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another ./dev that is installing", flush=True)
            fcntl.flock(self._stream, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._stream.close()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
