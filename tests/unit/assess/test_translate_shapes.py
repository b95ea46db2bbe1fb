"""What the table of types reads of Google Cloud and Azure stands in what the vendors publish."""

from __future__ import annotations

import re
from typing import Any

import pytest

from heavylift.assess.translate.azure_rows import ROWS as AZURE_ROWS
from heavylift.assess.translate.gcp_rows import ROWS as GCP_ROWS
from heavylift.assess.translate.groups import Groups, Several
from heavylift.assess.translate.rows import Row, values_at
from heavylift.inventory.platforms import rows_of
from heavylift.spec.vocabulary import Platform
from tests.support.shaped_google import _raw, document_of, response_of
from tests.unit.inventory.test_azure_rows import ShapedPlane, read


def paths_of(row: Row) -> set[str]:
    """Return where a row looks for machines, from the component's top."""
    places = row.uses.places if isinstance(row.uses, Several) else (row.uses,)
    found = {path for path in (row.instance, row.machines) if path}
    for place in places:
        if isinstance(place, Groups):
            inner = (place.instance, place.device, place.count, place.machines)
            found |= {".".join(part for part in (place.at, path) if part) for path in inner if path}
    return found


PLAIN = {
    "GCP::SQL::Instance": ("settings.dataDiskSizeGb", "settings.availabilityType", "instanceType"),
    "GCP::AlloyDB::Cluster": ("clusterType",),
    "GCP::Redis::Instance": ("memorySizeGb",),
    "GCP::Filestore::Instance": ("fileShares[].capacityGb",),
    "GCP::PubSub::Topic": ("messageRetentionDuration",),
    "GCP::ArtifactRegistry::Repository": ("mode",),
    "GCP::BigQuery::Table": ("type",),
    "GCP::VertexAI::NotebookRuntime": ("dataPersistentDiskSpec.diskSizeGb",),
    "GCP::VertexAI::Model": ("containerSpec.imageUri",),
    "GCP::VertexAI::CustomJob": ("startTime", "endTime", "state"),
    "GCP::Run::Service": (
        "template.nodeSelector.accelerator", "template.containers[].resources.limits",
        "template.scaling.minInstanceCount",
    ),
    "GCP::Run::Job": (
        "template.parallelism", "template.template.nodeSelector.accelerator",
        "template.template.containers[].resources.limits",
    ),
}  # fmt: skip
"""What functions of the table read."""


@pytest.mark.parametrize("native_type", sorted(GCP_ROWS))
def test_what_is_read_of_google_stands_in_its_discovery_documents(native_type: str) -> None:
    row = next(each for each in rows_of(Platform.GCP) if each.native_type == native_type)
    http, _, path = row.listing.partition(" ")
    path = re.sub(r"\{\+?\w+\}", "x-1", path).partition("?")[0]
    schemas = _raw(document_of(row.service, path))["schemas"]
    _, schema = response_of(row.service, http, path)
    for part in row.items.replace("[@]", "").replace(".*", "").replace("[]", "").split("."):
        schema = below(schemas, schema, part)
    for wanted in sorted({*paths_of(GCP_ROWS[native_type]), *PLAIN.get(native_type, ())}):
        found = schema
        for part in wanted.replace("[]", "").split("."):
            found = below(schemas, found, part)


def below(schemas: dict[str, Any], schema: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the schema of one field; of lists and maps that of what they hold."""
    fields = schema.get("properties") or {}
    assert not name or name in fields, f"no {name} among {sorted(fields)}"
    found = fields[name] if name else schema
    while True:
        inner = found.get("items") or found.get("additionalProperties")
        if "$ref" in found:
            found = schemas[found["$ref"]]
        elif isinstance(inner, dict):
            found = inner
        else:
            return dict(found)


ANY_KIND = ("properties.properties", "properties.resources", "properties.trial")
"""What only some kinds of a type have; the published model is that which all of them share."""

AZURE = {
    "Azure::PostgreSQL::Server": (
        "properties.storage.storageSizeGB", "properties.replicationRole", "properties.highAvailability.mode",
    ),
    "Azure::MySQL::Server": (
        "properties.storage.storageSizeGB", "properties.replicationRole", "properties.highAvailability.mode",
    ),
    "Azure::EventHub::Hub": (
        "properties.retentionDescription.retentionTimeInHours", "properties.messageRetentionInDays",
    ),
    "Azure::SQL::Database": ("name",),
}  # fmt: skip
"""What functions of the table read."""


@pytest.mark.parametrize("native_type", sorted(AZURE_ROWS))
def test_what_is_read_of_azure_stands_in_its_models(native_type: str) -> None:
    row = next(each for each in rows_of(Platform.AZURE) if each.native_type == native_type)
    component = read(row, ShapedPlane())[0][0].component
    assert component is not None
    for path in sorted({*paths_of(AZURE_ROWS[native_type]), *AZURE.get(native_type, ())}):
        if not path.startswith(ANY_KIND):
            assert values_at(path, component.attributes), path
