"""Names of registries, images and digests, and whom credentials are shown to."""

from __future__ import annotations

import asyncio

import pytest

from heavylift.errors import ConnectionConfigError, CredentialError, IntegrityError, SpecError
from heavylift.platforms.oci.authorising import FixedLogin, Pair
from heavylift.platforms.oci.challenges import Challenge, demand_safe_realm, read_challenges
from heavylift.platforms.oci.names import (
    Place,
    demand_digest,
    digest_of,
    fallback_tag,
    is_of_referrers,
    parse_place,
    parse_reference,
)
from heavylift.platforms.oci.wire import Wire

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("host:5000/a/b", "host:5000/a/b:latest"),
        ("[::1]:5000/a", "[::1]:5000/a:latest"),
        (f"a.example/b:1@{DIGEST}", f"a.example/b:1@{DIGEST}"),
        (f"a.example/b@{DIGEST}", f"a.example/b@{DIGEST}"),
        ("a.example/x__y--z.w_v/b:V1.0-x", "a.example/x__y--z.w_v/b:V1.0-x"),
    ],
)
def test_images_are_read_as_container_runtimes_do(text: str, full: str) -> None:
    assert str(parse_reference(text)) == full


@pytest.mark.parametrize(
    "text",
    [
        "", "A", "a.example/", "a.example/B", "a.example/a//b", "a.example/../b", "a.example/a:", "a@",
        "a@sha256:x", "a.example/a---_b", f"a.example/a@{DIGEST.upper()}",
        "a.example/a:" + "t" * 129, "a.example/" + "a" * 256, "a.example/a b", "a.example/a:-x", "http://a/b",
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="HL-9142"):
        parse_reference(text)


def test_places_have_a_host_and_a_path() -> None:
    assert parse_place("a.example:5000/team/x") == Place("a.example:5000", "team/x")
    assert parse_place("a.example").full("b") == "b"
    place = parse_place("a.example/team")
    assert (place.full("b"), place.below("team/b/c"), place.below("teamwork/b")) == ("team/b", "b/c", None)
    for text in ("", "https://a", "a.example/Team", "a b", "a.example/..", "me@a.example"):
        with pytest.raises(SpecError, match="HL-9141"):
            parse_place(text)


def test_digests_are_of_bytes() -> None:
    demand_digest(digest_of(b"x"), digest_of(b"x"), "it", "nothing")
    assert digest_of(b"x", "sha512:").startswith("sha512:")
    with pytest.raises(IntegrityError, match="HL-9143"):
        demand_digest(digest_of(b"x"), digest_of(b"y"), "it", "nothing")
    tag = fallback_tag(DIGEST)
    assert tag == "sha256-" + "a" * 64
    assert all(is_of_referrers(each) for each in (tag, f"{tag}.sig", f"{tag}.sbom"))
    assert not any(is_of_referrers(each) for each in ("sha256-abc", f"{tag}.txt", "latest", f"x{tag}"))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (
            'Bearer realm="https://a/token",service="a",scope="repository:x:pull,push"',
            [Challenge("bearer", "https://a/token", "a", "repository:x:pull,push")],
        ),
        (
            'Basic realm="x, y", Bearer realm=https://a/t,error="invalid_token"',
            [Challenge("basic", "x, y"), Challenge("bearer", "https://a/t")],
        ),
        ('bearer REALM="a\\"b"', [Challenge("bearer", 'a"b')]),
        ("Basic", [Challenge("basic")]),
        ("", []),
        ("=,=,", []),
    ],
)
def test_challenges_are_read_in_every_form(header: str, found: list[Challenge]) -> None:
    assert read_challenges(header) == found


@pytest.mark.parametrize(
    ("realm", "base", "plain", "fine"),
    [
        ("https://auth.example/t", "https://a.example", False, True),
        ("http://auth.example/t", "https://a.example", True, False),
        ("http://a.example/t", "https://a.example", True, False),
        ("http://a.example/t", "http://a.example", True, True),
        ("http://a.example/t", "http://a.example", False, False),
        ("http://b.example/t", "http://a.example", True, False),
        ("http://127.0.0.1:9/t", "http://127.0.0.1:8", False, True),
        ("http://127.0.0.1:9/t", "https://a.example", True, False),
        ("ftp://a.example/t", "https://a.example", True, False),
        ("https://me@a.example/t", "https://a.example", True, False),
        ("", "https://a.example", True, False),
    ],
)
def test_a_realm_is_shown_credentials_only_where_nobody_overhears(
    realm: str, base: str, plain: bool, fine: bool
) -> None:
    if fine:
        demand_safe_realm(realm, base, plain=plain, what="it")
        return
    with pytest.raises(CredentialError, match="HL-9147"):
        demand_safe_realm(realm, base, plain=plain, what="it")


def test_a_password_does_not_cross_the_network_in_plain_text_unless_the_connection_says_so() -> None:
    pair = Pair("me", "hush")

    async def met(plain: bool) -> object:
        wire = Wire("http://a.example", FixedLogin(pair), plain=plain)
        try:
            await wire._auth.answer('Basic realm="x"', "s", "")
            return await wire._auth.headers("s")
        finally:
            await wire.close()

    assert asyncio.run(met(True)) == {"Authorization": pair.header}
    with pytest.raises(ConnectionConfigError, match="HL-9148") as refused:
        asyncio.run(met(False))
    assert "hush" not in str(refused.value) + repr(pair)


def test_a_registry_that_calls_itself_http_behind_a_proxy_is_still_asked_over_https() -> None:
    async def urls() -> list[str]:
        wire = Wire("https://a.example:8443", FixedLogin(None))
        found = ["/v2/x?y=1", "http://a.example:8443/v2/x", "https://b.example/z", "http://b.example/z"]
        await wire.close()
        return [wire.url(each) for each in found]

    assert asyncio.run(urls()) == [
        "https://a.example:8443/v2/x?y=1", "https://a.example:8443/v2/x", "https://b.example/z",
        "http://b.example/z",
    ]  # fmt: skip
