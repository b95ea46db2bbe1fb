"""Distils the schema of a Terraform provider from the typed assembly that CDK Terrain publishes for it.

Run when a provider's version is to move (the wheels are 46 to 71 MB and are needed for nothing else)::

    pip download --no-deps cdktn-provider-google==21.1.0 cdktn-provider-aws==25.8.1 \
        cdktn-provider-azurerm==18.9.0
    python -m sandbox.terraform.distil cdktn_provider_*.whl

What the assembly does not tell, and a schema made of it therefore lacks: which attributes exclude each
other, enumerations, patterns, and which optional attributes the provider fills in itself.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).resolve().parent / "schemas"
_LINK = re.compile(
    r"registry\.terraform\.io/providers/hashicorp/(\w+)/([\d.]+)/docs(?:/resources/[\w-]+)?(?:#(\w+))?"
)
_PRIMITIVES = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
_MAPS = {"StringMap": "string", "NumberMap": "number", "BooleanMap": "bool"}
_RESOURCE = "TerraformResource"

Json = dict[str, Any]


def main(wheels: list[str]) -> int:
    """Distil each wheel into ``schemas/<provider>.json.gz``."""
    for wheel in wheels:
        provider, schema = distil(_assembly(Path(wheel)))
        data = json.dumps(schema, sort_keys=True, separators=(",", ":")).encode()
        path = SCHEMAS / f"{provider}.json.gz"
        # No time in it: the same wheel makes the same file.
        path.write_bytes(gzip.compress(data, 9, mtime=0))
        print(f"{path.name}: {schema['version']}, {len(schema['resources'])} resources, {len(data)} bytes")
    return 0


def distil(assembly: Json) -> tuple[str, Json]:
    """Return the provider's name, its version, its own settings and its resources.

    A block is ``{"a": {name: [type, flag]}, "b": {name: [least, most, block]}}``; flags are ``r``
    required, ``o`` optional, ``c`` computed and ``oc`` both of the latter.
    """
    types: dict[str, Json] = assembly["types"]
    resources: Json = {}
    settings: Json = {"a": {}}
    seen = ("", "")
    for kind in types.values():
        if str(kind.get("base", "")).endswith(".TerraformProvider"):
            settings = _block(types, types[kind["initializer"]["parameters"][2]["type"]["fqn"]], None)
        if not str(kind.get("base", "")).endswith(f".{_RESOURCE}"):
            continue
        summary = kind["docs"]["summary"]
        link = _LINK.search(summary)
        if link is None:
            continue
        seen = (link[1], link[2])
        name = summary.rstrip("}.").rsplit(" ", 1)[1]
        config = types[kind["initializer"]["parameters"][2]["type"]["fqn"]]
        resources[name] = _block(types, config, kind)
    return seen[0], {"version": seen[1], "provider": settings, "resources": resources}


def _block(types: dict[str, Json], config: Json, holder: Json | None, above: tuple[str, ...] = ()) -> Json:
    attributes: Json = {}
    blocks: Json = {}
    told = set()
    for each in config.get("properties", ()):
        told.add(each["name"])
        name, needed = _name(each), not each.get("optional")
        many, inner = _struct(each["type"])
        # A few types hold themselves (rules of firewalls): Terraform unrolls them, one turn is kept here.
        if inner in types and inner not in above and each["docs"].get("summary", "") == f"{name} block.":
            most = 0 if many else 1
            held = _block(types, types[inner], types.get(f"{inner}OutputReference"), (*above, inner))
            blocks[name] = [int(needed), most, held]
        elif inner in above:
            continue
        else:
            flag = "oc" if name == "id" else "r" if needed else "o"
            attributes[name] = [_type(types, each["type"]), flag]
    for each in (holder or {}).get("properties", ()):
        name = each["name"]
        if name in told or name.endswith("Input") or name in {"tfResourceType", "internalValue", "fqn"}:
            continue
        kind = _computed(each["type"])
        if kind and _snake(name) not in attributes:
            attributes[_snake(name)] = [kind, "c"]
    return {"a": attributes, "b": blocks} if blocks else {"a": attributes}


def _name(each: Json) -> str:
    link = _LINK.search(each["docs"].get("remarks", ""))
    return link[3] if link and link[3] else _snake(each["name"])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: f"_{m[1].lower()}", name)


def _struct(kind: Json) -> tuple[bool, str]:
    """Return whether a block may be there several times, and the name of what is in it."""
    if "union" in kind:
        kinds = [each for each in kind["union"]["types"] if each.get("fqn") != "cdktn.IResolvable"]
        return _struct(kinds[0])
    if "collection" in kind:
        return True, kind["collection"]["elementtype"].get("fqn", "")
    return False, kind.get("fqn", "")


def _type(types: dict[str, Json], kind: Json) -> Any:
    """Return a type as Terraform writes it in JSON."""
    if "primitive" in kind:
        return _PRIMITIVES[kind["primitive"]]
    if "union" in kind:
        kinds = [each for each in kind["union"]["types"] if each.get("fqn") != "cdktn.IResolvable"]
        return _type(types, kinds[0])
    if "collection" in kind:
        word = "map" if kind["collection"]["kind"] == "map" else "list"
        return [word, _type(types, kind["collection"]["elementtype"])]
    inner = types.get(kind["fqn"])
    if inner is None:
        return "dynamic"
    fields = {_name(each): _type(types, each["type"]) for each in inner.get("properties", ())}
    return ["object", fields, sorted(_name(each) for each in inner["properties"] if each.get("optional"))]


def _computed(kind: Json) -> Any:
    """Return the type of an attribute that only the provider sets; None for what is built of blocks."""
    if "primitive" in kind:
        return _PRIMITIVES[kind["primitive"]]
    if "collection" in kind and "primitive" in kind["collection"]["elementtype"]:
        return [
            "map" if kind["collection"]["kind"] == "map" else "list",
            _PRIMITIVES[kind["collection"]["elementtype"]["primitive"]],
        ]
    fqn = kind.get("fqn", "")
    short = fqn.rpartition(".")[2]
    if short in _MAPS:
        return ["map", _MAPS[short]]
    return "bool" if fqn == "cdktn.IResolvable" else None


def _assembly(wheel: Path) -> Json:
    with zipfile.ZipFile(wheel) as archive:
        inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(archive.read(inner))) as tar:
            first = _member(tar, ".jsii")
            told: Json = json.loads(first)
            if told.get("schema") == "jsii/file-redirect":
                data = _member(tar, told["filename"])
                told = json.loads(gzip.decompress(data) if told.get("compression") == "gzip" else data)
    return told


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(f"package/{name}")
    if stream is None:
        raise FileNotFoundError(name)
    return stream.read()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
