"""What is generated: every type, in valid form, with nothing of anybody else's text as code."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import SpecError, UnsupportedError
from heavylift.facts.services import load_services
from heavylift.infra.generate import Generated, generate
from heavylift.infra.hcl import Block, Expr, quoted, render
from heavylift.infra.names import RULES, Names
from heavylift.infra.reading.table import _CAPABILITIES, _ROWS
from heavylift.infra.states import state_at
from heavylift.infra.targets.catalog import target_of
from heavylift.infra.template import Each, Nest
from heavylift.infra.things import Thing
from heavylift.inventory.platforms import rows_of
from heavylift.inventory.requests import System
from sandbox.terraform.rig import PROVIDERS
from tests.support.infra_samples import HOSTILE, PAIRS, TERRAFORM, everything, sampled, thing_of, wanted

SCHEMAS = Path("sandbox/terraform/schemas")


def types_in(made: Generated) -> set[str]:
    return set(re.findall(r'^resource "(\w+)"', "".join(made.files.values()), re.MULTILINE))


@pytest.mark.parametrize("target", TERRAFORM)
def test_every_type_of_the_map_is_generated_or_said_to_be_impossible(target: str) -> None:
    made = generate(wanted("aws", target, everything()))
    types, said = types_in(made), {each.capability for each in made.untranslated}
    for capability, row in load_services().rows.items():
        assert row[TERRAFORM[target]] in types if row[TERRAFORM[target]] else capability in said, capability
    assert len(made.made) + len(made.untranslated) == len(load_services().rows)
    assert all(each.reason and each.remedy for each in made.untranslated)


TOLD = {
    ("aws", "gcp"): (
        r"age\s+= 400", r'"ARCHIVE"', r"days_since_noncurrent_time = 7", r'"POSTGRES_16"',
        r'"REGIONAL"', r'"172800s"',
        r'"0 6 \* \* MON-FRI"', r'\["5432-5433"\]', r'"10\.20\.1\.0/24"',
    ),
    ("aws", "azure"): (
        r"tier_to_archive_after_days_since_modification_greater_than = 30",
        r"delete_after_days_since_modification_greater_than = 400", r"delete_after_days_since_creation = 7",
        r"partition_count\s+= 8", r"retention_time_in_hours = 48", r'"ZoneRedundant"',
        r"storage_mb\s+= 262144",
    ),
    ("gcp", "aws"): (
        r"days = 30", r'"mysql"', r"multi_az\s+= true", r"retention_period = 48",
        r"cron\(\*/5 \* \? \* 2 \*\)", r"to_port\s+= 8010",
    ),
    ("gcp", "azure"): (r"storage_mb\s+= 65536", r'"8000-8010"', r"retention_time_in_hours = 48",
        r'"10\.30\.0\.0/20"'),
    ("azure", "aws"): (
        r"shard_count\s+= 16", r"retention_period = 72", r"allocated_storage\s+= 128",
        r"from_port\s+= 443", r'"10\.40\.0\.0/16"',
    ),
    ("azure", "gcp"): (r'"259200s"', r"disk_size\s+= 128", r'"REGIONAL"', r'\["443"\]'),
}  # fmt: skip


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_what_the_source_tells_is_on_the_target(source: str, target: str) -> None:
    made = generate(wanted(source, target, sampled(source)))
    text = "".join(made.files.values())
    assert {each.capability for each in made.untranslated} == ({"scheduler"} if target == "azure" else set())
    lacking = [each for each in TOLD[source, target] if not re.search(each.replace("= ", r"=\s*"), text)]
    assert not lacking


@pytest.mark.parametrize("target", TERRAFORM)
def test_hostile_names_stay_text(target: str) -> None:
    things = [
        Thing(f"{HOSTILE}{each.id}", f"{HOSTILE}{each.name}", each.capability, HOSTILE, 1)
        for each in everything()
    ]
    made = generate(wanted("aws", target, things), {HOSTILE: HOSTILE})
    for path, text in made.files.items():
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        assert "passwd" not in re.sub(r"passwd-[0-9a-f]{6}|[a-z_-]*passwd[a-z0-9_-]*", "", code), path
        assert 'resource "x"' not in code
    names = [each.address for each in made.made]
    assert len(set(names)) == len(names)


def test_text_is_quoted_so_that_it_means_itself() -> None:
    assert quoted('a"b\\\n${x}%{y}$z') == '"a\\"b\\\\\\n$${x}%%{y}$z"'
    assert quoted("\u202e\x00") == '"\\u202E\\u0000"'
    block = Block(
        "resource", ("t", "l"), {"a": "x", "long_name": 1, "m": {"k y": Expr("var.x")}}, ("one\ntwo",)
    )
    assert render([block]).splitlines() == [
        "# one two", 'resource "t" "l" {', '  a         = "x"', "  long_name = 1", "",
        "  m = {", '    "k y" = var.x', "  }", "}",
    ]  # fmt: skip


def test_names_are_valid_unique_and_the_same_in_every_run() -> None:
    names = Names("m")
    first = names.give("t", "My Bucket", "one", RULES["bucket"])
    assert first == Names("m").give("t", "My Bucket", "one", RULES["bucket"])
    assert re.fullmatch("my-bucket-[0-9a-f]{6}", first)
    assert names.give("t", "plain", "two", RULES["dns"]) == "plain"
    assert re.fullmatch("plain-[0-9a-f]{6}", names.give("t", "plain", "three", RULES["dns"]))
    for rule in RULES.values():
        for text in ("", "9" * 200, HOSTILE, "-a-", "日本"):
            name = names.give("s", text, text, rule)
            assert re.fullmatch(f"[{rule.accepted}]+", name)
            assert len(name) <= rule.longest


def test_the_same_demand_makes_the_same_bytes_in_whatever_order() -> None:
    things = everything() + sampled("aws")
    one, other = generate(wanted("aws", "gcp", things)), generate(wanted("aws", "gcp", things[::-1]))
    assert one.files == other.files


def test_subnets_that_overlap_and_rules_nobody_can_translate_are_listed() -> None:
    things = [
        thing_of("AWS::EC2::Subnet", "network", {"CidrBlock": "10.0.0.0/24"}, "a", "a"),
        thing_of("AWS::EC2::Subnet", "network", {"CidrBlock": "10.0.0.128/25"}, "b", "b"),
        thing_of("AWS::EC2::Subnet", "network", {"CidrBlock": "10.0.2.0/24"}, "c", "c"),
        thing_of("AWS::EC2::SecurityGroup", "network", {"IpPermissions": []}, "g", "g"),
    ]
    made = generate(wanted("aws", "gcp", things))
    assert {each.id for each in made.untranslated} == {"b", "g"}
    assert {each.folder for each in made.made} == {"foundation"}


def test_state_lies_where_the_spec_says_one_for_each_root() -> None:
    states = {
        "s3": state_at("s3://b/p", "demo", region="eu-west-1"),
        "gcs": state_at("gs://b/p", "demo"),
        "azurerm": state_at("az://b/p", "demo", account="acc"),
        "local": state_at("file:///b/p", "demo"),
    }
    for kind, state in states.items():
        made = generate(wanted("aws", "gcp", sampled("aws")), state=state)
        roots = [made.files[f"{name}/versions.tf"] for name in made.folders]
        assert all(f'backend "{kind}" {{' in text for text in roots)
        assert ["p/demo/foundation" in roots[0], "p/demo/wave-1" in roots[1]] == [True, True]
    with pytest.raises(SpecError, match="HL-7922"):
        state_at("az://b/p", "demo")


def test_kubernetes_is_no_target() -> None:
    with pytest.raises(UnsupportedError, match="HL-7901"):
        generate(wanted("aws", "kubernetes", []))


def test_settings_are_read_of_types_that_the_inventory_has() -> None:
    clouds = (System.AWS, System.GCP, System.AZURE)
    known = {row.native_type for each in clouds for row in rows_of(each)}
    assert not {*_ROWS, *_CAPABILITIES} - known


@pytest.mark.parametrize("platform", TERRAFORM)
def test_tables_use_attributes_that_the_providers_have(platform: str) -> None:
    """Every mark of every table, also those that no sample fills in."""
    target = target_of(platform)
    schema = json.loads(gzip.decompress((SCHEMAS / f"{target.provider}.json.gz").read_bytes()))
    assert schema["version"] == PROVIDERS[target.provider]
    assert schema["version"].startswith(target.version)
    wrong: list[str] = []
    for services in (*target.areas.values(), {"base": target.base}):
        for service in services.values():
            for piece in service.pieces:
                wrong += [
                    f"{piece.type}{each}" for each in unknown(piece.body, schema["resources"][piece.type])
                ]
    assert not wrong


def unknown(body: Any, block: dict[str, Any]) -> list[str]:
    found = []
    for name, mark in body.items():
        marks = mark if isinstance(mark, list) and mark and isinstance(mark[0], Nest) else [mark]
        nested = block.get("b", {}).get(name)
        if nested and all(isinstance(each, (Nest, Each)) for each in marks):
            found += [f".{name}{each}" for one in marks for each in unknown(one.body, nested[2])]
        elif name not in block["a"] or isinstance(mark, (Nest, Each)):
            found.append(f".{name}")
    return found
