"""Control planes for tests: answers of published shapes, and refusals."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from heavylift.platforms.control import Account, Answer
from tests.support.shaped_answers import answer_of

ACCOUNT = Account("111122223333")
_TOKENS = ("NextToken", "nextToken", "Marker", "NextMarker", "LastEvaluatedTableName", "PaginationToken")


class ShapedPlane:
    """Answers each call with every field of its published shape, and refuses arguments that it has not.

    :param refuse: called with (service, operation) before each answer; raises what it likes.
    """

    requests = 0

    def __init__(self, refuse: Callable[[str, str], None] = lambda _service, _operation: None) -> None:
        self._refuse = refuse
        self.asked: list[str] = []

    def account(self) -> Account:
        return ACCOUNT

    def regions(self) -> list[str]:
        return ["us-east-1"]

    def offers(self, service: str, region: str) -> bool:
        return bool(service and region)

    def permission(self, service: str, operation: str) -> str:
        return f"{service}:{operation}"

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        self.asked.append(f"{service}:{operation}")
        self._refuse(service, operation)
        model = _session().get_service_model(service).operation_model(operation)
        if model.input_shape is not None:
            report = ParamValidator().validate(dict(arguments), model.input_shape)
            assert not report.has_errors(), f"{service}:{operation}: {report.generate_report()}"
        return _answer(service, operation)

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Mapping[str, Any]]:
        del last_token
        answer = self.call(service, operation, region, arguments)
        yield {name: value for name, value in answer.items() if name not in _TOKENS}


@lru_cache
def _answer(service: str, operation: str) -> dict[str, Any]:
    model = _session().get_service_model(service).operation_model(operation)
    answer: dict[str, Any] = answer_of(model.output_shape)
    # What we make must be what the service may answer, by botocore's own judgement.
    Stubber(_client(service))._validate_operation_response(operation, answer)
    return answer


@lru_cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


def forget_models() -> None:
    """Let go of the services' models: two gigabytes, which would slow everything that runs after."""
    for kept in (_answer, _client, _session):
        kept.cache_clear()
    gc.collect()


@lru_cache
def _client(service: str) -> Any:
    return _session().create_client(
        service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
