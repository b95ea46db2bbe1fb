"""The act of converting: fetches, converts, proves, and only then makes the new version; never twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from heavylift.checksums import Algorithm, digest
from heavylift.environments import Solver
from heavylift.errors import NotFoundError, SpecError
from heavylift.evidence.model_records import ModelConversionRecord
from heavylift.models.checking import look
from heavylift.models.converting import (
    Converted,
    convert,
    converters_of,
    identity_of,
    packages_of,
)
from heavylift.models.fetching import FetchedModel
from heavylift.models.forms import ONNX
from heavylift.models.gathering import fetch, fetch_golden, golden_inputs, in_own_thread, keep, own_folder
from heavylift.models.requests import ModelRequest
from heavylift.models.work import Tell, Work, silent
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.registered import OpenRegistry, Publication, Registered
from heavylift.platforms.wiring import open_store

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef
    from heavylift.platforms.ports import ObjectStore

_TAG = "heavylift.converted."
_LAST = "MLmodel"


@dataclass(frozen=True)
class Conversion:
    """A conversion that is asked for.

    :param into: the folder below which the new model goes, or a name in the target's registry.
    :param form: ``onnx`` or ``safetensors``.
    """

    request: ModelRequest
    into: Place | Registered
    form: str = ONNX


async def convert_model(
    conversion: Conversion, tell: Tell = silent, registries: OpenRegistry | None = None
) -> tuple[ModelConversionRecord, EvidenceRef]:
    """Convert the source's model; where the result is there already, nothing is changed.

    :return: the record tells whether it passed: only then is there a new model.
    :raises UnsupportedError: the model's form cannot be converted.
    :raises ConflictError: its files are not safe; nothing was run.
    """
    request, form, began = conversion.request, conversion.form, time.monotonic()
    if request.source is None:
        raise _no_files(request)
    async with own_folder() as folder:
        source = await fetch(request, request.source, folder / "source", tell, registries)
        there = await _there(conversion, identity_of(source, form), registries)
        if there:
            record = _record(conversion, source, Converted({}), began, place=there)
            return record, await keep(request, f"{form}-conversion", record)
        golden = await fetch_golden(request, folder, tell)
        made = folder / "converted"
        await asyncio.to_thread(made.mkdir)
        found = await in_own_thread(lambda work: _convert(conversion, source, golden, made, work), tell)
        proofs = {}
        for kind, proof in (("weights", found.weights), ("parity", found.parity)):
            if proof is not None:
                proofs[kind] = (await keep(request, f"{form}-{kind}", proof)).path
        place = ""
        if found.passed:
            place = await _publish(conversion, source, found, list(proofs.values()), registries)
            tell(f"the {form} of {request.name} is {place}")
        record = _record(conversion, source, found, began, proofs=proofs, made=place)
    return record, await keep(request, f"{form}-conversion", record)


def _convert(
    conversion: Conversion, source: FetchedModel, golden: FetchedModel | None, folder: Path, work: Work
) -> Converted:
    request = conversion.request
    solver = Solver(request.check.solve_seconds, request.check.offline)
    checked = look(source, request.check, solver, work)
    rows = golden_inputs(request, golden, {"source": checked}) if checked.layout.answers else None
    found = convert(request, checked, conversion.form, rows, folder, work)
    pins = packages_of(converters_of(checked.layout, conversion.form)) | dict(found.told.get("packages", {}))
    return replace(found, told={**found.told, "packages": pins})


def _record(
    conversion: Conversion,
    source: FetchedModel,
    found: Converted,
    began: float,
    *,
    proofs: Mapping[str, str] = MappingProxyType({}),
    place: str = "",
    made: str = "",
) -> ModelConversionRecord:
    told, request = found.told, conversion.request
    missing = tuple(map(str, told.get("missing", ())))
    return ModelConversionRecord(
        run=request.run,
        model=request.model,
        version=request.version,
        form=conversion.form,
        identity=identity_of(source, conversion.form),
        source_url=source.url,
        source_digest=source.digest,
        of=str(told.get("of", "")),
        precision=told.get("precision"),
        packages={str(name): str(version) for name, version in told.get("packages", {}).items()},
        missing=missing,
        digest=found.model.digest if found.model else "",
        parity=proofs.get("parity", ""),
        weights=proofs.get("weights", ""),
        tensors=len(found.weights.tensors) if found.weights else None,
        place=place or made,
        already=bool(place),
        statement=_statement(conversion.form, found, missing, place, made),
        passed=bool(place or made),
        seconds=round(time.monotonic() - began, 3),
    )


def _statement(form: str, found: Converted, missing: tuple[str, ...], place: str, made: str) -> str:
    if place:
        return f"it was converted before, to {place}; nothing was changed"
    if missing:
        return f"no converter for {', '.join(missing)}"
    said = [each.statement for each in (found.weights, found.parity) if each is not None]
    if made:
        return f"{made}: {'; '.join(said)}"
    return f"the {form} is not the model: {'; '.join(said)}" if said else "not converted"


async def _there(conversion: Conversion, identity: str, registries: OpenRegistry | None) -> str:
    """Return where an earlier run has put the same; empty where none has."""
    into = conversion.into
    if isinstance(into, Place):
        async with open_store(into.location, into.connection) as store:
            folder = _folder(conversion, into, identity)
            try:
                await store.head(f"{folder}{_LAST}")
            except NotFoundError:
                return ""
            return store.location.url_of(folder)
    if registries is None:
        raise TypeError(f"{into} needs a way to open its registry")
    async with registries(into) as registry:
        found = await registry.tagged(into.name, _identity(identity))
    return str(found) if found else ""


async def _publish(
    conversion: Conversion,
    source: FetchedModel,
    found: Converted,
    proofs: Sequence[str],
    registries: OpenRegistry | None,
) -> str:
    """Make the new version, or the folder, and return where it is."""
    into, model, form = conversion.into, found.model, conversion.form
    if model is None or (registries is None and isinstance(into, Registered)):
        raise TypeError("nothing to publish, or no registry for it")
    identity = identity_of(source, form)
    if isinstance(into, Place):
        async with open_store(into.location, into.connection) as store:
            return await _upload(store, model, _folder(conversion, into, identity))
    pins, proof = found.told["packages"], " and ".join(proofs)
    request = conversion.request
    tags = {
        f"{_TAG}form": form,
        f"{_TAG}source": source.url[:5000],
        f"{_TAG}source_version": request.version,
        f"{_TAG}source_digest": source.digest,
        f"{_TAG}digest": model.digest,
        f"{_TAG}packages": " ".join(f"{name}=={version}" for name, version in sorted(pins.items())),
        f"{_TAG}proof": f"{request.evidence_url or 'evidence'}: {proof}",
    }
    said = f"{request.name} as {form}, converted by Heavylift; the proof that it is the same is {proof}"
    publication = Publication(_identity(identity), {k: v for k, v in tags.items() if v}, said)
    if registries is None:
        raise TypeError(f"{into} needs a way to open its registry")
    async with registries(into) as registry:
        return str(await registry.publish(into.name, model.folder, model.names, publication))


def _identity(identity: str) -> dict[str, str]:
    return {f"{_TAG}identity": identity}


def _folder(conversion: Conversion, into: Place, identity: str) -> str:
    """Return the folder of one conversion: named after it, so that nobody else's lies there."""
    return f"{into.location.prefix}{conversion.form}-{identity[:16]}/"


async def _upload(store: ObjectStore, model: FetchedModel, folder: str) -> str:
    """Write the files; the one that makes the folder a model comes last."""
    for name in sorted(model.names, key=lambda each: (each == _LAST, each)):
        body = await asyncio.to_thread((model.folder / name).read_bytes)
        sums = digest(body, Algorithm.CRC32C, *store.traits.verifies)
        # What a killed run has left in this folder of ours gives way.
        await store.put(f"{folder}{name}", body, ObjectAttributes(), sums, create_only=False)
    return store.location.url_of(folder)


def _no_files(request: ModelRequest) -> SpecError:
    return SpecError(
        f"converting model {request.name!r}",
        got="an endpoint, and no files",
        expected="the model's folder, or its name in a registry",
        state="nothing was run or changed",
        remedy="name the model's place as source",
        code="7811",
    )
