"""A Terraform provider that keeps its objects as files: the real protocol and schemas, and no cloud.

Run by terraform, in the environment that :mod:`sandbox.terraform.rig` makes, as
``mock_provider.py SETTINGS PROVIDER``. It stands alone: neither Heavylift nor its packages are there. With a
socket as the third argument it serves many commands of terraform's, until its standard input ends.

The settings are a JSON file: ``cloud``, the folder of the objects; ``schemas``; ``types``, to serve only
these (starting is twice as fast); ``fail``, from a type to the text of the error that its creation gives;
``hold``, from a type to a file: its creation waits until that file is gone.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import sys
import time
import uuid
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from tf import runner
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.types import Unknown
from tf.utils import read_dynamic_value, to_dynamic_value

Json = dict[str, Any]
_EMPTY: Mapping[str, Any] = {"string": None, "number": 0, "bool": False}
_PAUSE = 0.02


class Cloud:
    """The objects, one JSON file each: ``<type>.<key>.json``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, kind: str, key: str) -> Json | None:
        """Return an object, or None where it is gone."""
        path = self._path(kind, key)
        found: Json | None = json.loads(path.read_bytes()) if path.exists() else None
        return found

    def write(self, kind: str, key: str, value: Json) -> None:
        """Keep an object; whole or not at all."""
        path = self._path(kind, key)
        half = path.with_suffix(".half")
        half.write_text(json.dumps(value))
        os.replace(half, path)

    def delete(self, kind: str, key: str) -> None:
        """Remove an object, if it is there."""
        self._path(kind, key).unlink(missing_ok=True)

    def _path(self, kind: str, key: str) -> Path:
        return self._folder / f"{kind}.{key}.json"


