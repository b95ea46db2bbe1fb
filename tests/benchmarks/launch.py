"""Starts a command line and writes down what it used. Run as a plain file by a bare Python.

Until it execs, a child is its parent, and the kernel keeps that in its peak memory: so the
parent has to be small. Standard library only, and as little of it as will do.
"""

import os
import sys
import time


def main(result: str, command: list[str]) -> int:
    """Run a command to its end; write wall and processor seconds, peak KiB and exit status."""
    began = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - began
    peak_kib = usage.ru_maxrss // (1 if sys.platform == "linux" else 1024)
    figures = (wall, usage.ru_utime + usage.ru_stime, peak_kib, os.waitstatus_to_exitcode(status))
    with open(result, "w", encoding="ascii") as file:
        file.write(" ".join(map(str, figures)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
