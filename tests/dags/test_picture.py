"""The picture in the README shows the DAG that there is."""

from __future__ import annotations

from pathlib import Path

from sandbox.picture import PICTURE, write_picture


def test_the_picture_is_drawn_from_the_dag_as_it_is_now(tmp_path: Path) -> None:
    drawn = tmp_path / "system.svg"
    write_picture(drawn)
    told = "the DAG or the spec changed: run python -m sandbox.picture"
    assert drawn.read_text(encoding="utf-8") == PICTURE.read_text(encoding="utf-8"), told
