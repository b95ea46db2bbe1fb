"""Messages and their channels, against a web hook and a mail server on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.errors import ConflictError, ConnectionConfigError, ServerUnavailableError
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import open_evidence
from heavylift.notify.api import tell_people
from heavylift.notify.channels import send
from heavylift.notify.message import WITHHELD, Message, failure
from heavylift.spec.platforms import Notify
from tests.support.message_sinks import Hook, mail_server, web_hook

SECRET = "AKIAIOSFODNN7EXAMPLE"
ERROR = ConflictError("copying", got="a stranger", state="nothing moved", remedy="move it", code="5002")


def message(**changes: object) -> Message:
    told = failure(ERROR, migration="fraud", phase="transfer", run="r1", task="copy", attempt=2)
    return Message(**{**told.__dict__, **changes})


def at(hook: Hook, conn_type: str = "http", **more: object) -> Connection:
    return Connection(
        conn_id="hook", conn_type=conn_type, host=f"http://127.0.0.1:{hook.port}", **more  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_web_hook_gets_json_with_code_and_remedy() -> None:
    with web_hook() as hook:
        send(at(hook, extra={"path": "/tell", "token": "t"}), (), message())
    [body] = hook.bodies
    assert (body["event"], body["code"], body["title"]) == ("failure", "HL-5002", "task copy failed: copying")
    assert body["todo"] == "move it; clearing it is safe"
    assert hook.paths == ["/tell"]
    assert hook.authorisations == ["Bearer t"]


def test_a_chat_gets_text_for_each_channel() -> None:
    with web_hook() as hook:
        send(at(hook, "slackwebhook", password="/T/B/x"), ("#night", "#day"), message())
    assert [body["channel"] for body in hook.bodies] == ["#night", "#day"]
    assert "heavylift explain HL-5002" in hook.bodies[0]["text"]
    assert hook.paths == ["/T/B/x"] * 2
    assert hook.authorisations == ["", ""]


def test_a_mail_arrives_with_one_line_as_subject() -> None:
    with mail_server() as box:
        there = Connection(
            "mail", "smtp", host="127.0.0.1", port=box.port, extra={"from_email": "a@b.example"}
        )
        send(there, ("x@y.example", "z@y.example"), message(title="broken\r\nBcc: all@example.com"))
    [mail] = box.mails
    assert box.recipients == ["x@y.example", "z@y.example"]
    assert mail["Subject"] == "[failure] fraud.transfer: broken  Bcc: all@example.com"
    assert mail["Bcc"] is None
    assert "To do: move it; clearing it is safe" in mail.get_payload()


def test_secrets_are_withheld_everywhere() -> None:
    told = message(title=f"key {SECRET}", detail=f"first\n{SECRET} second", todo=SECRET)
    for text in (told.subject, told.text, json.dumps(told.document)):
        assert SECRET not in text
        assert WITHHELD in text
    assert "first" in told.text


def test_an_unsafe_retry_is_not_advised() -> None:
    error = ConflictError("switching", got="a later turn", remedy="wait", retry_safe=False, code="8703")
    told = failure(error, migration="m", phase="cutover", run="r", task="t", attempt=1)
    assert told.todo == "wait; do not clear it before that"


def test_what_is_not_taken_is_told_without_the_address() -> None:
    with web_hook() as hook:
        hook.status = 500
        with pytest.raises(ServerUnavailableError, match="HTTP 500") as refused:
            send(at(hook, "slackwebhook", password="/T/secret-end"), (), message())
        gone = at(hook)
    assert "secret-end" not in str(refused.value)
    with pytest.raises(ServerUnavailableError, match="HL-8968"):
        send(gone, (), message())
    with mail_server() as box:
        box.refuses = True
        there = Connection("mail", "smtp", login="a@b.example", host="127.0.0.1", port=box.port)
        with pytest.raises(ServerUnavailableError, match="SMTPRecipientsRefused"):
            send(there, ("x@y.example",), message())


def test_a_password_is_not_sent_over_an_open_line() -> None:
    with mail_server() as box:
        there = Connection("mail", "smtp", "a@b.example", "pw", host="127.0.0.1", port=box.port)
        with pytest.raises(ServerUnavailableError):
            send(there, ("x@y.example",), message())
    assert box.mails == []


@pytest.mark.parametrize(
    ("connection", "code"),
    [
        (Connection("c", "aws"), "8965"),
        (Connection("c", "http"), "8966"),
        (Connection("c", "smtp", host="127.0.0.1"), "8967"),
    ],
)
def test_a_connection_that_cannot_be_used_is_named(connection: Connection, code: str) -> None:
    with pytest.raises(ConnectionConfigError, match=f"HL-{code}"):
        send(connection, (), message())


def test_each_thing_is_told_once_and_only_what_is_asked_for(tmp_path: Path) -> None:
    notify = Notify(connection="hook")

    async def tell(*told: Message, rules: Notify | None = notify) -> list[bool]:
        async with open_evidence(tmp_path.as_uri()) as store:
            sent = [await tell_people(store, rules, lambda _id: at(hook), each) for each in told]
            assert await list_runs(store, "fraud") == []
            return sent

    with web_hook() as hook:
        again = message(about="another attempt")
        assert run(tell(message(), message(), again)) == [True, False, True]
        assert run(tell(message())) == [False]
        assert run(tell(message(event="success"), message(event="deadline"))) == [False, False]
        assert run(tell(message(about="x"), rules=None)) == [False]
        assert len(hook.bodies) == 2
