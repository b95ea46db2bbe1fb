"""Manifests that mean harm, or are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.errors import SpecError, UnsupportedError
from heavylift.manifests.reading import find_files, read_file

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
LAUGHS = "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
BOMB = HEAD + "data:\n  a0: &a0 [x]\n" + LAUGHS


def read(tmp_path: Path, text: str | bytes, name: str = "m.yaml") -> list:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_file(path, name)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (HEAD + "kind: Secret\n", "8505", "line 4"),
        (BOMB, "8505", "values"),
        (HEAD + "data: " + "[" * 100_000, "8505", "levels"),
        (HEAD + "data: !!python/object/apply:os.system [id]\n", "8505", "line 4"),
        (HEAD + "data: !Ref x\n", "8505", "line 4"),
        ("---\n" + HEAD + "---\na: [\n", "8505", "line"),
        (b"\xff\xfe\x00\x01", "8503", "UTF-8"),
        ('{"kind": "A", "kind": "B"}', "8505", "twice"),
        (HEAD + "data:\n  a: \x07\n", "8505", "line"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str | bytes, code: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert "m.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{- if .Values.enabled }}\n" + HEAD + "{{- end }}\n",
        HEAD + "data: {{ toYaml .Values.data | nindent 2 }}\n",
        HEAD + '{{ include "a.labels" . }}\n',
    ],
)
def test_a_template_is_told_from_a_manifest(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnsupportedError, match="helm template") as caught:
        read(tmp_path, text)
    assert caught.value.code == "8504"


def test_documents_come_back_byte_for_byte(tmp_path: Path) -> None:
    text = (
        "# first\n---\n# nothing\n---\n"
        + HEAD
        + 'data: {t: 2026-01-01, é: "ü"}\n--- # c\n'
        + HEAD
        + "...\n---\n"
    )
    chunks = read(tmp_path, text)
    assert "".join(each.text for each in chunks) == text
    assert [each.data["kind"] for each in chunks if each.data] == ["ConfigMap", "ConfigMap"]
    assert next(each.data for each in chunks if each.data)["data"]["t"] == "2026-01-01"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.yaml").write_text(HEAD)
    with pytest.raises(SpecError) as caught:
        find_files([tmp_path / "a", tmp_path / "b"])
    assert caught.value.code == "8501"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        find_files([tmp_path])
    assert caught.value.code == "8502"