class Provider(rpc.ProviderServicer):  # type: ignore[misc]  # of a package without types
    """Serves one provider's schema, and plans and applies as a well-behaved provider does."""

    def __init__(self, path: Path, name: str) -> None:
        settings: Json = json.loads(path.read_text())
        packed = Path(settings["schemas"], f"{name}.json.gz").read_bytes()
        told: Json = json.loads(gzip.decompress(packed))
        types = settings.get("types")
        self._path, self._own = path, told["provider"]
        self._blocks: dict[str, Json] = {
            kind: block for kind, block in told["resources"].items() if types is None or kind in types
        }
        self._cloud = Cloud(Path(settings["cloud"]))

    def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802  (the protocol's names)
        """Name the resources."""
        names = [pb.GetMetadata.ResourceMetadata(type_name=kind) for kind in self._blocks]
        return pb.GetMetadata.Response(server_capabilities=_CAN, resources=names)

    def GetProviderSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the schemas."""
        return self._schemas()

    @functools.cache  # noqa: B019  (there is one provider in a process)
    def _schemas(self) -> Any:
        return pb.GetProviderSchema.Response(
            provider=pb.Schema(version=0, block=_block(self._own)),
            resource_schemas={
                kind: pb.Schema(version=0, block=_block(block)) for kind, block in self._blocks.items()
            },
            server_capabilities=_CAN,
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Accept what the schema accepts: terraform itself has checked it."""
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Likewise."""
        return pb.ValidateResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Need nothing."""
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the state as it is: there is one version of each schema."""
        state = json.loads(request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=to_dynamic_value(state))

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return what the cloud has now."""
        found = self._cloud.read(request.type_name, request.private.decode())
        return pb.ReadResource.Response(new_state=to_dynamic_value(found), private=request.private)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Leave open what only the cloud can tell."""
        wanted, before = (
            read_dynamic_value(request.proposed_new_state),
            read_dynamic_value(request.prior_state),
        )
        if wanted is not None and before is None:
            wanted = _open(self._blocks[request.type_name], wanted)
        return pb.PlanResourceChange.Response(
            planned_state=to_dynamic_value(wanted), planned_private=request.prior_private
        )

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Create, change or delete one object."""
        kind, planned = request.type_name, read_dynamic_value(request.planned_state)
        key = request.planned_private.decode()
        if planned is None:
            self._cloud.delete(kind, key)
            return pb.ApplyResourceChange.Response(new_state=to_dynamic_value(None))
        if not key:
            refusal = self._refusal(kind)
            if refusal:
                said = pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=refusal)
                return pb.ApplyResourceChange.Response(new_state=request.prior_state, diagnostics=[said])
            key = uuid.uuid4().hex[:12]
        made = _settled(self._blocks[kind], planned, f"{kind}/{key}")
        self._cloud.write(kind, key, made)
        return pb.ApplyResourceChange.Response(new_state=to_dynamic_value(made), private=key.encode())

    def ImportResourceState(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return an object by the id that it was made with."""
        key = request.id.rpartition("/")[2]
        found = self._cloud.read(request.type_name, key)
        if found is None:
            summary = "Cannot import non-existent remote object"
            said = pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=summary)
            return pb.ImportResourceState.Response(diagnostics=[said])
        imported = pb.ImportResourceState.ImportedResource(
            type_name=request.type_name, state=to_dynamic_value(found), private=key.encode()
        )
        return pb.ImportResourceState.Response(imported_resources=[imported])

    def StopProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Have nothing to stop."""
        return pb.StopProvider.Response()

    def _refusal(self, kind: str) -> str:
        settings: Json = json.loads(self._path.read_text())
        hold = settings.get("hold", {}).get(kind)
        while hold and os.path.exists(hold):
            time.sleep(_PAUSE)
        said: str = settings.get("fail", {}).get(kind, "")
        return said


_CAN = pb.ServerCapabilities(get_provider_schema_optional=True)


def _block(block: Json) -> Any:
    nested = [
        pb.Schema.NestedBlock(
            type_name=name,
            block=_block(inner),
            nesting=pb.Schema.NestedBlock.NestingMode.LIST,
            min_items=least,
            max_items=most,
        )
        for name, (least, most, inner) in block.get("b", {}).items()
    ]
    attributes = [_attribute(name, kind, flag) for name, (kind, flag) in block["a"].items()]
    return pb.Schema.Block(version=0, attributes=attributes, block_types=nested)


def _attribute(name: str, kind: Any, flag: str) -> Any:
    flags = {"required": flag == "r", "optional": "o" in flag, "computed": "c" in flag}
    held, nesting = kind, pb.Schema.Object.NestingMode.SINGLE
    if isinstance(kind, list) and kind[0] in {"list", "map"} and isinstance(kind[1], list):
        held, word = kind[1], kind[0].upper()
        nesting = pb.Schema.Object.NestingMode.Value(word)
    if isinstance(held, list) and held[0] == "object":
        optional = set(held[2])
        inner = [_attribute(each, of, "o" if each in optional else "r") for each, of in held[1].items()]
        return pb.Schema.Attribute(
            name=name, nested_type=pb.Schema.Object(attributes=inner, nesting=nesting), **flags
        )
    return pb.Schema.Attribute(name=name, type=json.dumps(_plain(kind)).encode(), **flags)


def _plain(kind: Any) -> Any:
    """Return a type without the list of what an object may lack, which a schema cannot tell."""
    if isinstance(kind, list) and kind[0] == "object":
        return ["object", {name: _plain(each) for name, each in kind[1].items()}]
    return [kind[0], _plain(kind[1])] if isinstance(kind, list) else kind


def _open(block: Json, value: Json) -> Json:
    """Return what is wanted with everything unknown that the cloud will set."""
    found = dict(value)
    for name, (_, flag) in block["a"].items():
        if "c" in flag and found.get(name) is None:
            found[name] = Unknown
    for name, (_, _, inner) in block.get("b", {}).items():
        held = found.get(name)
        if isinstance(held, list):
            found[name] = [_open(inner, each) for each in held]
    return found


def _settled(block: Json, value: Json, what: str) -> Json:
    """Return what was planned with a value for everything that was open."""
    found = dict(value)
    for name, (kind, _) in block["a"].items():
        if found.get(name) is Unknown:
            found[name] = _made_up(kind, f"{what}/{name}" if name != "id" else what)
    for name, (_, _, inner) in block.get("b", {}).items():
        held = found.get(name)
        if isinstance(held, list):
            found[name] = [_settled(inner, each, f"{what}/{name}") for each in held]
    return found


def _made_up(kind: Any, text: str) -> Any:
    if isinstance(kind, list):
        return {} if kind[0] == "map" else []
    return text if kind == "string" else _EMPTY.get(kind)


def _serve(provider: Provider, socket: str) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    rpc.add_ProviderServicer_to_server(provider, server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(grace=0)


class _EndedByShutdown(runner._ShutdownInterceptor):  # type: ignore[misc]
    """Lets a provider that is told to stop finish what it is at, as real ones do."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Pass requests on."""
        if handler_call_details.method.endswith("/StopProvider"):
            return continuation(handler_call_details)
        return super().intercept_service(continuation, handler_call_details)


def main(arguments: list[str]) -> None:
    """Serve until terraform has had enough."""
    provider = Provider(Path(arguments[0]), arguments[1])
    if len(arguments) > 2:
        _serve(provider, arguments[2])
        return

    def made(_: Any) -> Provider:
        return provider

    # The package's runner does handshake, certificates and shutdown; only what it serves is replaced.
    import tf.provider

    tf.provider.ProviderServicer = made
    runner._ShutdownInterceptor = _EndedByShutdown
    runner.run_provider(provider, ["terraform-provider"])


if __name__ == "__main__":
    main(sys.argv[1:])
