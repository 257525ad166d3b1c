"""The pure reader of responses: framing, bounds (P15), and when a connection may be reused (P17)."""

from __future__ import annotations

import gzip
import zlib

import pytest

from headrace_client.transport import Origin, ProtocolViolation, ReadLimits, ResponseTooLarge
from headrace_client.transport.http1 import ResponseReader
from headrace_client.transport.http1_request import RequestTemplate

from .scripted import response

CHUNKED = b"transfer-encoding: chunked"


def read(
    *chunks: bytes, bodiless: bool = False, limits: ReadLimits | None = None
) -> tuple[ResponseReader, bytes]:
    reader = ResponseReader()
    reader.begin(limits or ReadLimits(), bodiless=bodiless)
    body = b"".join(part for chunk in chunks for part in reader.feed(chunk))
    return reader, body


def test_a_whole_response_with_a_length_leaves_the_connection_reusable() -> None:
    reader, body = read(response(b"hello", b"x-a: 1"))

    assert (reader.status, body, reader.complete, reader.reusable) == (200, b"hello", True, True)
    assert reader.head == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: 1\r\n\r\n"


def test_a_chunked_response_leaves_the_connection_reusable() -> None:
    reader, body = read(response(b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", framing=CHUNKED))

    assert (body, reader.complete, reader.reusable) == (b"hello", True, True)


def test_one_reader_reads_one_response_after_another() -> None:
    reader, first = read(response(b"one"))
    reader.begin(ReadLimits())
    second = b"".join(reader.feed(response(b"3\r\ntwo\r\n0\r\n\r\n", framing=CHUNKED)))

    assert (first, second, reader.reusable) == (b"one", b"two", True)


@pytest.mark.parametrize(
    "extra",
    [b"\r\n", b"\r\n\r\n", b"x", b"HTTP/1.1", b"\x00" * 9, response(b"not yours")],
    ids=["crlf", "two crlf", "a byte", "half a response", "zeros", "a response"],
)
@pytest.mark.parametrize(
    "whole",
    [
        response(b"mine"),
        response(status=b"204 No Content", framing=b""),
        response(b"4\r\nmine\r\n0\r\n\r\n", framing=CHUNKED),
    ],
    ids=["length", "204", "chunked"],
)
def test_bytes_after_the_message_are_not_its_body_and_end_the_connection(whole: bytes, extra: bytes) -> None:
    reader, body = read(whole + extra)

    assert reader.complete
    assert body == (b"" if reader.status == 204 else b"mine")
    assert not reader.reusable


def test_a_second_chunked_response_in_the_same_bytes_ends_the_connection() -> None:
    one = response(b"4\r\nmine\r\n0\r\n\r\n", framing=CHUNKED)
    reader, body = read(one + one)

    assert (body, reader.reusable) == (b"mine", False)


def test_trailers_are_not_body_and_their_connection_is_closed() -> None:
    reader, body = read(response(b"2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n", framing=CHUNKED))

    assert (body, reader.complete, reader.reusable) == (b"hi", True, False)


def test_a_body_without_length_ends_with_the_connection() -> None:
    reader, body = read(response(b"all of", framing=b""), b" it")

    assert (body, reader.complete) == (b"all of it", False)
    assert reader.end()
    assert (reader.complete, reader.reusable) == (True, False)


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 2", response(b"hello")[:-1]])
def test_the_end_of_the_stream_in_a_message_is_not_its_end(cut: bytes) -> None:
    reader, _ = read(*([cut] if cut else []))

    assert not reader.end()
    assert not reader.complete


def test_a_response_to_head_ends_with_its_head_and_its_connection_is_closed() -> None:
    reader, body = read(response(framing=b"content-length: 1000"), bodiless=True)

    assert (body, reader.complete, reader.reusable) == (b"", True, False)


def test_a_body_in_response_to_head_is_dropped() -> None:
    reader, body = read(response(b"unasked"), bodiless=True)

    assert (body, reader.complete, reader.reusable) == (b"", True, False)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_204_and_304_have_no_body_whatever_their_length_says(status: bytes) -> None:
    reader, body = read(response(status=status, framing=b"content-length: 7"))

    assert (body, reader.complete, reader.reusable) == (b"", True, True)


def test_interim_responses_are_skipped() -> None:
    interim = response(status=b"100 Continue", framing=b"") + response(
        status=b"103 Hints", framing=b"link: x"
    )
    reader, body = read(interim + response(b"hi"))

    assert (reader.status, body, reader.reusable) == (200, b"hi", True)
    assert reader.head == response(b"hi")[:-2]


def test_a_flood_of_interim_responses_is_bounded() -> None:
    flood = response(status=b"102 Processing", framing=b"") * 17

    with pytest.raises(ResponseTooLarge):
        read(flood)


def test_an_endless_head_is_bounded_as_it_arrives() -> None:
    with pytest.raises(ResponseTooLarge):
        read(b"HTTP/1.1 200 OK\r\n", *[b"x-a: %b\r\n" % (b"a" * 1000)] * 300)


def test_a_large_head_that_arrives_at_once_is_bounded() -> None:
    with pytest.raises(ResponseTooLarge):
        read(response(b"", b"x-a: " + b"a" * 300_000))


@pytest.mark.parametrize("framing", [b"content-length: 11", CHUNKED, b""], ids=["length", "chunked", "close"])
def test_a_body_is_bounded(framing: bytes) -> None:
    body = b"b\r\n01234567890\r\n0\r\n\r\n" if framing == CHUNKED else b"01234567890"

    with pytest.raises(ResponseTooLarge):
        read(response(body, framing=framing), limits=ReadLimits(body=10))


def test_a_length_over_the_limit_is_rejected_before_the_body() -> None:
    with pytest.raises(ResponseTooLarge):
        read(response(framing=b"content-length: 999999999999"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate"])
def test_compressed_bodies_are_decoded_in_any_chunks(encoding: str) -> None:
    plain = b"the quick brown fox " * 100
    raw = zlib.compressobj(wbits=-15)
    coded = {
        "gzip": gzip.compress(plain, mtime=0),
        "deflate": zlib.compress(plain),
        "raw deflate": raw.compress(plain) + raw.flush(),
    }
    data = response(coded[encoding], b"Content-Encoding: " + encoding.split()[-1].encode())

    reader, body = read(*[data[at : at + 7] for at in range(0, len(data), 7)])

    assert (body, reader.reusable) == (plain, True)


def test_a_compressed_bomb_is_bounded_while_it_is_decoded() -> None:
    bomb = gzip.compress(b"\0" * 80_000_000, mtime=0)

    with pytest.raises(ResponseTooLarge):
        read(response(bomb, b"content-encoding: gzip"))


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"hello" * 99, mtime=0)[:-3], b"gzip"),
        (b"not gzip at all", b"gzip"),
        (zlib.compress(b"hello") + b"more", b"deflate"),
        (b"whatever", b"br"),
        (b"whatever", b"gzip, gzip"),
    ],
    ids=["cut", "garbage", "trailing", "unknown", "twice"],
)
def test_a_body_that_cannot_be_decoded_is_an_error(body: bytes, encoding: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read(response(body, b"content-encoding: " + encoding))


@pytest.mark.parametrize(
    "data",
    [
        response(b"hi", b"content-length: 2"),
        response(b"hi", b"content-length: 3"),
        response(b"hi", framing=b"content-length: 2, 2"),
        response(b"2\r\nhi\r\n0\r\n\r\n", CHUNKED),
        response(b"hi", framing=CHUNKED + b"\r\ncontent-length: 2"),
        response(b"2\r\nhi\r\n0\r\n\r\n", framing=b"transfer-encoding: gzip, chunked"),
        response(b"2\r\nhi\r\n0\r\n\r\n", framing=CHUNKED + b"\r\n" + CHUNKED),
        response(b"hi", framing=b"transfer-encoding: identity"),
        response(b"zz\r\nhi\r\n0\r\n\r\n", framing=CHUNKED),
        response(b"hi", framing=b"content-length: -2"),
        response(b"hi", framing=b"content-length: 99999999999999999999999"),
        b"\r\n\r\n" + response(b"hi"),
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 99 Odd\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"<html>502 Bad Gateway</html>",
        response(b"hi", b"x-a: b\x00c"),
        response(b"hi", b"x-a: b\r\n folded"),
    ],
)
def test_a_message_that_cannot_be_framed_with_certainty_is_rejected(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read(data)


@pytest.mark.parametrize(
    ("headers", "reusable"),
    [((b"connection: close",), False), ((b"connection: keep-alive",), True), ((), True)],
)
def test_connection_close_is_honored(headers: tuple[bytes, ...], reusable: bool) -> None:
    reader, _ = read(response(b"hi", *headers))

    assert reader.reusable is reusable


def test_http_1_0_closes_unless_it_says_otherwise() -> None:
    reader, body = read(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi")

    assert (body, reader.reusable) == (b"hi", False)


def test_keep_alive_terms_are_read() -> None:
    reader, _ = read(response(b"", b"Keep-Alive: timeout=5, max=100"))

    assert reader.terms is not None
    assert (reader.terms.timeout, reader.terms.further) == (5, 100)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-a": "b\r\nx-evil: 1"},
        {"x-a": "b\nc"},
        {"x-a": "b\0c"},
        {"x-a\r\nx-b": "c"},
        {"x a": "b"},
        {"": "b"},
        {"x-a": "\N{SNOWMAN}"},
        {"Content-Length": "5"},
        {"transfer-encoding": "chunked"},
    ],
)
def test_headers_with_line_breaks_are_rejected_without_showing_the_value(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"header|transport") as refused:
        RequestTemplate("POST", "/", Origin.parse("http://a"), headers.items())

    assert "evil" not in str(refused.value)


@pytest.mark.parametrize("target", ["", "/a b", "/a\r\nx-evil: 1", "/ä"])
def test_targets_with_line_breaks_are_rejected(target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        RequestTemplate("GET", target, Origin.parse("http://a"), [])


def test_only_length_and_count_vary_between_requests() -> None:
    template = RequestTemplate("POST", "/v1/x", Origin.parse("http://a:81"), [("x-key", "k")])

    assert template.render(b"{}", 3) == (
        b"POST /v1/x HTTP/1.1\r\nhost: a:81\r\nx-key: k\r\naccept-encoding: identity\r\n"
        b"x-stainless-retry-count: 3\r\ncontent-length: 2\r\n\r\n{}"
    )
    assert b"content-length: 0" in template.render(b"", 0)
    assert b"content-length" not in RequestTemplate("GET", "/", Origin.parse("http://a"), []).render(b"", 0)
