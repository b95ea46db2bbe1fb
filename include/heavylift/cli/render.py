"""Renders errors for a terminal: the five parts of the message, each on a line of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.errors import HeavyliftError

if TYPE_CHECKING:
    from heavylift.spec.problems import Mark, SpecFileError


def render_error(error: HeavyliftError) -> str:
    """Return ``error`` as lines of text.

    The problems of a spec file begin with ``file:line:column:``, which terminals and editors
    open at a click.
    """
    from heavylift.spec.problems import SpecFileError

    if isinstance(error, SpecFileError):
        return _spec_file(error)
    parts = (
        ("got", error.got),
        ("expected", error.expected),
        ("state", error.state),
        ("to fix", error.remedy),
        ("retry", "safe" if error.retry_safe else "unsafe"),
    )
    lines = [f"error: {error.what} failed [HL-{error.code}]"]
    lines += [f"  {name + ':':<10}{text}" for name, text in parts if text]
    return "\n".join(lines)


def _spec_file(error: SpecFileError) -> str:
    lines = [
        f"{_place(problem.mark)}: {problem.render(with_place=False)} [HL-{problem.code}]"
        for problem in error.problems
    ]
    count = len(error.problems)
    lines.append(f"error: {error.file} has {count} problem{'s' if count > 1 else ''}; {error.state}")
    return "\n".join(lines)


def _place(mark: Mark) -> str:
    return f"{mark.file}:{mark.line}:{mark.column}" if mark.line else mark.file
