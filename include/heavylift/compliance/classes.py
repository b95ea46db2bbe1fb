"""What each thing counts as: by scans, by statements, and by what flows to it from others, with the chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from heavylift.compliance.flow import Chain, Flow, inherited
from heavylift.compliance.lineage import SAME, SUBJECT, Lineage
from heavylift.compliance.path import Seen, Subject
from heavylift.evidence.inventory_records import Kind
from heavylift.spec.sections_compliance import Compliance, Declassification

LOW = 0.8
"""Confidence below which a chain is told to be unsure. It counts all the same."""
JUDGED_KINDS = frozenset({Kind.MODEL, Kind.ENDPOINT, Kind.TRAINING_PIPELINE, Kind.FEATURE_STORE})
"""Kinds that follow the workload: they are judged where they inherit classes, named by a section or not."""


@dataclass(frozen=True)
class Derived:
    """Something that has classes from others.

    :param node: of something in the spec, its name; else the component's id.
    :param kind: of a component; empty of something in the spec.
    """

    node: str
    name: str
    kind: str
    region: str
    chains: Mapping[str, Chain]
    steps: Mapping[str, tuple[str, ...]]

    @property
    def classes(self) -> frozenset[str]:
        """What it inherits."""
        return frozenset(self.chains)


@dataclass(frozen=True)
class Classified:
    """All of it.

    :param subjects: of the spec, with what they count as.
    :param derived: what inherits, of the spec and of the graph.
    :param declassified: statements that kept a class from somewhere, each with what it kept from where.
    """

    subjects: tuple[Subject, ...]
    derived: tuple[Derived, ...]
    declassified: Mapping[Declassification, frozenset[tuple[str, str]]]


def classify(
    subjects: Sequence[Subject],
    scanned: Mapping[str, Seen],
    rules: Compliance,
    lineage: Lineage,
    today: date,
) -> Classified:
    """Return what everything counts as.

    A class that a scan found, or that somebody stated, stays. One that is only inherited stops where it is
    declassified, by a statement that has not expired.

    :param scanned: subject → what its newest scan says.
    """
    held, proof = _held(subjects, scanned, rules)
    stated = [
        Flow(SUBJECT + origin, SUBJECT + each.subject, "stated")
        for each in rules.classify
        for origin in each.made_from
    ]
    stops = _Stops(rules.declassify, lineage, today)
    flows = (*lineage.flows, *stated)
    nodes = {SUBJECT + name: classes for name, classes in held.items() if classes}
    found = inherited(flows, nodes, stops)
    derived = [
        _derived(node, chains, lineage)
        for node, chains in sorted(found.items())
        if not node.startswith(SUBJECT) or node.removeprefix(SUBJECT) in held
    ]
    stated_for = {each.subject for each in rules.classify}
    classified = []
    for each in subjects:
        mine = next((one for one in derived if one.node == SUBJECT + each.name), None)
        classes = held[each.name]
        if mine is not None:
            classes = (classes or frozenset()) | mine.classes
            proof[each.name] += [f"inherited {_told(name, mine)}" for name in sorted(mine.classes)]
        proved = each.name in stated_for or (each.name in scanned and scanned[each.name].proved)
        classified.append(replace(each, classes=classes, proof="; ".join(proof[each.name]), proved=proved))
    return Classified(tuple(classified), tuple(derived), stops.used)


def _held(
    subjects: Sequence[Subject], scanned: Mapping[str, Seen], rules: Compliance
) -> tuple[dict[str, frozenset[str] | None], dict[str, list[str]]]:
    held: dict[str, frozenset[str] | None] = {}
    proof: dict[str, list[str]] = {}
    for subject in subjects:
        seen = scanned.get(subject.name, Seen(None, "not scanned"))
        held[subject.name], proof[subject.name] = seen.classes, [seen.proof]
    for stated in rules.classify:
        if stated.subject in held:
            more = frozenset(each.value for each in stated.classes)
            held[stated.subject] = (held[stated.subject] or frozenset()) | more
            proof[stated.subject].append(f"stated: {stated.reason}")
    return held, proof


def _told(name: str, derived: Derived) -> str:
    chain = derived.chains[name]
    unsure = f" (unsure: {chain.confidence:.2f})" if chain.confidence < LOW else ""
    return f"{name}: {' → '.join(derived.steps[name])}{unsure}"


def _derived(node: str, chains: Mapping[str, Chain], lineage: Lineage) -> Derived:
    component = lineage.components.get(node)
    steps = {name: _steps(chain, lineage) for name, chain in chains.items()}
    if component is None:
        return Derived(node, node.removeprefix(SUBJECT), "", "", chains, steps)
    return Derived(node, component.name, component.kind.value, component.region, chains, steps)


def _steps(chain: Chain, lineage: Lineage) -> tuple[str, ...]:
    following = [
        f"{_shown(flow.derived, lineage)} [{flow.why}, {flow.confidence:.2f}]" for flow in chain.flows
    ]
    return _shown(chain.flows[0].origin, lineage), *following


def _shown(node: str, lineage: Lineage) -> str:
    component = lineage.components.get(node)
    return f"{component.kind.value} {component.name}" if component else node.removeprefix(SUBJECT)


class _Stops:
    """Tells which classes somebody keeps from a node, and notes which statements were used for that."""

    def __init__(self, stated: Iterable[Declassification], lineage: Lineage, today: date) -> None:
        self._stated = [each for each in stated if each.expires is None or today <= each.expires]
        self._lineage = lineage
        self.used: dict[Declassification, frozenset[tuple[str, str]]] = {}

    def __call__(self, flow: Flow, name: str) -> bool:
        if flow.why == SAME:
            # One thing under two names: what it holds itself is nothing that it inherits.
            return False
        node = flow.derived
        component = self._lineage.components.get(node)
        names = {node.removeprefix(SUBJECT)} | ({component.name} if component else set())
        for each in self._stated:
            fits = name in each.classes and any(fnmatchcase(one, each.subject) for one in names)
            if fits:
                kept = (_shown(node, self._lineage), name)
                self.used[each] = self.used.get(each, frozenset()) | {kept}
                return True
        return False
