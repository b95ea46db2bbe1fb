"""What is wanted of a component, what was read of it, and why something was not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from heavylift.errors import CredentialError, NotFoundError, TransientError, UnsupportedError
from heavylift.evidence.records import Severity
from heavylift.evidence.utilisation_records import Unit, Use, UseFinding
from heavylift.platforms.control import DENIED

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component

T = TypeVar("T")
Point = tuple[float, float, float | None]
"""Moment, mean and peak; None where the platform tells no peak."""


@dataclass(frozen=True)
class Window:
    """The time that is looked at, in seconds since 1970, and how finely."""

    start: float
    end: float
    step: int

    def within(self, start: float | None, end: float | None) -> Window | None:
        """Return the part between two moments; None where there is none."""
        first = max(self.start, start if start is not None else self.start)
        last = min(self.end, end if end is not None else self.end)
        return Window(first, last, self.step) if first < last else None

    def since(self, start: float | None) -> Window:
        """Return the part from a moment on; all of it where that part would be empty."""
        return self.within(start, None) or self

    def finer(self, step: int) -> Window:
        """Return the same time with another step."""
        return Window(self.start, self.end, step)


@dataclass(frozen=True)
class Read:
    """One series as it was read; its points ascend."""

    component: str
    use: Use
    unit: Unit
    metric: str
    window: Window
    points: Sequence[Point]
    instance_type: str = ""

    def fitted(self) -> Read:
        """Return the same with a time that begins no later than its first value.

        What was made anew under an old name has values from before it was made.
        """
        first = self.points[0][0]
        if first >= self.window.start:
            return self
        return replace(self, window=replace(self.window, start=first))


@dataclass(frozen=True)
class Bounds:
    """How much is asked for at most."""

    components: int = 500
    jobs: int = 100


@dataclass
class Told:
    """Collects why something is not known; one finding for each cause, however many it is about."""

    found: dict[tuple[str, str], UseFinding] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    """Components of which some finding tells why nothing, or not all, is known."""

    def note(
        self, rule: Any, subject: str, detail: str, remedy: str, *,
        components: Iterable[str] = (), permission: str = "", severity: Severity = Severity.WARNING,
    ) -> None:  # fmt: skip
        """Add a finding; a second one of the same rule and subject adds to the first."""
        named = list(components)
        self.named.update(named)
        before = self.found.get((rule, subject))
        self.found[rule, subject] = UseFinding(
            rule=rule,
            severity=severity,
            subject=subject,
            detail=detail,
            remedy=remedy,
            permission=permission,
            components=(before.components if before else 0) + len(named),
            first=before.first if before and before.first else next(iter(named), ""),
        )

    def tried(self, ask: Callable[[], T], subject: str, permission: str, about: Sequence[str]) -> T | None:
        """Return what ``ask`` returns; None where it is refused or not answered, which becomes a finding.

        :raises CredentialError: the credentials themselves are not accepted.
        """
        try:
            return ask()
        except NotFoundError:
            return None
        except CredentialError as error:
            if error.code != DENIED:
                raise
            self.note(
                "permission_missing", subject, "use is not known: reading it is not allowed",
                f"grant {permission}", components=about, permission=permission,
            )  # fmt: skip
        except UnsupportedError as error:
            self.note(
                "not_supported", subject, f"use is not known: {error.got}",
                "switch its API on, or look it up by hand", components=about,
            )  # fmt: skip
        except TransientError as error:
            self.note(
                "no_answer", subject, f"use is not known: {error.got}", "run it again", components=about
            )
        return None

    @property
    def findings(self) -> tuple[UseFinding, ...]:
        """All of them, in a fixed order."""
        return tuple(self.found[key] for key in sorted(self.found))

    @property
    def refused(self) -> bool:
        """Tell whether anything was refused, not answered or left out."""
        return any(each.is_gap for each in self.found.values())


class Reader(Protocol):
    """Reads one platform's monitoring."""

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        ...

    def wants(self, component: Component) -> bool:
        """Tell whether a component has machines whose use is of interest."""
        ...

    def is_job(self, component: Component) -> bool:
        """Tell whether a component has machines only while it runs."""
        ...

    def read(
        self, components: Sequence[Component], listed: Sequence[Component], window: Window, told: Told
    ) -> Iterator[Read]:
        """Yield the series of those components that have any.

        :param listed: all components of the inventory, for what one of them tells of another.
        """
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def moment(value: Any) -> float | None:
    """Return seconds since 1970 of what a platform calls a time; None where it is none."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return moment(datetime.fromisoformat(str(value)))
    except ValueError:
        return None


def first_moment(attributes: Mapping[str, Any], *names: str) -> float | None:
    """Return the first of the named moments that is there."""
    found = (moment(attributes[name]) for name in names if attributes.get(name))
    return next((each for each in found if each is not None), None)
