"""What people are told, with everything taken out that looks like a secret."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from heavylift.errors import HeavyliftError
from heavylift.spec.secrets import holds_secret

WITHHELD = "(withheld: it looks like a secret)"
_MOST = 1_500


@dataclass(frozen=True)
class Message:
    """One thing to tell.

    :param event: ``failure``, ``approval``, ``deadline`` or ``success``.
    :param todo: the next act.
    :param about: what makes it the same as an earlier one, such as task, attempt and code.
    :param link: where to look in Airflow.
    """

    event: str
    migration: str
    phase: str
    run: str
    title: str
    detail: str = ""
    todo: str = ""
    code: str = ""
    link: str = ""
    about: str = ""

    @property
    def key(self) -> str:
        """The same for two messages of which the second tells nothing new."""
        same = "\0".join((self.event, self.migration, self.phase, self.run, self.about))
        return hashlib.sha256(same.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def subject(self) -> str:
        """One line without control characters: it becomes a header of a mail."""
        line = _clean(f"[{self.event}] {self.migration}.{self.phase}: {self.title}")
        return "".join(each if each.isprintable() else " " for each in line)[:200]

    @property
    def text(self) -> str:
        """The whole, for people."""
        rows = [
            ("", self.detail),
            ("To do: ", self.todo),
            ("Code: ", f"{self.code}, heavylift explain {self.code}" if self.code else ""),
            ("Run: ", self.run),
            ("Look: ", self.link),
        ]
        return "\n".join([self.subject, *(f"{name}{_clean(text)}" for name, text in rows if text)])

    @property
    def document(self) -> dict[str, Any]:
        """The whole, for a program."""
        return {
            "schema_version": "heavylift/notification/v1",
            "event": self.event,
            "migration": self.migration,
            "phase": self.phase,
            "run": self.run,
            "title": _clean(self.title),
            "detail": _clean(self.detail),
            "todo": _clean(self.todo),
            "code": self.code,
            "link": _clean(self.link),
            "key": self.key,
            "text": self.text,
        }


def failure(
    error: HeavyliftError, *, migration: str, phase: str, run: str, task: str, attempt: int
) -> Message:
    """Return the message for a task that failed for good; mapped copies of it are told once."""
    got = f"got {error.got}" if error.got else ""
    expected = f"expected {error.expected}" if error.expected else ""
    parts = [", ".join(filter(None, (got, expected))), error.state]
    safe = "clearing it is safe" if error.retry_safe else "do not clear it before that"
    return Message(
        event="failure",
        migration=migration,
        phase=phase,
        run=run,
        title=f"task {task} failed: {error.what}",
        detail=". ".join(filter(None, parts)),
        todo=f"{error.remedy}; {safe}" if error.remedy else safe,
        code=f"HL-{error.code}",
        about=f"{task} {attempt} {error.code}",
    )


def _clean(text: str) -> str:
    # A part at a time: what hides a secret must not hide the name of the task as well.
    kept = (WITHHELD if holds_secret(line) else line for line in text.split("\n"))
    return "\n".join(kept)[:_MOST]
