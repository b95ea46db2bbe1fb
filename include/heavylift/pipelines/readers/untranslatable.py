"""What a reader raises where a step has no neutral form; the step then becomes a stub."""

from __future__ import annotations

from heavylift.pipelines.model import Literal, Retry, Step
from heavylift.pipelines.notes import Notes


class UntranslatableStepError(Exception):
    """Says why a step cannot be translated and what to do; never leaves the readers.

    :param what: the reason.
    :param remedy: what to do about it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


OWN_CONTAINER = "write a container that does it and name it in the mapping: steps.{name}"


def stub(name: str, origin: str, why: UntranslatableStepError, after: tuple[str, ...], notes: Notes) -> Step:
    """Return a step that fails and says why, and note it."""
    notes.untranslated(name, f"{origin}: {why.what}", why.remedy)
    message = f"{name} ({origin}) was not translated: {why.what}. To fix: {why.remedy}"
    return Step(name, "stub", origin, after=after, message=Literal(message), retry=Retry())
