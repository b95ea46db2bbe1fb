"""Moves to a target behind an interface take turns; a look needs none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import TransientError
from heavylift.registry import ways
from heavylift.registry.work import Work
from tests.unit.registry.test_requests import request


def test_a_second_move_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    asked = replace(request(), evidence_url=tmp_path.as_uri(), evidence_connection=None)
    begun: list[str] = []

    async def moving(name: str, inner: Any = None) -> Any:
        begun.append(name)
        if inner is not None:
            await inner
        return name

    async def refused() -> None:
        with pytest.raises(TransientError, match="HL-9530"):
            await ways._in_turn(asked, Work(), moving("second"))
        look = replace(asked, options=replace(asked.options, dry_run=True))
        await ways._in_turn(look, Work(), moving("look"))

    assert asyncio.run(ways._in_turn(asked, Work(), moving("first", refused()))) == "first"
    assert begun == ["first", "look"]
    assert asyncio.run(ways._in_turn(asked, Work(), moving("third"))) == "third"
