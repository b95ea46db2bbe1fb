"""Proves a move between registries: both are read afresh and compared field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.registry.catalogues.fitting import is_uri
from heavylift.registry.catalogues.moving import opened
from heavylift.registry.catalogues.planning import Thing

if TYPE_CHECKING:
    from heavylift.registry.catalogues.files import Places
    from heavylift.registry.catalogues.moving import Move
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.settling import Judgement
    from heavylift.registry.work import Work

MODEL, VERSION, ARTIFACT = "registered model", "model version", "artifact"


async def compare_catalogues(request: RegistryRequest, work: Work, found: Judgement) -> Judgement:
    """Read both registries and compare what the target holds with what it can hold of the source.

    Nothing that a mover noted is believed but the marks that tell which thing is a copy of which.
    """
    async with opened(request, work) as move:
        await move.look(experiments=False)
        plan = move.plan
        # One without versions that the target has no place for is a loss that is listed.
        empty = move.target.capabilities.empty_models
        held = [each for each in plan.models if each.versions or empty or each.itself.is_there]
        found.compare(
            MODEL,
            {each.fitted.name: each.itself.fitted.leaves for each in held},
            {each.fitted.name: each.itself.there for each in plan.models if each.itself.is_there},
        )
        versions = [version for each in plan.models for version in each.versions]
        strangers: dict[str, dict[str, str]] = {
            f"{each.fitted.name}/(target's) {number}": {} for each in plan.models for number in each.strangers
        }
        found.compare(
            VERSION,
            {each.fitted.id: each.fitted.leaves for each in versions},
            {each.fitted.id: each.there for each in versions if each.is_there} | strangers,
        )
        found.without_place(MODEL, len(plan.models) - len(held))
        found.stays(MODEL, len(plan.gone))
        found.stays(VERSION, sum(len(each.gone) for each in plan.models))
        if request.options.artifacts:
            await _artifacts(move, versions, found)
        if move.experiments is not None:
            move.tell("comparing experiments")
            await move.experiments.prove(found)
        return found


async def _artifacts(move: Move, versions: list[Thing], found: Judgement) -> None:
    """Compare the files by digests of their bytes, or by their sizes alone, one version at a time."""
    uris, contents = move.request.options.uris, move.request.options.contents
    for version in versions:
        if not version.is_there:
            continue
        move.tell(f"comparing artifacts of {version.fitted.id}")
        ours: dict[str, str] = {}
        theirs: dict[str, str] = {}
        for path, uri in version.leaves.items():
            if is_uri(path) and uris.of(uri) != uri:
                name = f"{version.fitted.id} {path}"
                ours |= await _digests(move.places[0], uri, name, contents=contents)
                theirs |= await _digests(move.places[1], uris.of(uri), name, contents=contents)
        found.compare(ARTIFACT, ours, theirs)


async def _digests(places: Places, uri: str, name: str, *, contents: bool) -> dict[str, str]:
    files = await places.at(uri)
    return {
        f"{name}: {each.path}": await files.digest(each) if contents else f"{each.size_bytes} bytes"
        async for each in files.below(uri)
    }
