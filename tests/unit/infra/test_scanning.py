"""What checkov says, read; and what is said where it says nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heavylift.errors import HeavyliftError, NotFoundError
from heavylift.infra.scanning import Failed, scan

RESULT = {
    "summary": {"passed": 3, "skipped": 2, "failed": 1},
    "results": {
        "failed_checks": [
            {
                "check_id": "CKV_X_1",
                "check_name": "no holes",
                "resource": "a.b",
                "file_path": "/main.tf",
                "file_line_range": [4, 9],
                "severity": None,
            }
        ]
    },
}


def program(home: Path, result: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in checkov's place that writes ``result`` and shows its environment."""
    path = home / "checkov"
    lines = ["#!/bin/sh", 'test -z "$AWS_SECRET_ACCESS_KEY" || exit 9', "for out; do :; done"]
    if result is not None:
        lines.append(f"cat > \"$out/results_json.json\" <<'END'\n{json.dumps(result)}\nEND")
    path.write_text("\n".join([*lines, "echo trouble >&2", "exit 1", ""]))
    path.chmod(0o755)
    monkeypatch.setenv("HEAVYLIFT_CHECKOV", str(path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")


def test_a_result_is_read_and_no_key_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, RESULT, monkeypatch)
    found = scan(tmp_path)
    assert (found.passed, found.skipped) == (3, 2)
    assert found.failed == (Failed("CKV_X_1", "no holes", "a.b", "main.tf:4"),)
    program(tmp_path, {"passed": 0, "failed": 0}, monkeypatch)
    assert scan(tmp_path).failed == ()


def test_no_result_and_no_program_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, None, monkeypatch)
    with pytest.raises(HeavyliftError, match="HL-7925") as caught:
        scan(tmp_path)
    assert caught.value.got == "trouble"
    monkeypatch.setenv("HEAVYLIFT_CHECKOV", str(tmp_path / "none"))
    with pytest.raises(NotFoundError, match="HL-7924"):
        scan(tmp_path)
