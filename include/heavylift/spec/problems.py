"""What is wrong with a spec file: every problem at once, each with its place in the file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from heavylift.errors import SpecError
from heavylift.spec.secrets import hides

FieldPath = tuple[str | int, ...]
"""Where in the spec: keys and list indices from the top."""

SEVERAL = "2100"
MAX_SHOWN = 40
"""Problems that a message shows; the rest are in :attr:`SpecFileError.problems`."""


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file; line and column count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    :param field: the field's path in the spec, such as ``datasets[0].source.url``.
    :param got: what the file says; never a secret.
    :param expected: what is allowed there.
    :param hint: what was most likely meant.
    """

    code: str
    mark: Mark
    field: str
    got: str
    expected: str
    hint: str = ""

    def render(self, *, with_place: bool = True) -> str:
        """Return the problem on one line, without the file's name and the code.

        :param with_place: begin with the line and column.
        """
        place = f"line {self.mark.line}, column {self.mark.column}" if self.mark.line and with_place else ""
        where = ", ".join(part for part in (place, self.field) if part)
        said = ", ".join(
            part
            for part in (
                self.got and f"got {self.got}",
                self.expected and f"expected {self.expected}",
            )
            if part
        )
        return (f"{where}: " if where else "") + said + (f"; {self.hint}" if self.hint else "")


class SpecFileError(SpecError):
    """A spec file is wrong; nothing of it is used.

    :param file: the file, as it was named by the caller.
    :param problems: all that is wrong with it, in the file's order.
    """

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.file = file
        self.problems = problems
        single = problems[0] if len(problems) == 1 else None
        super().__init__(
            f"reading the migration spec {file}",
            got=single.render() if single else f"{len(problems)} problems",
            expected="" if single else "none",
            state="nothing of this file is used, nothing was touched",
            remedy=f"correct the file, then run: python -m heavylift spec check {file}",
            code=single.code if single else SEVERAL,
        )

    def render(self) -> str:
        """Return the five-part message, with one line for each problem where there are several."""
        head = f"{self.what} failed"
        if len(self.problems) == 1:
            head += f": {self._line(self.problems[0]).rstrip('.')}. "
        else:
            shown = self.problems[:MAX_SHOWN]
            lines = "".join(f"\n  - {self._line(p)} [HL-{p.code}]" for p in shown)
            if len(shown) < len(self.problems):
                lines += f"\n  - and {len(self.problems) - len(shown)} more"
            head += f": got {len(self.problems)} problems, expected none.{lines}\n"
        retry = "safe" if self.retry_safe else "unsafe"
        return f"{head}State: {self.state}. To fix: {self.remedy}. Retry: {retry}. [HL-{self.code}]"

    def attrs(self) -> dict[str, Any]:
        """Return the parts and the problems as plain JSON."""
        return {**super().attrs(), "file": self.file, "problems": [asdict(p) for p in self.problems]}

    def _line(self, problem: Problem) -> str:
        other = "" if problem.mark.file == self.file else f"{problem.mark.file}, "
        return other + problem.render()


def field_text(path: FieldPath) -> str:
    """Return ``path`` as people write it: ``datasets[0].source.url``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = "(hidden)" if hides(part) else part
            text += f".{shown}" if text else shown
    return text
