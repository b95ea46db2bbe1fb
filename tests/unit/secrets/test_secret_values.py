"""A value in memory shows nothing of itself, and values are compared without leaving a trace."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from dataclasses import asdict

import pytest

from heavylift.errors import CredentialError, PermanentError, ServerUnavailableError, ThrottledError
from heavylift.platforms.secret_api import _Quiet
from heavylift.platforms.secrets import Dressing, Held, SecretInfo, quiet
from heavylift.secret_values import Comparer, SecretValue
from tests.support.canary import Canary


def test_a_value_is_shown_by_nothing_that_shows_values() -> None:
    canary = Canary()
    value = SecretValue.of_text(canary.value)
    held = Held(SecretInfo("a", "secret_manager"), value)
    shown = [str(value), repr(value), f"{value}", f"{value:>40}", "%s %r" % (value, value), repr(held)]  # noqa: UP031
    shown += [repr([value]), repr({"v": value}), str(getattr(value, "__dict__", ""))]
    assert not any(canary.in_text(each) for each in shown)
    assert value.reveal() == canary.value.encode()
    for refuses in (
        lambda: pickle.dumps(value),
        lambda: copy.copy(value),
        lambda: copy.deepcopy(held),
        lambda: asdict(held),
        lambda: json.dumps(value),
        lambda: pickle.dumps(Comparer()),
    ):
        with pytest.raises(TypeError) as refused:
            refuses()
        assert not canary.in_text("".join(traceback.format_exception(refused.value)))


def test_a_request_does_not_show_its_body() -> None:
    canary = Canary()
    body = canary.value.encode()
    request = _Quiet("POST", "https://h/x", "POST x", {"Authorization": canary.value}, body)
    assert not canary.in_text(repr(request))
    assert not canary.in_text(str(request))


def test_values_are_compared_as_bytes_and_no_two_processes_have_the_same_key() -> None:
    comparer = Comparer()
    one = SecretValue.of_text("ä")
    assert comparer.equal(one, SecretValue("ä".encode(), text=False))
    assert not comparer.equal(one, SecretValue.of_text("a"))
    assert comparer._digest(one) != Comparer()._digest(one)
    assert repr(comparer) == "Comparer(hidden)"


@pytest.mark.parametrize(
    ("got", "shown"),
    [
        ("HTTP 400 INVALID_ARGUMENT {v}", "HTTP 400"),
        ("HTTP 403 PERMISSION_DENIED", "HTTP 403 PERMISSION_DENIED"),
        ("HTTP 500 {v}", "HTTP 500"),
        ("InvalidRequestException: you sent {v}", "InvalidRequestException"),
        ("ValidationException", "ValidationException"),
        ("{v}", "a refusal"),
        ("", "a refusal"),
    ],
)
def test_of_a_vendors_refusal_one_word_is_left(got: str, shown: str) -> None:
    for canary in (Canary(), Canary(plain=True)):
        for kind in (CredentialError, PermanentError, ServerUnavailableError):
            error = quiet(kind("x", got=got.replace("{v}", canary.value), code="7607"))
            assert (type(error), error.got, error.code) == (kind, shown, "7607")
            assert not canary.in_text(str(error))
            assert not canary.in_text(pickle.dumps(error))


def test_what_a_server_asks_for_is_kept() -> None:
    error = ThrottledError("x", got="HTTP 429")
    error.retry_after = "7"
    made = quiet(error)
    assert isinstance(made, ThrottledError)
    assert made.retry_after == "7"


def test_descriptions_and_labels_are_not_shown_either() -> None:
    canary = Canary()
    info = SecretInfo("a", "s", description=canary.value, labels={"a": canary.value})
    assert not canary.in_text(repr(info))
    assert not canary.in_text(repr(Dressing("m", canary.value, {"a": canary.value})))
