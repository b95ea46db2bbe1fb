"""Bearer tokens: kept, renewed in time, renewed once on refusal."""

from __future__ import annotations

import asyncio

import pytest

from heavylift.platforms.http import Request
from heavylift.platforms.tokens import CloudRequest, Token, TokenCache, may_carry_tokens


class Issuer:
    def __init__(self, lifetime: float = 3600.0) -> None:
        self.now = 1_000.0
        self.lifetime = lifetime
        self.issued = 0

    def fetch(self) -> Token:
        self.issued += 1
        return Token(f"token-{self.issued}", self.now + self.lifetime)

    def cache(self) -> TokenCache:
        return TokenCache(self.fetch, clock=lambda: self.now)


def request() -> CloudRequest:
    return CloudRequest("GET", "https://h/", "get", {})


async def test_one_token_serves_many_requests_at_once() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    tokens = await asyncio.gather(*(cache.get() for _ in range(50)))
    assert {token.value for token in tokens} == {"token-1"}
    assert issuer.issued == 1


async def test_a_token_is_renewed_before_it_expires() -> None:
    issuer = Issuer(lifetime=1_000)
    cache = issuer.cache()
    assert (await cache.get()).value == "token-1"
    issuer.now += 700
    assert (await cache.get()).value == "token-1"
    issuer.now += 100
    assert (await cache.get()).value == "token-2"


async def test_a_refused_request_renews_the_token_once() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    refused = request()
    refused.sent_with.append(await cache.get())
    assert cache.renew_after(refused)
    refused.sent_with.append(await cache.get())
    assert refused.sent_with[-1].value == "token-2"
    assert not cache.renew_after(refused)
    assert (await cache.get()).value == "token-2"


async def test_requests_refused_with_the_old_token_do_not_drop_the_new_one() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    old = await cache.get()
    first, second = request(), request()
    first.sent_with.append(old)
    second.sent_with.append(old)
    assert cache.renew_after(first)
    await cache.get()
    assert cache.renew_after(second)
    assert (await cache.get()).value == "token-2"
    assert issuer.issued == 2


async def test_a_failed_fetch_is_tried_again_by_the_next_request() -> None:
    answers = [RuntimeError("down"), Token("t", 1e12)]

    def fetch() -> Token:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cache = TokenCache(fetch)
    with pytest.raises(RuntimeError):
        await cache.get()
    assert (await cache.get()).value == "t"


def test_a_request_that_remembers_nothing_is_not_renewed() -> None:
    cache = Issuer().cache()
    assert not cache.renew_after(Request("GET", "https://h/", "get", {}))
    assert not cache.renew_after(request())
    unsigned = request()
    unsigned.sent_with.append(None)
    assert not cache.renew_after(unsigned)


def test_no_representation_shows_a_token() -> None:
    sent = request()
    sent.sent_with.append(Token("s3cret", 1.0))
    sent.refused.append(Token("s3cret", 1.0))
    assert "s3cret" not in repr(sent) + repr(sent.sent_with)


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("https://storage.googleapis.com", True),
        ("http://127.0.0.1:4443", True),
        ("http://localhost", True),
        ("http://[::1]:80/x", True),
        ("http://storage.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("ftp://host", False),
    ],
)
def test_tokens_travel_encrypted_or_stay_here(endpoint: str, allowed: bool) -> None:
    assert may_carry_tokens(endpoint) is allowed
