"""How one type of component is read, as data: a new type is a row in a table, not a function.

Paths are JMESPath expressions. An item of a listing that is only a name is read as ``{"_": name}``;
``_parent`` holds the item of the parent's listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.evidence.inventory_records import Kind


@dataclass(frozen=True)
class Extra:
    """One more call for each component, which changes nothing.

    :param operation: its name in the platform's API, also that of its permission.
    :param arguments: parameter → path in what is known of the component.
    :param items: path in the answer; where it gives a list, all pages are read.
    :param into: under which key the result is put.
    :param permission: where the permission is called otherwise.
    :param only: a path; asked only where it gives something true.
    """

    operation: str
    arguments: Mapping[str, str]
    items: str
    into: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    permission: str = ""
    paged: bool = False
    only: str = ""


@dataclass(frozen=True)
class Parent:
    """Listings that must be made once for each component of another type.

    :param arguments: parameter → path in the parent's item.
    :param and_without: the listing is made once more without those parameters, for what has no parent.
    """

    operation: str
    items: str
    arguments: Mapping[str, str]
    and_without: bool = False
    permission: str = ""


@dataclass(frozen=True)
class Row:
    """One type of component.

    :param service: the platform's name of the service's API.
    :param listing: the operation that lists them; ``items`` is the path of its results.
    :param id: path of the platform's own id; or a template such as ``arn:{partition}:s3:::{Name}``.
    :param name: path of its name; empty where the end of its id is the name.
    :param detail: the operation that describes one; ``detail_at`` is the path in its answer.
    :param listing_permission: where the permission is not called as the operation.
    :param keep_tags: path of the tags: a map, or a list of ``Key`` and ``Value``.
    :param aliases: templates of other names under which references mean it, such as ``gs://{name}``; one
        that is a list in the answer is written ``[path]``.
    :param fold_id: the platform writes its ids now with capitals and now without.
    :param last_token: listings that go on after the last name: the parameter's name.
    """

    service: str
    native_type: str
    kind: Kind
    listing: str
    items: str
    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    listing_permission: str = ""
    detail: str = ""
    detail_arguments: Mapping[str, str] = field(default_factory=dict)
    detail_fixed: Mapping[str, Any] = field(default_factory=dict)
    detail_at: str = "@"
    extras: tuple[Extra, ...] = ()
    parent: Parent | None = None
    is_global: bool = False
    region: str = ""
    created: str = ""
    last_used: str = ""
    size_bytes: str = ""
    size_unit: int = 1
    objects: str = ""
    framework: str = ""
    owner: str = ""
    status: str = ""
    keep_tags: str = ""
    last_token: str = ""
    aliases: tuple[str, ...] = ()
    fold_id: bool = False


KNOWN_AS = "known_as"
"""The attribute that holds a component's aliases."""

TAGS = "Tags || tags || TagList || TagSet"
"""Where most answers have their tags."""
