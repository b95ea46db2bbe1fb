"""What ``heavylift infra`` changes on the target is noted in the audit trail, whether it went well or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from heavylift.cli.acts import note_act
from heavylift.errors import HeavyliftError

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.records import RunKey
    from heavylift.infra.roots import Applied, Root


@dataclass(frozen=True)
class _Noted:
    run: RunKey
    evidence_url: str | None
    evidence_connection: Connection | None


def noted(
    act: Callable[[], Applied],
    root: Root,
    digest: str,
    where: tuple[str | None, str | None],
    *,
    destroy: bool,
) -> Applied:
    """Carry out ``act``, with an entry in the trail before and after it.

    The entry before comes first, so that nothing is changed that the trail knows nothing of.

    :param digest: of the approved plan.
    :param where: the evidence store's URL and connection, as the options name them.
    """
    from heavylift.cli.stores import evidence_connection
    from heavylift.evidence.records import RunKey
    from heavylift.spec.vocabulary import Phase

    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    run = RunKey(migration=root.infra.migration, phase=Phase.PROVISION.value, run=stamp)
    key = _Noted(run, where[0], evidence_connection(where[1]))
    verb = "destroy" if destroy else "apply"
    details: dict[str, Any] = {
        "digest": digest,
        "plan_digest": root.infra.plan_digest,
        "files_digest": root.infra.digest,
    }
    note_act(key, root.name, f"infra.{verb}.approved", (), details)
    try:
        done = act()
    except HeavyliftError as error:
        note_act(key, root.name, f"infra.{verb}.failed", (), {**details, "code": f"HL-{error.code}"})
        raise
    note_act(key, root.name, f"infra.{verb}.done", (), {**details, **done.counts, "kept": done.kept})
    return done
