"""Tells people of an event once, whoever else sees it too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from heavylift.errors import AlreadyExistsError
from heavylift.evidence.records import utc_now
from heavylift.notify.channels import send
from heavylift.spec.vocabulary import Occasion

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.store import EvidenceStore
    from heavylift.notify.message import Message
    from heavylift.spec.platforms import Notify

NOTIFY_FOLDER = "~notify"
"""Beside a migration's runs: a file for each message that was sent, so that none is sent twice."""


async def tell_people(
    store: EvidenceStore, notify: Notify | None, connections: Callable[[str], Connection], message: Message
) -> bool:
    """Send ``message`` where the spec asks for its event and nobody has sent it; return whether it was.

    Of two that see the same event one sends. What could not be sent is not tried again: the next attempt of
    the task is an event of its own.

    :raises ConnectionConfigError: the channel's connection is missing or lacks a field.
    :raises ServerUnavailableError: the channel did not take it.
    """
    if notify is None or Occasion(message.event) not in notify.on:
        return False
    connection = connections(notify.connection)
    path = f"{message.migration}/{NOTIFY_FOLDER}/{message.key}.json"
    claim = {"event": message.event, "phase": message.phase, "run": message.run, "at": utc_now().isoformat()}
    if await store.exists(path):
        return False
    try:
        await store.write_json(path, claim)
    except AlreadyExistsError:
        return False
    await asyncio.to_thread(send, connection, notify.recipients, message)
    return True
