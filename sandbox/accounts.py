"""Running a server as an ordinary user where the sandbox itself is run by root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import UnsupportedError

_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user that PostgreSQL accepts.

    :param ids: user and group to switch to, or None when no switch is needed.
    """

    name: str
    ids: tuple[int, int] | None

    def may(self, test: str, path: Path) -> bool:
        """Tell whether the account passes ``test -x``, ``-w`` and so on for a path."""
        if self.ids is None:
            return subprocess.run([_test(), test, str(path)], check=False).returncode == 0
        uid, gid = self.ids
        argv = [_test(), test, str(path)]
        done = subprocess.run(argv, check=False, cwd="/", user=uid, group=gid, extra_groups=[])
        return done.returncode == 0

    def own(self, path: Path) -> None:
        """Give a file or folder to the account."""
        if self.ids is not None:
            os.chown(path, *self.ids)


def unprivileged() -> Account:
    """Return the present user, or for root the first ordinary account of this machine.

    :raises UnsupportedError: root's machine has neither of the accounts looked for.
    """
    if os.geteuid() != 0:
        return Account("the present user", None)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, (entry.pw_uid, entry.pw_gid))
    raise UnsupportedError(
        "starting PostgreSQL as root",
        got="no ordinary account to run it as",
        expected=f"one of {', '.join(_CANDIDATES)}",
        state="nothing was started",
        remedy="run ./dev as an ordinary user, or add the user postgres",
        code="9030",
    )


def _test() -> str:
    return shutil.which("test") or "/usr/bin/test"
