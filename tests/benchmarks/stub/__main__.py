"""``python -m tests.benchmarks.stub``: serve the stub store, and print its URL once it answers."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

import uvloop

from tests.benchmarks.stub.protocol import Connection
from tests.benchmarks.stub.store import Store

_SCRATCH_BYTES = 1 << 20


async def serve(port: int, objects: int, size_bytes: int, *, attached: bool) -> None:
    """Serve on the loopback interface until SIGTERM or SIGINT; print the URL once it answers.

    :param attached: also end when standard input is closed, as it is when who started it dies.
    """
    store, scratch = Store(objects, size_bytes), bytearray(_SCRATCH_BYTES)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(store, scratch), "127.0.0.1", port, backlog=1024)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if attached:
        loop.add_reader(sys.stdin.fileno(), ended.set)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()
    server.close()


def main(arguments: list[str]) -> int:
    """Serve with the settings of a command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stub", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--objects", type=int, default=10_000, help="objects in the bucket 'bench'")
    parser.add_argument("--size", type=int, default=16 * 1024, help="bytes of each object")
    parser.add_argument("--attached", action="store_true", help="end when standard input is closed")
    options = parser.parse_args(arguments)
    uvloop.run(serve(options.port, options.objects, options.size, attached=options.attached))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
