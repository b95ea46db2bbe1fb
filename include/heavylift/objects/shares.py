"""What single objects grant to others by lists of their own: told before a move, as it stays behind."""

from __future__ import annotations

from collections import Counter

from heavylift.errors import HeavyliftError, NotFoundError, TransientError
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.wording import counted
from heavylift.platforms.containers import ContainerTrait, shared, unknown
from heavylift.platforms.grants import EVERYONE, AccessLists, HasAccessLists
from heavylift.platforms.ports import ObjectStore

_FOR_EVERYONE = {
    "s3": "allow s3:GetObject to everyone on this prefix by the target bucket's policy",
    "gs": "give allUsers the role roles/storage.objectViewer on the target's bucket or managed folder",
    "az": "set the target container's access level to blob, where the account allows it",
}
"""What stands for such a list on the target, by its scheme."""


class Shares:
    """What the objects that were looked at grant to others; asks until the source refuses to tell.

    :param granted: how many objects grant each thing.
    :param unknown: why the source does not tell; empty where it does.
    """

    def __init__(self, source: ObjectStore) -> None:
        self._lists: AccessLists | None = (
            source.access_lists() if isinstance(source, HasAccessLists) else None
        )
        self._asking = False
        self.granted: Counter[str] = Counter()
        self.unknown = ""

    async def begin(self) -> None:
        """Ask whether single objects have such lists at all; without this call nothing is asked.

        :raises TransientError: the source does not answer.
        """
        if self._lists is None:
            return
        try:
            self._asking = await self._lists.in_use()
        except TransientError:
            raise
        except HeavyliftError as error:
            self.unknown = error.got

    async def at(self, key: str) -> None:
        """Count what one object grants; one request.

        :raises TransientError: the source does not answer.
        """
        if self._lists is None or not self._asking:
            return
        try:
            self.granted.update(await self._lists.granted(key))
        except TransientError:
            raise
        except NotFoundError:
            return  # Gone since it was listed: the copy deals with that.
        except HeavyliftError as error:
            self._asking, self.unknown = False, error.got


def shared_findings(dataset: str, shares: Shares, looked_at: int, scheme: str) -> list[Finding]:
    """Return notes on what is granted, the most frequent first.

    :param scheme: the target's.
    """
    found = []
    for what, number in shares.granted.most_common():
        trait = shared(f"{counted(number, 'object')} of {looked_at:,} looked at: {what}")
        public = _FOR_EVERYONE.get(scheme) if what.endswith(f" to {EVERYONE}") else None
        found.append(_finding(dataset, trait, public or trait.remedy))
    if shares.unknown:
        trait = unknown("object-acl", shares.unknown)
        found.append(_finding(dataset, trait, trait.remedy))
    return found


def _finding(dataset: str, trait: ContainerTrait, remedy: str) -> Finding:
    return Finding(
        rule=trait.rule, severity=Severity.NOTE, subject=dataset, detail=trait.detail, remedy=remedy
    )
