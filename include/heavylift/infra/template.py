"""The language of the tables in :mod:`heavylift.infra.targets`: bodies of resources with marks in them.

A table says what a capability becomes on a target: a :class:`Service` of some :class:`Piece`. What stands
in a piece's body is a literal, or a mark that is filled in for each component.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from heavylift.infra.hcl import Block, Call, Expr
from heavylift.infra.names import RULES, Names
from heavylift.infra.targets.skips import SKIPS

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """What the source says of the component under ``name``; else ``default``, else nothing.

    :param words: what values of the source are on the target; others are the default.
    :param form: text around it, with ``{}`` in its place.
    """

    name: str
    default: Any = None
    words: Mapping[Any, Any] | None = None
    form: str = ""


@dataclass(frozen=True)
class Name:
    """The component's name, by one of :data:`heavylift.infra.names.RULES`."""

    rule: str
    scope: str = ""


@dataclass(frozen=True)
class Base:
    """An output of the foundation, such as ``subnet_id``."""

    name: str


@dataclass(frozen=True)
class Var:
    """A variable that all modules share, such as ``region``."""

    name: str


@dataclass(frozen=True)
class Own:
    """An attribute of another piece of the same component: ``Own("ring", "id")``."""

    role: str
    attribute: str = "id"


@dataclass(frozen=True)
class Ask:
    """What neither plan nor inventory can tell: a variable that a person fills in.

    :param secret: never shown, and not to be kept in a file.
    """

    name: str
    description: str
    many: bool = False


@dataclass(frozen=True)
class Text:
    """Text of literals and marks, one after the other."""

    parts: tuple[Any, ...]

    def __init__(self, *parts: Any) -> None:
        object.__setattr__(self, "parts", parts)


@dataclass(frozen=True)
class Nest:
    """A nested block; ``when`` names a setting without which it is left out."""

    body: Body = field(default_factory=dict)
    when: str = ""


@dataclass(frozen=True)
class Each:
    """One nested block for each item of a setting that is a list; items are read by :class:`Item`."""

    setting: str
    body: Body
    default: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Item:
    """A field of the item that an :class:`Each` is at."""

    name: str
    default: Any = None
    words: Mapping[Any, Any] | None = None
    form: str = ""


@dataclass(frozen=True)
class Json:
    """A document, written by ``jsonencode``."""

    value: Any


@dataclass(frozen=True)
class Piece:
    """One resource.

    :param role: by which other pieces name it; the first piece of a service is what stands for the component.
    :param when: a setting without which it is not made.
    :param each: a setting that is a list: one resource for each item.
    :param id: the attribute that identifies it.
    """

    type: str
    body: Body
    role: str = "main"
    when: str = ""
    each: str = ""
    id: str = "id"


@dataclass(frozen=True)
class Service:
    """What a capability becomes.

    :param notes: what a person has to know or do beside it.
    :param needs: a setting without which nothing can be made of the component.
    """

    pieces: tuple[Piece, ...]
    notes: tuple[str, ...] = ()
    needs: str = ""

    @property
    def main(self) -> Piece:
        """The piece that stands for the component."""
        return self.pieces[0]


