"""What is done after terraform was killed in the middle of an application: lock, state, and what it tells."""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from heavylift.errors import IncompleteError
from heavylift.infra.progress import Progress
from heavylift.infra.terraform import Terraform

_FIELD = re.compile(r"\b(ID|Who|Operation|Created):\s+(.+?)\s*$", re.MULTILINE)
_MOST_NAMED = 20


@dataclass(frozen=True)
class Recovery:
    """What was mended.

    :param unlocked: the dead process' own lock was released.
    :param adopted: addresses that it had made, and that its state had lost.
    :param lost: likewise, where taking them into the state failed.
    """

    unlocked: bool
    adopted: tuple[str, ...]
    lost: tuple[str, ...]


def recover(
    terraform: Terraform, folder: Path, progress: Progress, known: Mapping[str, None], began: datetime
) -> Recovery:
    """Take what a killed application has made into the state, once its own lock is gone.

    A lock is released only where it was taken by this user on this machine, for an application, while the
    process that is now dead was at work: then nobody else can hold it.

    :param known: addresses that the state has.
    :param began: when the process was started.
    """
    unlocked = release_own_lock(terraform, folder, began, datetime.now(UTC))
    adopted: list[str] = []
    lost: list[str] = []
    for address, ident in progress.made.items():
        if address in known:
            continue
        done = terraform.run(folder, "import", "-input=false", "-lock-timeout=5s", address, ident)
        (adopted if done.status == 0 else lost).append(address)
    return Recovery(unlocked, tuple(adopted), tuple(lost))


def release_own_lock(terraform: Terraform, folder: Path, began: datetime, ended: datetime) -> bool:
    """Release the lock that a process of ours held when it was killed; return whether there was one.

    Idempotency: without a lock, or with somebody else's, nothing is done.
    """
    looked = terraform.run(folder, "plan", "-refresh=false", "-input=false", "-lock-timeout=0s")
    if "Error acquiring the state lock" not in looked.stderr:
        return False
    told = dict(_FIELD.findall(looked.stderr.replace("│", " ")))
    if not _is_ours(told, began, ended):
        return False
    return terraform.run(folder, "force-unlock", "-force", told["ID"]).status == 0


def _is_ours(told: Mapping[str, str], began: datetime, ended: datetime) -> bool:
    try:
        # "2026-11-29 15:03:49.123456789 +0000 UTC": the fraction has up to nine digits.
        taken = datetime.strptime(told["Created"][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return False
    owner = f"{getpass.getuser()}@{socket.gethostname()}"
    at_work = began.replace(microsecond=0) <= taken <= ended
    return told.get("Who") == owner and told.get("Operation") == "OperationTypeApply" and at_work


def killed(folder: Path, signal: int, progress: Progress, found: Recovery, kept: int) -> IncompleteError:
    """Return the error of an application whose terraform was killed."""
    adopted = f", {len(found.adopted)} of them taken into it again" if found.adopted else ""
    lock = "; its lock is released" if found.unlocked else ""
    open_ = [*progress.begun, *found.lost]
    named = ", ".join(open_[:_MOST_NAMED]) or "none"
    return IncompleteError(
        f"applying the plan of {folder}",
        got=f"a terraform that was killed by signal {signal} (often a lack of memory)",
        expected="an end of its own",
        state=f"{kept} resources are in the state{adopted}{lock}; of these nobody knows whether they are"
        f" on the platform: {named}",
        remedy="look for those on the platform; one that is there is taken into the state by 'terraform"
        " import', or deleted there. Then plan again: the new plan has only the rest",
        code="9582",
    )
