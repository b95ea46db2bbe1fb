"""The commands of ``./dev``: ``python -m sandbox.dev COMMAND``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from heavylift.errors import HeavyliftError
from sandbox import paths, stack
from sandbox.model import Server


def _progress(server: Server, what: str, seconds: float) -> None:
    timing = f"{seconds:6.1f} s" if seconds else " " * 8
    print(f"  {server.name:<16} {timing}  {server.title} {what}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="./dev")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up")
    commands.add_parser("down")
    options = parser.parse_args(argv)
    try:
        if options.command == "up":
            up = stack.Stack.start(paths.STATE_DIR, detached=True, report=_progress)
            print(f"\nsource {os.path.relpath(up.state_dir / 'env')}")
        else:
            print(stack.stop_all(paths.STATE_DIR), "servers stopped")
    except HeavyliftError as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
