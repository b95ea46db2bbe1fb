"""Seal, open, verify and rewrap, on folders: second runs, hostile hands, wrong keys, killed runs."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.envelopes.requests import MIB, KeyChoice
from heavylift.envelopes.stream import SEGMENT
from heavylift.errors import ConnectionConfigError, NotFoundError, ServerUnavailableError
from heavylift.platforms.keys import open_key
from heavylift.platforms.local.posix import PosixStore
from tests.support.envelopes import Envelopes, adds_up, folder_place, local_key

FILES = {"model.bin": bytes(range(256)) * 20_000, "sub/weights.json": b'{"w": 1}', "empty": b"",
         "a.sealed": b"called so", "a": b"beside it", "ünï cöde": b"x"}  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> Envelopes:
    made = Envelopes.of_folders(tmp_path)
    for name, data in FILES.items():
        file = tmp_path / "plain" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    return made


def sealed_files(made: Envelopes) -> dict[str, Path]:
    root = made.root / "sealed"
    return {str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file()}


def key_file(made: Envelopes, name: str) -> Path:
    [found] = [f for n, f in sealed_files(made).items() if n.startswith(f"{name}.") and n.endswith("-key")
               and len(n) == len(name) + 1 + 16 + len(".sealed-key")]  # fmt: skip
    return found


def test_what_is_sealed_opens_again_and_its_digest_is_in_the_manifest(made: Envelopes) -> None:
    record = made.act("seal")
    assert (record.found, record.done, record.passed) == (len(FILES), len(FILES), True)
    rows = made.rows(record)
    assert {name: row.sha256 for name, row in rows.items()} == {
        name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()
    }
    for file in sealed_files(made).values():
        body = file.read_bytes()
        assert not [data for data in FILES.values() if len(data) > 5 and data[:200] in body]
    shutil.rmtree(made.root / "plain")
    assert made.act("verify").passed
    opened = made.act("open", plain=folder_place(made.root / "opened"))
    assert (opened.done, opened.passed) == (len(FILES), True)
    assert {n: (made.root / "opened" / n).read_bytes() for n in FILES} == FILES
    again = made.act("open", plain=folder_place(made.root / "opened"))
    assert (again.equal, again.sent_bytes, again.passed) == (len(FILES), 0, True)
    assert all(adds_up(each) for each in (record, opened, again))
    actions = ["envelope.sealed", "envelope.verified", "envelope.opened", "envelope.opened"]
    assert [entry.action for entry in made.trail()] == actions


def test_a_second_run_seals_nothing_and_a_dry_run_keeps_nothing(made: Envelopes) -> None:
    dry = made.act("seal", dry_run=True)
    assert (dry.planned, dry.rows) == (len(FILES), None)
    assert not sealed_files(made)
    made.act("seal")
    before = {name: file.read_bytes() for name, file in sealed_files(made).items()}
    again = made.act("seal")
    assert (again.equal, again.done, again.sent_bytes) == (len(FILES), 0, 0)
    assert {name: file.read_bytes() for name, file in sealed_files(made).items()} == before
    assert {row.digest_from for row in made.rows(again).values()} == {"source"}


def test_nothing_to_seal_proves_nothing(tmp_path: Path) -> None:
    made = Envelopes.of_folders(tmp_path)
    record = made.act("seal")
    assert not record.passed
    assert "proves nothing" in record.statement
    with pytest.raises(NotFoundError, match="HL-9367"):
        Envelopes.of_folders(tmp_path / "other").act("verify")


def test_a_wrong_key_is_named_and_nothing_is_lost(made: Envelopes) -> None:
    made.act("seal")
    other = local_key("other_key")
    for act, more in (("verify", {}), ("open", {"plain": folder_place(made.root / "opened")})):
        record = made.act(act, key=other, **more)  # type: ignore[arg-type]
        assert (record.failed, record.passed) == (len(FILES), False)
        assert "HL-9343" in record.failures[0]
        assert "got the key other_key/" in record.failures[0]
        assert "expected the key key/" in record.failures[0]
    assert not [file for file in (made.root / "opened").rglob("*") if file.is_file()]
    assert made.act("verify").passed


def test_wrapping_anew_touches_key_files_alone(made: Envelopes) -> None:
    made.act("seal")
    before = {name: file.read_bytes() for name, file in sealed_files(made).items()}
    new = local_key("new_key")
    record = made.act("rewrap", new_key=new)
    assert (record.done, record.passed) == (len(FILES), True)
    assert record.sent_bytes < 1000 * len(FILES)
    changed = {name for name, file in sealed_files(made).items() if file.read_bytes() != before[name]}
    assert changed == {name for name in before if name.endswith(".sealed-key")}
    assert not made.act("verify").passed
    assert made.act("verify", key=new).passed
    again = made.act("rewrap", new_key=new)
    assert (again.equal, again.done, again.passed) == (len(FILES), 0, True)
    stranger = made.act("rewrap", key=local_key("k3"), new_key=local_key("k4"))
    assert (stranger.failed, stranger.passed) == (len(FILES), False)
    assert made.act("verify", key=new).passed


def test_what_somebody_did_to_sealed_objects_is_found(made: Envelopes) -> None:
    made.act("seal")
    files = sealed_files(made)
    body = files["model.bin.sealed"].read_bytes()

    def verdict() -> str:
        record = made.act("verify")
        assert (record.failed, record.passed) == (1, False)
        assert record.failures[0].startswith("model.bin: ")
        return record.failures[0]

    files["model.bin.sealed"].write_bytes(body[:-1])
    assert "HL-9356" in verdict()
    files["model.bin.sealed"].write_bytes(body[:SEGMENT] + b"?" + body[SEGMENT + 1 :])
    assert "segment 2 of 5 that is not authentic" in verdict()
    files["model.bin.sealed"].unlink()
    assert "HL-9361" in verdict()
    files["model.bin.sealed"].write_bytes(b"something else that is no envelope")
    assert "an object that is no sealed one" in verdict()
    files["model.bin.sealed"].write_bytes(body)
    assert made.act("verify").passed


def test_objects_under_each_others_names_do_not_open(made: Envelopes) -> None:
    made.act("seal")
    files = sealed_files(made)
    one, other = files["a.sealed"], files["empty.sealed"]
    # The object with its key file under another name: the key file says whose it is.
    other.write_bytes(one.read_bytes())
    id_ = key_file(made, "a").name.split(".")[1]
    moved = made.root / "sealed" / f"empty.{id_}.sealed-key"
    shutil.copy(key_file(made, "a"), moved)
    record = made.act("verify")
    assert "the key file of 'a'" in record.failures[0]
    # And one that lies about its name: the cipher has bound it.
    moved.write_text(moved.read_text().replace('"name": "a"', '"name": "empty"'))
    record = made.act("verify")
    assert record.failures[0].startswith("empty: ")
    assert "HL-9343" in record.failures[0]


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"format": "heavylift-envelope/v9"}', "[" * 100_000])
def test_a_key_file_of_another_form_is_told(made: Envelopes, text: str) -> None:
    made.act("seal")
    key_file(made, "model.bin").write_text(text)
    record = made.act("verify")
    assert "HL-9350" in record.failures[0]
    assert record.failed == 1


def test_a_lost_key_file_is_told(made: Envelopes) -> None:
    made.act("seal")
    key_file(made, "model.bin").unlink()
    assert "HL-9355" in made.act("verify").failures[0]


def test_what_is_no_sealed_object_is_never_overwritten(made: Envelopes) -> None:
    (made.root / "sealed" / "model.bin.sealed").write_bytes(b"somebody's own")
    for replace in (False, True):
        record = made.act("seal", replace=replace)
        assert record.failed == 1
        assert "HL-9358" in record.failures[0]
        assert (made.root / "sealed" / "model.bin.sealed").read_bytes() == b"somebody's own"
    (made.root / "opened").mkdir()
    (made.root / "opened" / "a").write_bytes(b"another")
    opened = made.act("open", plain=folder_place(made.root / "opened"))
    assert any("HL-9366" in each for each in opened.failures)
    assert (made.root / "opened" / "a").read_bytes() == b"another"


def test_a_changed_source_is_sealed_again_only_where_asked_and_with_another_key(made: Envelopes) -> None:
    made.act("seal")
    (made.root / "plain" / "model.bin").write_bytes(b"retrained")
    refused = made.act("seal")
    assert (refused.failed, refused.equal) == (1, len(FILES) - 1)
    assert "--replace" in refused.failures[0]
    assert made.act("verify").failed == 0
    replaced = made.act("seal", replace=True)
    assert (replaced.done, replaced.equal, replaced.passed) == (1, len(FILES) - 1, True)
    assert made.act("verify").passed
    keys = [name for name in sealed_files(made) if name.startswith("model.bin.") and name.endswith("-key")]
    # The older key file stays: versions of the bucket may hold the older object.
    assert len(keys) == 2


def test_a_killed_run_goes_on_with_its_parts(made: Envelopes, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    real = PosixStore.put_part

    async def dying(self: Any, upload: Any, number: int, body: Any, crc32c: str) -> Any:
        if number > 3:
            raise ServerUnavailableError("put_part", got="the power is gone")
        sent.append(number)
        return await real(self, upload, number, body, crc32c)

    async def counting(self: Any, upload: Any, number: int, body: Any, crc32c: str) -> Any:
        sent.append(number)
        return await real(self, upload, number, body, crc32c)

    monkeypatch.setattr(PosixStore, "put_part", dying)
    first = made.act("seal", part_bytes=MIB)
    assert first.failed == 1
    assert "model.bin.sealed" not in sealed_files(made)
    began = sorted(sent)
    assert began
    sent.clear()
    monkeypatch.setattr(PosixStore, "put_part", counting)
    second = made.act("seal", part_bytes=MIB)
    assert (second.done, second.passed) == (1, True)
    assert sorted(sent) == [number for number in range(1, 6) if number not in began]
    assert made.act("verify").passed


def test_what_a_killed_run_began_of_another_version_is_not_used(
    made: Envelopes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dying(*_: Any) -> Any:
        raise ServerUnavailableError("put_part", got="the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(PosixStore, "put_part", dying)
        assert made.act("seal", part_bytes=MIB).failed == 1
    header = json.loads(key_file(made, "model.bin").read_text())["header"]
    (made.root / "plain" / "model.bin").write_bytes(bytes(5 * MIB))
    assert made.act("seal", part_bytes=MIB).passed
    keys = [json.loads(file.read_text()) for name, file in sealed_files(made).items()
            if name.startswith("model.bin.") and name.endswith("-key")]  # fmt: skip
    # One key and header never seal two contents: with them the cipher would be broken.
    assert len({each["header"] for each in keys}) == 2
    assert header in {each["header"] for each in keys}
    assert made.act("verify").passed


def test_a_run_that_was_killed_before_its_manifest_is_proved_from_the_target(made: Envelopes) -> None:
    made.act("seal")
    shutil.rmtree(made.root / "evidence")
    record = made.act("seal")
    assert (record.equal, record.passed) == (len(FILES), True)
    rows = made.rows(record)
    assert {row.digest_from for row in rows.values()} == {"target"}
    assert rows["a"].sha256 == hashlib.sha256(FILES["a"]).hexdigest()


def test_no_key_is_in_evidence_key_files_or_what_is_shown(made: Envelopes) -> None:
    record = made.act("seal")
    password = made.key.connection.password or ""
    texts = [file.read_bytes() for file in made.root.rglob("*") if file.is_file()]
    assert not [text for text in texts if password.encode() in text]
    assert password not in record.model_dump_json()
    key = open_key(made.key.connection)
    assert password not in repr(vars(key))


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        (KeyChoice(Connection("k", "envelope_key")), "9342"),
        (KeyChoice(Connection("k", "envelope_key", password="dG9vIHNob3J0")), "9342"),
        (KeyChoice(Connection("k", "envelope_key", password="n")), "9342"),
        (KeyChoice(Connection("k", "envelope_key", password="n"), "name"), "9341"),
        (KeyChoice(Connection("k", "aws")), "9341"),
        (KeyChoice(Connection("k", "http"), "name"), "9340"),
        (KeyChoice(Connection("k", "google_cloud_platform"), "short"), "9345"),
        (KeyChoice(Connection("k", "azure"), "name"), "9348"),
    ],
)
def test_a_key_that_can_not_be_used_is_told_before_anything_happens(
    made: Envelopes, choice: KeyChoice, code: str
) -> None:
    with pytest.raises(ConnectionConfigError, match=f"HL-{code}") as refused:
        made.act("seal", key=choice)
    assert choice.connection.password is None or choice.connection.password not in str(refused.value).split()
    assert not sealed_files(made)
