"""The stub store over its protocol, byte by byte, without a socket."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.benchmarks.stub import content
from tests.benchmarks.stub.protocol import Connection
from tests.benchmarks.stub.store import Store, byte_range

SIZE = 1000
KEY = "data/00/object-0000000"
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: list[bytes]) -> None:
        for part in parts:
            self.written += part

    def close(self) -> None:
        self.closed = True


class Client:
    """Speaks to a store of its own, in pieces of any size."""

    def __init__(self, objects: int = 5, step: int = 1 << 20) -> None:
        self.store = Store(objects, SIZE)
        self.wire = Wire()
        self.scratch = bytearray(1 << 20)
        self.step = step
        self.connection = Connection(self.store, self.scratch)
        self.connection.connection_made(self.wire)  # type: ignore[arg-type]

    def send(self, data: bytes) -> bytes:
        self.wire.written.clear()
        for at in range(0, len(data), self.step):
            piece = data[at : at + self.step]
            self.scratch[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))
        return bytes(self.wire.written)

    def ask(self, line: str, body: bytes = b"", **fields: str) -> tuple[int, dict[str, str], bytes]:
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return parse(self.send(f"{line} HTTP/1.1\r\nHost: x\r\n{head}{length}\r\n".encode() + body))

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("GET /_counts")[2])
        return found

    def listed(self, query: str) -> tuple[list[str], str | None]:
        status, _, body = self.ask(f"GET /{query}")
        assert status == 200
        root = ElementTree.fromstring(body)
        keys = [found.text or "" for found in root.iterfind(f"{NS}Contents/{NS}Key")]
        assert root.findtext(f"{NS}KeyCount") == str(len(keys))
        return keys, root.findtext(f"{NS}NextContinuationToken")


def parse(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.fixture
def client() -> Client:
    return Client()


def test_an_object_is_what_its_checksums_say(client: Client) -> None:
    status, fields, body = client.ask(f"GET /bench/{KEY}", x_amz_checksum_mode="ENABLED")
    assert (status, len(body), fields["Content-Length"]) == (200, SIZE, str(SIZE))
    assert fields["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert fields["x-amz-checksum-crc32c"] == content.crc32c(SIZE)


def test_head_sends_no_body_and_a_checksum_only_where_asked(client: Client) -> None:
    status, fields, body = client.ask(f"HEAD /bench/{KEY}")
    assert (status, fields["Content-Length"], body) == (200, str(SIZE), b"")
    assert "x-amz-checksum-crc32c" not in fields
    assert client.ask("HEAD /bench/other")[0] == 404


def test_a_range_is_a_part_of_the_whole(client: Client) -> None:
    status, fields, body = client.ask(f"GET /bench/{KEY}", Range="bytes=10-19")
    assert (status, len(body), fields["Content-Range"]) == (206, 10, f"bytes 10-19/{SIZE}")
    assert client.ask(f"GET /bench/{KEY}", Range=f"bytes={SIZE}-")[0] == 416


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, 100)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-7", (93, 100)),
        ("bytes=-700", (0, 100)),
        ("bytes=100-", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=", None),
    ],
)
def test_ranges(text: str, bounds: tuple[int, int] | None) -> None:
    assert byte_range(text.encode(), 100) == bounds


def test_pages_follow_their_tokens() -> None:
    client = Client(objects=1234)
    found, token = client.listed("bench?list-type=2&prefix=data/")
    assert len(found) == 1000
    more, end = client.listed(f"bench?list-type=2&prefix=data/&continuation-token={token}")
    assert end is None
    assert found + more == sorted(found + more)
    assert len(set(found + more)) == 1234
    assert client.report()["counts"] == {"list": 2}


def test_only_what_was_put_is_in_a_target_bucket(client: Client) -> None:
    assert client.ask("PUT /t")[0] == 200
    assert client.listed("t?list-type=2") == ([], None)
    status, fields, _ = client.ask("PUT /t/a%26b%20c", b"x" * SIZE)
    assert (status, fields["ETag"]) == (200, content.etag(SIZE))
    assert client.listed("t?list-type=2") == (["a&b c"], None)
    assert client.listed("t?list-type=2&encoding-type=url") == (["a%26b%20c"], None)
    assert client.report()["objects"] == {"bench": 5, "t": 1}
    assert client.ask("DELETE /t/a%26b%20c")[0] == 204
    assert client.listed("t?list-type=2") == ([], None)


def test_a_body_of_another_size_or_checksum_is_refused(client: Client) -> None:
    client.ask("PUT /t")
    assert client.ask("PUT /t/short", b"x" * (SIZE - 1))[0] == 400
    assert client.ask("PUT /t/bad", b"x" * SIZE, x_amz_checksum_crc32c="AAAAAA==")[0] == 400
    good = content.crc32c(SIZE)
    assert client.ask("PUT /t/good", b"x" * SIZE, x_amz_checksum_crc32c=good, If_None_Match="*")[0] == 200
    assert client.ask("PUT /t/good", b"x" * SIZE, If_None_Match="*")[0] == 412
    assert client.listed("t?list-type=2") == (["good"], None)
    assert client.report()["counts"]["refused"] == 3


def test_a_body_in_chunks_of_aws_counts_as_what_it_carries(client: Client) -> None:
    client.ask("PUT /t")
    assert client.ask("PUT /t/a", b"x" * (SIZE + 90), x_amz_decoded_content_length=str(SIZE))[0] == 200


def test_a_copy_on_the_server_is_refused_as_it_would_not_be_the_same_work(client: Client) -> None:
    client.ask("PUT /t")
    assert client.ask("PUT /t/a", x_amz_copy_source=f"/bench/{KEY}")[0] == 501


def test_what_is_not_there_is_said_in_s3s_words(client: Client) -> None:
    assert b"<Code>NoSuchKey</Code>" in client.ask("GET /bench/none")[2]
    assert b"<Code>NoSuchBucket</Code>" in client.ask("GET /none/none")[2]
    assert client.ask("GET /bench")[0] == 501
    assert client.ask("GET /bench?list-type=2&continuation-token=%ff")[0] == 400


def test_an_object_of_another_version_is_not_sent(client: Client) -> None:
    assert client.ask(f"GET /bench/{KEY}", If_Match=content.etag(SIZE))[0] == 200
    assert client.ask(f"GET /bench/{KEY}", If_Match='"other"')[0] == 412


def test_parts_become_an_object_with_the_etag_of_parts(client: Client) -> None:
    client.ask("PUT /t")
    root = ElementTree.fromstring(client.ask("POST /t/big?uploads")[2])
    upload = root.findtext(f"{NS}UploadId")
    for number, size in ((1, 600), (2, 400)):
        _, fields, _ = client.ask(f"PUT /t/big?partNumber={number}&uploadId={upload}", b"x" * size)
        assert fields["x-amz-checksum-crc32c"] == content.crc32c(size)
    status, _, body = client.ask(f"POST /t/big?uploadId={upload}", b"<CompleteMultipartUpload/>")
    parts = [content.FILL * 600, content.FILL * 400]
    joined = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert status == 200
    assert f"{joined}-2".encode() in body
    assert client.ask("HEAD /t/big")[1]["ETag"] == f'"{joined}-2"'
    assert f"{joined}-2".encode() in client.ask("GET /t?list-type=2")[2]
    assert client.ask(f"POST /t/big?uploadId={upload}", b"x")[0] == 404


def test_parts_that_are_not_the_whole_make_no_object(client: Client) -> None:
    client.ask("PUT /t")
    upload = ElementTree.fromstring(client.ask("POST /t/big?uploads")[2]).findtext(f"{NS}UploadId")
    client.ask(f"PUT /t/big?partNumber=1&uploadId={upload}", b"x" * 600)
    assert client.ask(f"POST /t/big?uploadId={upload}", b"x")[0] == 400
    assert client.listed("t?list-type=2") == ([], None)


@pytest.mark.parametrize("step", [1, 7, 64, 1 << 20])
def test_requests_may_come_in_any_pieces_and_in_a_row(step: int) -> None:
    client = Client(step=step)
    put = f"PUT /t/a HTTP/1.1\r\nContent-Length: {SIZE}\r\n\r\n".encode() + b"x" * SIZE
    head = f"HEAD /bench/{KEY} HTTP/1.1\r\n\r\n".encode()
    client.send(b"PUT /t HTTP/1.1\r\n\r\n" + put + head + put + head)
    assert client.report()["counts"] == {"create-bucket": 1, "put": 2, "head": 2}


def test_a_client_that_waits_for_leave_to_send_gets_it(client: Client) -> None:
    client.ask("PUT /t")
    head = f"PUT /t/a HTTP/1.1\r\nContent-Length: {SIZE}\r\nExpect: 100-continue\r\n\r\n".encode()
    assert client.send(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert parse(client.send(b"x" * SIZE))[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"PUT /t/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (b"x" * 70_000, 431),
    ],
)
def test_what_is_not_understood_ends_the_connection(client: Client, data: bytes, status: int) -> None:
    assert parse(client.send(data))[0] == status
    assert client.wire.closed
