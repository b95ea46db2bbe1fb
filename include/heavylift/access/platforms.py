"""Which reader, writer and evaluator a platform has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from heavylift.access.aws_bundle import aws_bundle
from heavylift.access.aws_evaluate import aws_allows, aws_permissions
from heavylift.access.aws_names import example_arn
from heavylift.access.aws_read import Reader as AwsReader
from heavylift.access.gcp_write import GcpWriter
from heavylift.access.model import Document, Names, Place, Read
from heavylift.access.table import Kind, Table
from heavylift.access.writing import Context, Writer, make_mapped

BUNDLES: dict[str, Callable[[Iterable[tuple[str, Any]]], Document]] = {"aws": aws_bundle}


def bundle_of(platform: str, found: Iterable[tuple[str, Any]]) -> Document:
    """Return a platform's documents in the form that its reader and evaluator take."""
    return BUNDLES[platform](found)


def read_bundle(platform: str, bundle: Document, table: Table, place: Place) -> Read:
    """Return the identities of a bundle."""
    return AwsReader(table, place).read(bundle)


def writer_for(names: Names, table: Table) -> Writer:
    """Return the writer for the target."""
    return GcpWriter(names, make_mapped(names, table))


def source_allows(
    platform: str,
    bundle: Document,
    who: str,
    permission: str,
    kind: Kind,
    name: str,
    place: Place,
    context: Context,
) -> bool:
    """Ask the source's evaluator about the resource that a neutral name means."""
    identity = next(each for each in bundle["identities"] if each["id"] == who)
    return aws_allows(identity, permission, example_arn(kind, name, place), context)


def permissions_of(platform: str, bundle: Document, who: str, known: Collection[str]) -> frozenset[str]:
    """Return those of ``known`` that an identity is allowed somewhere, before any denial."""
    identity = next(each for each in bundle["identities"] if each["id"] == who)
    return aws_permissions(identity, known)
