"""Rules about the ``envelopes`` section."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import resolve_datasets, resolve_place
from heavylift.spec.rule import Broken
from heavylift.spec.vocabulary import Check, Phase


def envelope_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the envelopes of ``spec``."""
    moves = spec.datasets or spec.databases or spec.streams
    taken = [
        ("the target of a dataset", _folder(each.target.connection, each.target.url))
        for each in resolve_datasets(spec)
    ]
    for index, each in enumerate(spec.envelopes):
        if not moves:
            yield Broken(
                "9363",
                ("envelopes", index),
                "envelopes alone",
                "a dataset, database or stream beside them, for the gate of the phase transfer, which seals",
            )
        source, target = resolve_place(spec.source, each.source), resolve_place(spec.target, each.target)
        mine = _folder(target.connection, target.url)
        for what, other in [("its source", _folder(source.connection, source.url)), *taken]:
            if mine.startswith(other) or other.startswith(mine):
                yield Broken(
                    "9364",
                    ("envelopes", index, "target"),
                    f"{each.target.url}, which overlaps {what}",
                    "a prefix of its own, so that what is sealed can be listed by itself",
                )
        taken.append((f"the target of envelope {each.name}", mine))
    yield from _gates_have_envelopes(spec)


def _gates_have_envelopes(spec: MigrationSpec) -> Iterator[Broken]:
    for index, gate in enumerate(spec.gates):
        if Check.ENVELOPES_VERIFIED not in gate.checks or (spec.envelopes and gate.phase is Phase.TRANSFER):
            continue
        yield Broken(
            "9773",
            ("gates", index, "checks", gate.checks.index(Check.ENVELOPES_VERIFIED)),
            f"the check {Check.ENVELOPES_VERIFIED.value!r} in the phase {gate.phase.value} of a spec with"
            f" {len(spec.envelopes)} envelopes",
            "a gate of the phase transfer, which seals them, and an entry of envelopes",
            "name an envelope and move the check to a gate of transfer, or take it out",
        )


def _folder(connection: str, url: str) -> str:
    """Return a text that begins with another one's where a place lies inside that other."""
    return f"{'' if url.startswith('file:') else connection} {url.rstrip('/')}/"
