"""Which images move, pinned to what their tags are now, and what they are called on the target."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from heavylift.errors import CredentialError, HeavyliftError, PermanentError, SpecError
from heavylift.images.opening import OpenRegistry
from heavylift.images.requests import ImagesRequest
from heavylift.patterns import selector
from heavylift.platforms.http_errors import FORBIDDEN
from heavylift.platforms.oci.names import REPOSITORY, TAG, Place, Reference, is_of_referrers, parse_reference
from heavylift.spec.sections_containers import Containers, RepositoryRename

PARALLEL = 8
_WILD = frozenset("*?[")
_LEAVE_OUT = "leave it out (containers.exclude or exclude_tags), or mend it there"


@dataclass(frozen=True)
class Chosen:
    """One image that moves.

    :param digest: what its tag is now; whatever the tag becomes, this is copied.
    :param refused: why it cannot be moved; ``remedy`` what to do about it.
    """

    source: Reference
    target: Reference
    digest: str = ""
    refused: str = ""
    remedy: str = ""
    code: str = ""


@dataclass(frozen=True)
class Plan:
    """What moves.

    :param tags: repository of the source → all of its tags, which tell of referrers.
    """

    chosen: tuple[Chosen, ...]
    tags: dict[str, frozenset[str]] = field(default_factory=dict)


async def plan_images(request: ImagesRequest, source: OpenRegistry) -> Plan:
    """Return the selected images, sorted, each pinned to a digest; two of one name are both refused.

    :raises SpecError: nothing is selected, or a name cannot be read.
    :raises CredentialError: the registry refuses the credentials.
    """
    wanted, places = request.wanted, request.places
    by_name = _named(request, source.place)
    chosen_by_name = request.named is not None or bool(wanted.images)
    repositories = await _repositories(wanted, source, by_name=chosen_by_name)
    tags = {
        name: await _tags(source, name) for name in sorted({*repositories, *(r.repository for r in by_name)})
    }
    references = {str(each): each for each in by_name}
    fits = selector(wanted.tags, wanted.exclude_tags)
    for name in repositories:
        for tag in tags[name].names:
            if not is_of_referrers(tag) and fits(tag):
                made = Reference(source.place.host, name, tag)
                references.setdefault(str(made), made)
    chosen = [_renamed(each, places, wanted.rename) for _, each in sorted(references.items())]
    chosen += [_lost(name, each.error, source, places) for name, each in tags.items() if each.error]
    if not chosen:
        raise _nothing(request)
    pinned = await _pinned(_apart(chosen), source)
    return Plan(tuple(pinned), {name: frozenset(each.names) for name, each in tags.items()})


@dataclass(frozen=True)
class _Tags:
    names: tuple[str, ...] = ()
    error: HeavyliftError | None = None


def _named(request: ImagesRequest, place: Place) -> list[Reference]:
    """Return the images that are named one by one; of those that manifests name, the source's own."""
    found = []
    for text in request.wanted.images:
        first = text.partition("/")[0]
        full = text if first == place.host else f"{place.host}/{place.full(text)}"
        found.append(parse_reference(full))
    for text in request.named or ():
        try:
            each = parse_reference(text)
        except SpecError:
            continue  # templates and the like, which the check of the manifests names
        if each.host == place.host and place.below(each.repository) is not None:
            found.append(each)
    return found


async def _repositories(wanted: Containers, source: OpenRegistry, *, by_name: bool) -> list[str]:
    """Return the full names of the repositories whose tags are looked at."""
    patterns = wanted.repositories
    if not patterns:
        if by_name:
            return []
        patterns = ("**",)
    plain = [each for each in patterns if not _WILD.intersection(each)]
    fits = selector(patterns, wanted.exclude)
    found = {source.place.full(each) for each in plain if fits(each)}
    if len(plain) < len(patterns):
        listed = await source.account.repositories()
        for name in await source.registry.repositories() if listed is None else listed:
            below = source.place.below(name)
            if below is not None and fits(below):
                found.add(name)
    return sorted(found)


