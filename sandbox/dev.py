"""The commands of ``./dev``, inside the project's environment: ``python -m sandbox.dev COMMAND``."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from heavylift.errors import ConnectionConfigError, HeavyliftError
from sandbox import checks, layers, lock, node, overview, paths, stack
from sandbox.model import Server

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # A polite kill must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Shells let background jobs ignore SIGINT, and whoever sends it one means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if arguments and arguments[0] in _FORWARDED:
            return _FORWARDED[arguments[0]](arguments[1:])
        # argparse takes the first word behind "--" for the layer.
        ours, theirs = _split(arguments)
        return _run(_parser().parse_args(ours, argparse.Namespace(arguments=theirs)))
    except KeyboardInterrupt:
        print("\ndev: interrupted; it is safe to run this again.", file=sys.stderr)
        return INTERRUPTED
    except ConnectionConfigError as error:
        print(f"dev: {error}", file=sys.stderr)
        return REFUSED
    except HeavyliftError as error:
        print(f"dev: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the local servers and leave them running")
    up.add_argument("--airflow", action="store_true", help="start Airflow too")
    up.add_argument("--only", type=_names, metavar="NAME,...", help="start these servers only")
    commands.add_parser("status", help="show what runs, and where")
    down = commands.add_parser("down", help="stop every server")
    down.add_argument("--clean", action="store_true", help="throw the servers' data away too")
    test = commands.add_parser("test", help="run the tests")
    test.add_argument("layer", nargs="?", choices=layers.LAYERS)
    how_many = test.add_mutually_exclusive_group()
    how_many.add_argument("--all", action="store_true", help="run the long tests, too")
    how_many.add_argument(
        "--share", type=layers.Share.parse, metavar="K/N", help="and the K-th of N shares of the long tests"
    )
    test.epilog = "What stands behind -- is given to pytest."
    commands.add_parser("check", help="run every check that needs no server")
    again = commands.add_parser("lock", help="resolve requirements.in again")
    again.add_argument("--upgrade", action="store_true", help="take newer versions where there are any")
    return parser


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what stands before the first ``--``, and what stands behind it."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _run(options: argparse.Namespace) -> int:
    commands: dict[str, Callable[[], int]] = {
        "up": lambda: _up(options.only, options.airflow),
        "status": lambda: overview.show(paths.STATE_DIR),
        "down": lambda: _down(clean=options.clean),
        "test": lambda: layers.main(options.layer, options.arguments, long=options.all, share=options.share),
        "check": checks.main,
        "lock": lambda: lock.main(upgrade=options.upgrade),
    }
    return commands[options.command]()


def report(server: Server, what: str, seconds: float) -> None:
    """Print one server's progress."""
    timing = f"{seconds:6.1f} s" if seconds else " " * 8
    print(f"  {timing}  {server.title} {what}", flush=True)


def _up(only: Sequence[str] | None, airflow: bool) -> int:
    began = time.monotonic()
    print("Starting the local clouds", flush=True)
    if only is None and not node.is_installed():
        print(
            "  (the first start also installs Azurite and makes MLflow's tables: about a minute)", flush=True
        )
    running = stack.Stack.start(paths.STATE_DIR, only, airflow, detached=True, report=report)
    print(f"Everything serves after {time.monotonic() - began:.1f} s.\n")
    if running.airflow_url and running.airflow_login:
        user, password = running.airflow_login
        print(f"Airflow:      {running.airflow_url}  (user {user}, password {password})")
    print(f"Connections:  source {_shown(running.state_dir / 'env')}")
    print("Stop it:      ./dev down")
    return DONE


def _down(*, clean: bool) -> int:
    count = stack.stop_all(paths.STATE_DIR, clean=clean)
    data = "; their data is thrown away" if clean else ""
    print(f"{count} server{'' if count == 1 else 's'} stopped{data}.")
    return DONE


def _shown(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _demo(arguments: Sequence[str]) -> int:
    from sandbox import demo

    return demo.main(arguments)


def _screenshots(arguments: Sequence[str]) -> int:
    from sandbox import screenshots

    return screenshots.main(arguments)


def _bench(arguments: Sequence[str]) -> int:
    absolute = [_absolute(arguments, index) for index in range(len(arguments))]
    argv = [sys.executable, "-m", "tests.benchmarks", *absolute]
    return 1 if subprocess.run(argv, cwd=paths.REPO, check=False).returncode else 0


def _absolute(arguments: Sequence[str], index: int) -> str:
    """Return an argument; a file name given with --json is meant from where the user stands."""
    given = arguments[index]
    if index and arguments[index - 1] == "--json":
        return str(Path(given).absolute())
    if given.startswith("--json="):
        return f"--json={Path(given.removeprefix('--json=')).absolute()}"
    return given


def _docs(arguments: Sequence[str]) -> int:
    from sandbox import documentation

    return documentation.main(arguments)


def _faults(arguments: Sequence[str]) -> int:
    from sandbox import faults

    return faults.main(arguments)


_ALONE = frozenset({"spec", "explain", "--version"})
"""Commands of ``heavylift`` that need no connection."""


def _heavylift(arguments: Sequence[str]) -> int:
    ours = overview.environment(paths.STATE_DIR)
    env = {**os.environ, **ours}
    asks = not _ALONE.intersection(arguments[:1]) and "--help" not in arguments
    if asks and not any(name.startswith("AIRFLOW_CONN_") for name in env):
        print("dev: the sandbox does not run, so no connection is set; ./dev up starts it", file=sys.stderr)
    python = shutil.which(sys.executable) or sys.executable
    sys.stdout.flush()
    os.execve(python, [python, "-m", "heavylift", *arguments], env)


_FORWARDED: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": _demo,
    "bench": _bench,
    "docs": _docs,
    "faults": _faults,
    "screenshots": _screenshots,
    "heavylift": _heavylift,
}


if __name__ == "__main__":
    raise SystemExit(main())