@dataclass
class Used:
    """What a filled-in body refers to."""

    variables: set[str] = field(default_factory=set)
    asks: dict[str, Ask] = field(default_factory=dict)
    defaults: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Filling:
    """One component, and what its marks are filled in with.

    :param label: of its resources.
    :param wanted: its name on the source.
    :param places: role to address, such as ``google_kms_key_ring.base``.
    """

    owner: str
    label: str
    wanted: str
    settings: Mapping[str, Any]
    names: Names
    places: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    used: Used = field(default_factory=Used)

    def fill(self, piece: Piece, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the piece's body without marks."""
        return self._body(piece.body, piece.type, item)

    def _body(self, body: Body, scope: str, item: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, mark in body.items():
            value = self._value(mark, scope, item, name)
            if value is not None and value != []:
                found[name] = value
        return found

    def _value(self, mark: Any, scope: str, item: Mapping[str, Any], name: str) -> Any:
        fill = _FILLS.get(type(mark))
        if fill is not None:
            return fill(self, mark, scope, item, name)
        if isinstance(mark, Mapping):
            return self._body(mark, scope, item)
        if isinstance(mark, (list, tuple)):
            found = [self._value(each, scope, item, name) for each in mark]
            return [each for each in found if each is not None]
        return mark

    def _setting(self, mark: Setting | Item, told: Any, scope: str, name: str) -> Any:
        value = mark.words.get(told) if mark.words is not None else told
        if value is None:
            if mark.default is not None:
                self.used.defaults.add(mark.name)
            return self._value(mark.default, scope, {}, name)
        return mark.form.format(value) if mark.form else value

    def variable(self, name: str) -> Expr:
        """Return a variable of the module."""
        self.used.variables.add(name)
        return Expr(f"var.{name}")

    def nest(self, mark: Nest, scope: str, item: Mapping[str, Any], name: str) -> Block | None:
        """Return a nested block, or None where it does not apply."""
        if mark.when and not self.settings.get(mark.when):
            return None
        return Block(name, body=self._body(mark.body, scope, item))

    def each(self, mark: Each, scope: str, item: Mapping[str, Any], name: str) -> list[Block]:
        """Return the blocks of a list, which may lie in the item of another one."""
        items = item.get(mark.setting) or self.settings.get(mark.setting) or mark.default
        return [Block(name, body=self._body(mark.body, scope, one)) for one in items]

    def text(self, mark: Text, scope: str, item: Mapping[str, Any], name: str) -> Any:
        """Return literals and marks as one text; a template only where a mark is code."""
        from heavylift.infra.hcl import quoted

        parts = [self._value(part, scope, item, name) for part in mark.parts]
        if any(part is None for part in parts):
            return None
        if not any(isinstance(part, Expr) for part in parts):
            return "".join(str(part) for part in parts)
        inner = [f"${{{part.text}}}" if isinstance(part, Expr) else quoted(str(part))[1:-1] for part in parts]
        return Expr('"' + "".join(inner) + '"')

    def ask(self, mark: Ask) -> Expr:
        """Return the variable in which a person answers."""
        name = f"{self.label}_{mark.name}"
        self.used.asks[name] = mark
        return Expr(f"var.{name}")

    def name(self, mark: Name, scope: str) -> str:
        """Return the component's name on the target."""
        return self.names.give(mark.scope or scope, self.wanted, self.owner, RULES[mark.rule])

    def base(self, mark: Base) -> Expr:
        """Return an output of the foundation."""
        self.used.variables.add("foundation")
        return Expr(f'var.foundation["{mark.name}"]')

    def own(self, mark: Own) -> Expr:
        """Return an attribute of another piece."""
        return Expr(f"{self.places[mark.role]}.{mark.attribute}")


_FILLS: Mapping[type, Any] = MappingProxyType(
    {
        Setting: lambda f, m, scope, _item, name: f._setting(m, f.settings.get(m.name), scope, name),
        Item: lambda f, m, scope, item, name: f._setting(m, item.get(m.name), scope, name),
        Name: lambda f, m, scope, _item, _name: f.name(m, scope),
        Base: lambda f, m, _scope, _item, _name: f.base(m),
        Var: lambda f, m, _scope, _item, _name: f.variable(m.name),
        Own: lambda f, m, _scope, _item, _name: f.own(m),
        Ask: lambda f, m, _scope, _item, _name: f.ask(m),
        Text: lambda f, m, scope, item, name: f.text(m, scope, item, name),
        Nest: lambda f, m, scope, item, name: f.nest(m, scope, item, name),
        Each: lambda f, m, scope, item, name: f.each(m, scope, item, name),
        Json: lambda f, m, scope, item, name: Call("jsonencode", f._value(m.value, scope, item, name)),
    }
)


def resources(service: Service, filling: Filling) -> list[Block]:
    """Return the resources of one component."""
    blocks = []
    for piece in service.pieces:
        if piece.when and not filling.settings.get(piece.when):
            continue
        kind, label = filling.places[piece.role].split(".")
        if not piece.each:
            blocks.append(Block("resource", (kind, label), filling.fill(piece, {}), remarks=_skips(kind)))
        for at, item in enumerate(filling.settings.get(piece.each) or () if piece.each else (), 1):
            body = filling.fill(piece, item)
            blocks.append(Block("resource", (kind, f"{label}_{at}"), body, remarks=_skips(kind)))
    return blocks


def _skips(kind: str) -> tuple[str, ...]:
    return tuple(f"checkov:skip={check}:{reason}" for check, reason in SKIPS.get(kind, {}).items())


def places_of(service: Service, label: str, *, by_role: bool = False) -> dict[str, str]:
    """Return the address of each piece.

    :param by_role: each is labelled by its role; else by ``label``, and the role where a type is there twice.
    """
    kinds = [piece.type for piece in service.pieces]
    found = {}
    for piece in service.pieces:
        role = piece.role.replace("-", "_")
        twice = kinds.count(piece.type) > 1 and piece is not service.main
        own = role if by_role else f"{label}_{role}" if twice else label
        found[piece.role] = f"{piece.type}.{own}"
    return found
