"""What holds for any bytes: nothing but the typed errors, and only lines of valid JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace._exceptions import BadLine
from headrace.dialects import read_identity, redact
from headrace.job import Failure, Success

from .samples import COMPLETION, MESSAGE, NOTE, answer, dialect, job, line

NAMES = ["anthropic", "openai", "raw", "rows"]
DIALECTS = {name: dialect(name) for name in NAMES}
OVERRIDING = {name: dialect(name, max_tokens=3, stream=True, set={"temperature": 0}) for name in NAMES}

TEXTS = st.text(st.characters() | st.sampled_from('\u2028\u2029\x85\x7f\x1b\ud800\udc00\r\n"\\'), max_size=8)
KEYS = st.sampled_from(
    """
    custom_id params method url body model max_tokens stream messages q type id content stop_reason usage
    error message details error_code code input_tokens output_tokens object choices finish_reason index delta
    content_block text status request_id tool_calls data partial_json
    """.split()  # noqa: SIM905 - a list of quoted words is harder to read
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(
        ["POST", "/v1/chat/completions", "message", "error", "text_delta", "end_turn", "x" * 300]
    )
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6)


def mixed(*whole: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A whole object with a few of its keys replaced or added."""
    return st.tuples(st.sampled_from(whole), OBJECTS).map(lambda parts: {**parts[0], **parts[1]})


JOBS = mixed(
    {"custom_id": "a", "params": {"model": "m"}},
    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}},
    {"model": "m", "messages": []},
    {"q": "x"},
)
LINES = st.binary(max_size=60) | JOBS.map(line) | VALUES.map(line)
ANSWERS = (
    st.binary(max_size=60)
    | mixed(MESSAGE, COMPLETION, {"type": "error", "error": {"type": "x"}}).map(line)
    | VALUES.map(line)
    | mixed(MESSAGE, COMPLETION).map(
        lambda value: json.dumps(value, indent=1, ensure_ascii=False).encode(errors="surrogatepass")
    )
)
STATUSES = st.sampled_from(
    [200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 408, 429, 500, 502, 503, 529, 600]
)


@given(st.sampled_from(NAMES), LINES, st.booleans())
@settings(deadline=None, derandomize=True, max_examples=400)
def test_any_line_is_a_bad_line_or_a_request_whose_body_is_json(
    name: str, text: bytes, overrides: bool
) -> None:
    using = (OVERRIDING if overrides else DIALECTS)[name]
    try:
        request = using.lines.read(text)
    except BadLine:
        return

    assert isinstance(json.loads(request.body), dict)
    assert request.path.startswith("/v1/")


@given(st.sampled_from(NAMES), LINES)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_identify_returns_an_id_or_none_or_raises_bad_line(name: str, text: bytes) -> None:
    try:
        own_id = DIALECTS[name].lines.identify(text)
    except BadLine:
        return
    assert own_id is None or 0 < len(own_id) <= 256


def recorded(name: str, outcome: Success | Failure) -> bytes:
    using = DIALECTS[name]
    if isinstance(outcome, Failure):
        return using.failure_record("a\u2028", redact(outcome, ["POST"]), NOTE)
    return using.success_record(job("rows", b'{"q":1}', "a\u2028"), outcome, NOTE)


def must_be_one_line_of_json(record: bytes, outcome: Success | Failure) -> None:
    text = record.decode()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert isinstance(json.loads(text), dict)
    assert read_identity(record).succeeded is isinstance(outcome, Success)


@given(st.sampled_from(NAMES), STATUSES, ANSWERS)
@settings(deadline=None, derandomize=True, max_examples=600)
def test_any_answer_is_a_success_or_a_failure_with_one_line_for_a_record(
    name: str, status: int, body: bytes
) -> None:
    outcome = DIALECTS[name].judge(answer(status, body))

    must_be_one_line_of_json(recorded(name, outcome), outcome)
    if isinstance(outcome, Failure):
        assert outcome.message.isprintable()
        assert len(outcome.message.encode()) <= 2048
        assert len(outcome.body or b"") <= 2048


EVENTS = st.lists(
    mixed(
        {"type": "message_start", "message": MESSAGE},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": "{"},
        },
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
        {"choices": [{"index": 0, "delta": {"content": "a", "tool_calls": [{"index": 0}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ),
    max_size=6,
)


@given(st.sampled_from(["anthropic", "openai"]), EVENTS, st.binary(max_size=20))
@settings(deadline=None, derandomize=True, max_examples=250)
def test_any_stream_is_a_success_or_a_failure(name: str, events: list[dict[str, Any]], end: bytes) -> None:
    assembler = DIALECTS[name].assembler()

    for event in events:
        assembler.feed(b"data: %b\n\n" % line(event))
    assembler.feed(end)
    assembler.feed(b"\n\ndata: [DONE]\n\n")

    outcome = assembler.finish()
    must_be_one_line_of_json(recorded(name, outcome), outcome)


@given(st.sampled_from(["anthropic", "openai"]), st.lists(st.binary(max_size=40), max_size=5))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_any_bytes_can_be_fed(name: str, pieces: list[bytes]) -> None:
    assembler = DIALECTS[name].assembler()

    for piece in pieces:
        assembler.feed(piece)

    assert isinstance(assembler.finish(), Failure)
