"""Any valid response is read correctly, in any chunks."""

from __future__ import annotations

import gzip

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client.transport import Headers, ReadLimits
from headrace_client.transport.http1 import ResponseReader

from .scripted import response

bodies = st.binary(max_size=300) | st.sampled_from([b"0\r\n\r\n", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
names = st.from_regex(r"x-[a-z0-9!#$%&'*+.^_`|~-]{0,8}", fullmatch=True)
values = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20
)
fields = st.lists(st.tuples(names, values), max_size=4)


@st.composite
def chunks(draw: st.DrawFn, body: bytes) -> bytes:
    """Cut the body into chunks, with extensions and leading zeros here and there."""
    framed = b""
    while body:
        size = draw(st.integers(1, len(body)))
        prefix = draw(st.sampled_from([b"", b"0", b"000"]))
        suffix = draw(st.sampled_from([b"", b";a", b';a="b"']))
        framed += b"%b%X%b\r\n%b\r\n" % (prefix, size, suffix, body[:size])
        body = body[size:]
    return framed + draw(st.sampled_from([b"0\r\n\r\n", b"000\r\n\r\n", b"0;x=y\r\n\r\n"]))


@settings(deadline=None, derandomize=True, max_examples=400)
@given(
    data=st.data(),
    body=bodies,
    headers=fields,
    status=st.sampled_from([b"200 OK", b"429 Slow Down", b"529 "]),
)
def test_any_valid_response_in_any_chunking(
    data: st.DataObject, body: bytes, headers: list[tuple[str, str]], status: bytes
) -> None:
    lines = [f"{name}: {value}".encode("latin-1") for name, value in headers]
    coded = data.draw(st.booleans(), "gzip")
    sent = gzip.compress(body, mtime=0) if coded else body
    if coded:
        lines.append(b"Content-Encoding: gzip")
    framing = data.draw(st.sampled_from(["length", "chunked", "close"]), "framing")
    wire = {
        "length": lambda: response(sent, *lines, status=status),
        "chunked": lambda: response(
            data.draw(chunks(sent)), *lines, status=status, framing=b"Transfer-Encoding: Chunked"
        ),
        "close": lambda: response(sent, *lines, status=status, framing=b""),
    }[framing]()
    wire = data.draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]), "interim") + wire
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1), max_size=12), "cuts"))

    reader = ResponseReader()
    reader.begin(ReadLimits())
    parts: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        assert not reader.complete
        parts += reader.feed(wire[start:end])
    if framing == "close":
        assert reader.end()

    assert reader.complete
    assert b"".join(parts) == body
    assert reader.status == int(status[:3])
    assert reader.reusable is (framing != "close")
    assert [(n.decode("latin-1"), v.decode("latin-1")) for n, v in Headers.parse(reader.head or b"").raw][
        (framing != "close") :
    ][: len(headers)] == headers
