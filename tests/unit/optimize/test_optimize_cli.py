"""``heavylift optimize`` and ``monitor run``: a spec or a name that asks for nothing is no success."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dags.specs import write
from tests.unit.objects.test_objects_cli import heavylift


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("optimize", "trials"), "HL-9653"),
        (("optimize", "rightsize"), "HL-9653"),
        (("optimize", "mix"), "HL-9653"),
        (("monitor", "run"), "HL-9654"),
    ],
)
def test_a_spec_without_the_section_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    path, store = write(tmp_path, "some"), (tmp_path / "evidence").as_uri()
    status, _, told = heavylift(capsys, *words, str(path), "--evidence", store)
    assert status == 2
    assert f"[{code}]" in told
    assert not (tmp_path / "evidence").exists()
