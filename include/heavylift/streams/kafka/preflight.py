"""What stands in the way of a mirror, found before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from heavylift.errors import ConflictError, HeavyliftError, IntegrityError, NotFoundError
from heavylift.evidence.records import Finding, Severity
from heavylift.kafka.cluster import Cluster, PartitionKey, TopicView
from heavylift.kafka.ends import Bounds
from heavylift.streams.kafka.topics import chosen_topics, without_topic
from heavylift.streams.map_records import MapState
from heavylift.streams.requests import StreamOptions

_NOTHING = "nothing was written"


@dataclass
class Sides:
    """All that was read from both sides, and what was found wrong with it."""

    source: dict[str, TopicView]
    target: dict[str, TopicView]
    state: MapState
    source_bounds: dict[PartitionKey, Bounds] = field(default_factory=dict)
    target_bounds: dict[PartitionKey, Bounds] = field(default_factory=dict)
    refusals: list[HeavyliftError] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def partitions(self) -> list[PartitionKey]:
        """Return all partitions of the source, in order."""
        return [
            (name, number) for name, view in sorted(self.source.items()) for number in range(view.partitions)
        ]


def chosen(
    source: Cluster, patterns: Sequence[str], only: Collection[str] | None = None
) -> dict[str, TopicView]:
    """Return the source's topics that are meant.

    :param only: just those of them; None for all.
    :raises NotFoundError: a topic that is named is missing, or no topic is meant.
    """
    names = source.topic_names()
    missing = without_topic(names, patterns)
    meant = chosen_topics(names, patterns)
    if missing or not meant:
        raise NotFoundError(
            f"choosing topics on the source ({source.address})",
            got=f"no topic {', '.join(missing)}" if missing else f"no topic like {', '.join(patterns)}",
            expected=f"one of {', '.join(chosen_topics(names, ('*',))[:10]) or 'its topics (it has none)'}",
            state=_NOTHING,
            remedy="correct the topics' names or patterns; or the credentials may not see them",
            code="6520",
        )
    return source.topics([name for name in meant if only is None or name in only])


def judge(sides: Sides, options: StreamOptions, same_cluster: bool) -> None:
    """Look for everything that stands in the way, and add it to ``sides``."""
    if same_cluster:
        sides.refusals.append(_into_itself())
    for name, view in sorted(sides.source.items()):
        target = sides.target.get(name)
        if target is not None and target.partitions != view.partitions:
            sides.refusals.append(_other_count(view, target))
        claim = sides.state.topics.get(name)
        if claim is not None and (
            claim.source_id != view.id or (target is not None and claim.target_id != target.id)
        ):
            sides.refusals.append(_made_anew(name, claim.source_id != view.id))
        elif claim is not None and target is None:
            sides.refusals.append(_target_gone(name))
    if not sides.refusals:
        for key in sides.partitions():
            _judge_partition(sides, key, options)


def _judge_partition(sides: Sides, key: PartitionKey, options: StreamOptions) -> None:
    source, target = sides.source_bounds[key], sides.target_bounds.get(key, Bounds(0, 0))
    known = sides.state.maps.get(key)
    if known is None:
        if target.end > target.first:
            sides.refusals.append(_foreign(key, target))
        return
    if target.end < known.target_next:
        sides.refusals.append(_lost(key, target.end, known.target_next))
    if source.end < known.source_next:
        sides.refusals.append(_shrunk(key, source.end, known.source_next))
    if source.first > known.source_next:
        expired = source.first - known.source_next
        if options.accept_expired:
            sides.findings.append(_expired_finding(key, expired))
        else:
            sides.refusals.append(_expired(key, expired))


def check_settings(sides: Sides, configs: Callable[[str], Mapping[str, str]]) -> None:
    """Refuse a target topic that would change the records it is given.

    :param configs: returns the settings of one of the target's topics.
    """
    for name in sorted(set(sides.source) & set(sides.target)):
        if configs(name).get("message.timestamp.type") == "LogAppendTime":
            sides.refusals.append(
                ConflictError(
                    f"mirroring into topic {name!r}",
                    got="message.timestamp.type=LogAppendTime on the target's topic",
                    expected="CreateTime, so that records keep their timestamps",
                    state=_NOTHING,
                    remedy=f"kafka-configs --alter --topic {name}"
                    " --add-config message.timestamp.type=CreateTime",
                    code="6521",
                )
            )


def refusal_findings(refusals: Sequence[HeavyliftError]) -> list[Finding]:
    """Return the refusals as findings of a plan."""
    return [
        Finding(
            rule=f"HL-{error.code}",
            severity=Severity.BLOCKER,
            subject=error.what,
            detail=f"got {error.got}, expected {error.expected}",
            remedy=error.remedy,
        )
        for error in refusals
    ]


def _at(key: PartitionKey) -> str:
    return f"{key[0]}[{key[1]}]"


def _into_itself() -> ConflictError:
    return ConflictError(
        "mirroring a stream",
        got="the same brokers as source and target",
        expected="two clusters: topics keep their names",
        state=_NOTHING,
        remedy="correct one of the two connections",
        code="6522",
    )


def _other_count(source: TopicView, target: TopicView) -> ConflictError:
    fewer = target.partitions < source.partitions
    alter = f"kafka-topics --alter --topic {source.name} --partitions {source.partitions}"
    return ConflictError(
        f"mirroring into topic {source.name!r}",
        got=f"{target.partitions} partitions on the target",
        expected=f"{source.partitions}, as on the source: a key's partition follows from their number",
        state=_NOTHING,
        remedy=f"{alter} on the target" if fewer else "delete the target's topic, or mirror another one",
        code="6523",
    )


def _made_anew(name: str, source: bool) -> ConflictError:
    return ConflictError(
        f"going on with topic {name!r}",
        got=f"a topic on the {'source' if source else 'target'} that was made anew since the mirror began",
        expected="the topic of the offset map",
        state=_NOTHING,
        remedy="mirror it under another stream name into a topic that is empty on the target",
        retry_safe=False,
        code="6524",
    )


def _target_gone(name: str) -> NotFoundError:
    return NotFoundError(
        f"going on with topic {name!r}",
        got="no such topic on the target any more",
        expected="the topic that the offset map tells of",
        state=_NOTHING,
        remedy="delete the stream's map topic as well and begin anew, or restore the topic",
        code="6525",
    )


def _foreign(key: PartitionKey, target: Bounds) -> ConflictError:
    return ConflictError(
        f"mirroring into {_at(key)}",
        got=f"{target.end - target.first} records on the target that Heavylift did not write",
        expected="an empty topic, or one that this stream's offset map tells of",
        state=_NOTHING,
        remedy="empty or delete the target's topic if its records are nobody's; was the stream's name the"
        " same in the earlier run?",
        code="6526",
    )


def _lost(key: PartitionKey, end: int, wanted: int) -> IntegrityError:
    return IntegrityError(
        f"going on with {_at(key)}",
        got=f"the target ends at offset {end}",
        expected=f"at least {wanted}, up to which records were acknowledged",
        state=f"{_NOTHING}; the target has lost records since, as by an unclean leader election",
        remedy="mirror into a new topic under another stream name; the target's log tells what was lost",
        retry_safe=False,
        code="6527",
    )


def _shrunk(key: PartitionKey, end: int, wanted: int) -> IntegrityError:
    return IntegrityError(
        f"going on with {_at(key)}",
        got=f"the source ends at offset {end}",
        expected=f"at least {wanted}, up to which it was mirrored",
        state=f"{_NOTHING}; the source has lost records that the target has",
        remedy="look into the source's log; the target holds the records that were lost",
        retry_safe=False,
        code="6528",
    )


def _expired(key: PartitionKey, count: int) -> IntegrityError:
    return IntegrityError(
        f"going on with {_at(key)}",
        got=f"{count} offsets that the source let go before they were mirrored",
        expected="retention that is longer than the time between two runs",
        state=f"{_NOTHING}; records of those offsets are lost to the mirror",
        remedy="lengthen retention.ms on the source; --accept-expired goes on without them, and says so",
        code="6529",
    )


def _expired_finding(key: PartitionKey, count: int) -> Finding:
    return Finding(
        rule="expired_before_mirrored",
        severity=Severity.WARNING,
        subject=_at(key),
        detail=f"{count} offsets expired on the source before they were mirrored; this was accepted",
        remedy="lengthen retention.ms on the source, or mirror more often",
    )
