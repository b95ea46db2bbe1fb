from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from heavylift.errors import ConnectionConfigError, ServerUnavailableError
from sandbox import ports


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def choose(roles: tuple[str, ...], **options: object) -> dict[str, int]:
    given = {"before": {}, "taken": set(), "environ": {}} | options
    return ports.choose("aws_source", roles, **given)  # type: ignore[arg-type]


def test_a_port_that_somebody_listens_on_is_not_free(busy: int) -> None:
    assert not ports.is_free(busy)


def test_each_role_gets_a_port_of_its_own_that_no_other_server_has() -> None:
    taken: set[int] = set()
    roles = tuple(f"role{number}" for number in range(40))
    first = choose(roles, taken=taken)
    second = choose(roles, taken=taken)
    assert len({*first.values(), *second.values()}) == 80
    assert taken == {*first.values(), *second.values()}


def test_the_ports_of_an_earlier_start_are_kept() -> None:
    before = choose(("http", "grpc"))
    assert choose(("http", "grpc"), before=before) == before


def test_an_earlier_port_that_is_busy_now_is_replaced(busy: int) -> None:
    assert choose(("http",), before={"http": busy})["http"] != busy


def test_an_earlier_port_that_another_server_got_is_replaced() -> None:
    before = choose(("http",))
    assert choose(("http",), before=before, taken={before["http"]}) != before


def test_the_configured_port_wins_over_the_earlier_one_and_is_for_the_first_role_only() -> None:
    wanted = choose(("http",))["http"]
    found = choose(
        ("http", "grpc"), before={"http": 20001}, environ={"HEAVYLIFT_PORT_AWS_SOURCE": str(wanted)}
    )
    assert found["http"] == wanted
    assert found["grpc"] != wanted


def test_a_configured_port_that_is_busy_is_an_error_with_the_variable_in_it(busy: int) -> None:
    with pytest.raises(ConnectionConfigError, match="HEAVYLIFT_PORT_AWS_SOURCE") as caught:
        choose(("http",), environ={"HEAVYLIFT_PORT_AWS_SOURCE": str(busy)})
    assert str(busy) in str(caught.value)


@pytest.mark.parametrize("text", ["http", "-1", "0", "65536", "80.0", "٣٠٠٠"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ConnectionConfigError, match=r"HL-9001"):
        ports.configured("x", {"HEAVYLIFT_PORT_X": text})


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_setting_is_no_setting(text: str) -> None:
    assert ports.configured("x", {"HEAVYLIFT_PORT_X": text}) is None


def test_running_out_of_ports_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: False)
    with pytest.raises(ServerUnavailableError, match=r"HL-9003"):
        choose(("http",))