async def _tags(source: OpenRegistry, repository: str) -> _Tags:
    if not REPOSITORY.fullmatch(repository):
        return _Tags()  # _renamed refuses what is named so; a catalogue's is nobody's to ask for
    try:
        names = await source.registry.tags(repository)
    except PermanentError as error:
        _demand_welcome(error)
        return _Tags(error=error)
    return _Tags(tuple(each for each in names if TAG.fullmatch(each)))


def _renamed(each: Reference, places: tuple[Place, Place], rename: RepositoryRename) -> Chosen:
    source, target = places
    below = source.below(each.repository) or each.repository
    name = rename.names.get(below)
    if name is None:
        name = rename.add_prefix + below.removeprefix(rename.strip_prefix)
    full = target.full(name)
    made = Chosen(each, Reference(target.host, full, each.tag, each.digest))
    if not REPOSITORY.fullmatch(full):
        why = f"{full!r:.120} is no name of a repository"
        return replace(made, refused=why, remedy="give it one in containers.rename.names")
    return made


def _lost(
    name: str, error: HeavyliftError | None, source: OpenRegistry, places: tuple[Place, Place]
) -> Chosen:
    reference = Reference(source.place.host, name)
    why = f"its tags cannot be listed: {error.got if error else ''}"
    target = Reference(places[1].host, places[1].full(name))
    code = f"HL-{error.code}" if error else ""
    return Chosen(reference, target, refused=why, remedy="correct the name", code=code)


def _demand_welcome(error: HeavyliftError) -> None:
    """Raise what holds for the registry as a whole: it refuses who we are."""
    if isinstance(error, CredentialError) and error.code != FORBIDDEN:
        raise error


def _apart(found: Iterable[Chosen]) -> list[Chosen]:
    by_name: defaultdict[str, set[str]] = defaultdict(set)
    rows = list(found)
    for each in rows:
        by_name[each.target.repository].add(each.source.repository)
    result = []
    for each in rows:
        same = sorted(by_name[each.target.repository])
        if len(same) > 1 and not each.refused:
            why = f"{' and '.join(same[:3])} would all be {each.target.repository}"
            each = replace(each, refused=why, remedy="give each a name of its own in containers.rename.names")
        result.append(each)
    return result


async def _pinned(found: Iterable[Chosen], source: OpenRegistry) -> list[Chosen]:
    limit = asyncio.Semaphore(PARALLEL)

    async def one(each: Chosen) -> Chosen:
        if each.refused:
            return each
        async with limit:
            return await _pin(each, source)

    tasks = [asyncio.ensure_future(one(each)) for each in found]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def _pin(each: Chosen, source: OpenRegistry) -> Chosen:
    wanted = each.source
    if not wanted.tag:
        return replace(each, digest=wanted.digest)
    try:
        seen = await source.registry.head(wanted.repository, wanted.tag)
    except PermanentError as error:
        _demand_welcome(error)
        why = f"{error.what}: got {error.got}, expected {error.expected}"
        return replace(each, refused=why, remedy=error.remedy, code=f"HL-{error.code}")
    if seen is None:
        return replace(each, refused="the source has no such tag", remedy=_LEAVE_OUT, code="HL-3004")
    if wanted.digest and wanted.digest != seen.digest:
        # As runtimes do: the digest counts, and the tag beside it is for people. It is not put there.
        target = replace(each.target, tag="")
        return replace(each, digest=wanted.digest, target=target)
    return replace(each, digest=seen.digest)


def _nothing(request: ImagesRequest) -> SpecError:
    wanted = request.wanted
    return SpecError(
        f"selecting images of {wanted.source}",
        got="not one image",
        expected="at least one that the section containers selects",
        state="nothing was touched",
        remedy="correct repositories, tags, images or manifests; see heavylift images list",
        code="9167",
    )
