"""Where the networks of the source come to lie: one network, its two first subnets, and what overlaps."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from heavylift.infra.ranges import ipv4_of
from heavylift.infra.things import Thing

Net = ipaddress.IPv4Network
_DEFAULT = Net("10.64.0.0/16")
_LONGEST = 28
"""Smaller subnets are accepted by no cloud."""


@dataclass(frozen=True)
class Networks:
    """What the foundation takes over.

    :param primary: the network that becomes the foundation's, if the source has one.
    :param subnets: the first two subnets likewise.
    :param cidrs: settings of the foundation: ``cidr``, ``cidr_a``, ``cidr_b``.
    :param overlapping: subnets that cannot lie beside another one, by id, with the other's name.
    """

    primary: Thing | None
    subnets: tuple[Thing, ...]
    cidrs: Mapping[str, str]
    overlapping: Mapping[str, str]

    @property
    def taken(self) -> frozenset[str]:
        """Ids of what the foundation makes."""
        return frozenset(each.id for each in (self.primary, *self.subnets) if each)


def networks_of(things: Iterable[Thing]) -> Networks:
    """Return where networks and subnets come to lie; the same things always lie alike."""
    ordered = sorted(things, key=lambda each: each.id)
    primary = next((each for each in ordered if each.capability == "network"), None)
    placed: list[tuple[Thing, Net]] = []
    overlapping = {}
    for each in ordered:
        net = _net(each) if each.capability == "subnet" else None
        if net is None:
            continue
        other = next((known for known, taken in placed if taken.overlaps(net)), None)
        if other:
            overlapping[each.id] = other.name
        else:
            placed.append((each, net))
    whole = (_net(primary) if primary else None) or _around([net for _, net in placed])
    first = placed[:2]
    cidrs = [net for _, net in first]
    cidrs += _free(whole, [net for _, net in placed], 2 - len(cidrs))
    return Networks(
        primary,
        tuple(thing for thing, _ in first),
        {"cidr": str(whole), "cidr_a": str(cidrs[0]), "cidr_b": str(cidrs[1])},
        overlapping,
    )


def _net(thing: Thing) -> Net | None:
    return ipv4_of(thing.settings["cidr"]) if thing.settings.get("cidr") else None


def _around(nets: Sequence[Net]) -> Net:
    """Return the smallest network that holds all of ``nets`` and room for two more; a usual one for none."""
    if not nets:
        return _DEFAULT
    whole = nets[0]
    while whole.prefixlen and not all(each.subnet_of(whole) for each in nets):
        whole = whole.supernet()
    return whole.supernet() if whole.prefixlen > 8 else whole


def _free(whole: Net, taken: Sequence[Net], count: int) -> list[Net]:
    """Return ``count`` parts of ``whole`` that nothing overlaps; of a usual network where it is full."""
    found: list[Net] = []
    for net in (whole, _DEFAULT):
        longest = min(max(net.prefixlen + 2, 20), _LONGEST)
        if longest < net.prefixlen:
            continue
        for part in net.subnets(new_prefix=longest):
            if len(found) == count:
                return found
            if not any(part.overlaps(each) for each in (*taken, *found)):
                found.append(part)
    return found[:count]
