"""Passing an installer's output on to the terminal. Standard library only."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

_COLOUR = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_PACKAGE = re.compile(rb"\s*[+\-~] \S+==")


def run_shown(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a command with its output shown as it comes, less lines such as ``+ package==1.0``.

    On a terminal the command gets a terminal too, so that it draws its progress bars.
    """
    if not sys.stderr.isatty():
        return _run(argv, env, subprocess.PIPE)
    reader, writer = pty.openpty()
    try:
        return _run(argv, env, writer, reader)
    finally:
        os.close(reader)


def _run(argv: Sequence[str], env: Mapping[str, str], output: int, reader: int | None = None) -> int:
    with subprocess.Popen(argv, env=dict(env), stdout=output, stderr=subprocess.STDOUT) as child:
        if reader is None:
            reader = child.stdout.fileno() if child.stdout else -1
        else:
            os.close(output)
        for piece in interesting(_chunks(reader)):
            sys.stderr.buffer.write(piece)
            sys.stderr.buffer.flush()
    return child.returncode


def interesting(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the output without the lines that name single packages.

    A line that is not finished yet is passed on too, unless it may become such a line.
    """
    held = b""
    for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            if not _PACKAGE.match(_COLOUR.sub(b"", line)):
                yield line + b"\n"
        bare = _COLOUR.sub(b"", held).lstrip()
        if bare and bare[:1] not in b"+-~":
            yield held
            held = b""
    if held:
        yield held


def _chunks(reader: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(reader, 65536)
        except OSError:  # a pseudo-terminal whose other end is closed
            return
        if not chunk:
            return
        yield chunk
