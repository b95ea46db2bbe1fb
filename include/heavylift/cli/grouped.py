"""Options that several commands share, declared once: a command takes them as one dataclass."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.stores import Evidence, EvidenceConn, evidence_connection

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore


@dataclasses.dataclass(frozen=True)
class Kept:
    """Where a command keeps its evidence, and under which name."""

    migration: Annotated[str, typer.Option(help="Name under which evidence lies.")] = MIGRATION
    evidence: Evidence = None
    evidence_conn: EvidenceConn = None

    def keep(self, write: Callable[[EvidenceStore], Awaitable[Any]]) -> None:
        """Open the store, making its folder where there is none, and let ``write`` write to it."""
        from heavylift.aio import run
        from heavylift.evidence.store import open_evidence

        async def kept() -> None:
            async with open_evidence(self.evidence, evidence_connection(self.evidence_conn)) as store:
                await write(store)

        run(kept())


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take a dataclass as a parameter: each of its fields is an option of the command's own.

    The options stand in the help where the parameter stands in the signature.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        kind = hints[parameter.name]
        if dataclasses.is_dataclass(kind):
            groups[parameter.name] = kind
            parameters += _options(kind)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind))

    @wraps(command)
    def called(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{each.name: given.pop(each.name) for each in dataclasses.fields(kind)})
        command(**given)

    # Typer asks for both.
    vars(called)["__signature__"] = inspect.Signature(parameters)
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def _options(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is dataclasses.MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in dataclasses.fields(kind)
    ]
