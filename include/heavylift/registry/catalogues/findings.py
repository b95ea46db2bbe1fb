"""What stands in the way of moving registered models, told before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.registry_records import RegistryLoss
from heavylift.evidence.wording import enumeration
from heavylift.registry.catalogues.files import PROXY
from heavylift.registry.catalogues.planning import Plan, State
from heavylift.registry.catalogues.wiring import files_connection
from heavylift.registry.unaccepted import losses_not_accepted

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest


def findings_of(
    request: RegistryRequest, plan: Plan, losses: tuple[RegistryLoss, ...]
) -> tuple[Finding, ...]:
    """Return everything that stands in the way of a plan, or that is to be known."""
    return (
        *_losses(request, losses),
        *_names(plan),
        *_others(request, plan),
        *_artifacts(request, plan),
        *_stuck(plan),
    )


def _losses(request: RegistryRequest, losses: tuple[RegistryLoss, ...]) -> Iterator[Finding]:
    if losses and not request.options.accept_losses:
        yield losses_not_accepted(losses)


def _names(plan: Plan) -> Iterator[Finding]:
    for model in plan.models:
        if model.taken:
            yield _finding(
                "name-taken",
                Severity.BLOCKER,
                model.fitted.name,
                f"the target has a model {model.fitted.target_name!r} that this migration did not make",
                "free the name, or say --on-name-conflict map",
            )


def _others(request: RegistryRequest, plan: Plan) -> Iterator[Finding]:
    severity = Severity.WARNING if request.options.overwrite else Severity.BLOCKER
    for model in plan.models:
        if model.strangers:
            yield _finding(
                "foreign-version",
                severity,
                model.fitted.name,
                f"model {model.name!r} of the target has versions that Heavylift did not make:"
                f" {enumeration(model.strangers)}",
                "move them elsewhere, or leave them there with --overwrite: they are never written to",
            )
    for thing in plan.things():
        if thing.state is State.OTHERS:
            paths = [
                each
                for each in sorted({*thing.there, *thing.fitted.leaves})
                if thing.there.get(each) != thing.fitted.leaves.get(each)
            ]
            yield _finding(
                "changed-by-others",
                severity,
                thing.fitted.id,
                f"on the target somebody changed {enumeration(paths)}",
                "undo it there, or let the source win with --overwrite",
            )


def _artifacts(request: RegistryRequest, plan: Plan) -> Iterator[Finding]:
    unmapped = [uri for thing in plan.things() for uri in thing.fitted.unmapped]
    if unmapped:
        yield _finding(
            "artifacts-unmapped",
            Severity.BLOCKER,
            "artifacts",
            f"{len(unmapped)} artifacts are covered by no prefix, or would lie where the target takes none:"
            f" {enumeration(unmapped)}",
            "name what becomes of each: --artifacts OLD=NEW, if need be OLD=OLD",
        )
        return
    lacking = [thing.fitted.id for thing in plan.things() if thing.fitted.lacks_image]
    if lacking:
        yield _finding(
            "image-needed",
            Severity.BLOCKER,
            "target",
            f"{len(lacking)} versions have no container image that the target can pull:"
            f" {enumeration(lacking)}",
            "copy the image to the target's registry, and name it in the extra field serving_image of the"
            " target's connection",
        )
    if not request.options.artifacts:
        return
    for source, target in request.options.uris.changing:
        for side, place, uri in (("source", request.source, source), ("target", request.target, target)):
            scheme = uri.partition(":")[0]
            if scheme not in {PROXY, "file"} and files_connection(place, scheme) is None:
                yield _finding(
                    "artifacts-connection",
                    Severity.BLOCKER,
                    uri,
                    f"no connection to the {side}'s object store {uri}",
                    f"name it: --{side}-artifacts-conn, or leave artifacts out with --no-artifacts",
                )


def _stuck(plan: Plan) -> Iterator[Finding]:
    for thing in plan.things():
        if thing.stuck:
            yield _finding(
                "cannot-change",
                Severity.WARNING,
                thing.fitted.id,
                f"{enumeration(thing.stuck)} changed on the source, and cannot be changed on the target",
                "register the version anew on the source",
            )


def _finding(rule: str, severity: Severity, subject: str, detail: str, remedy: str) -> Finding:
    return Finding(rule=rule, severity=severity, subject=subject, detail=detail, remedy=remedy)
