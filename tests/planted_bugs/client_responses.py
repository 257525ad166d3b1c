"""Bugs of the client on the way back: errors, bodies, models, streams and pages."""

from __future__ import annotations

from typing import Final

from .planting import Bug, bugs_in

BUGS: Final[tuple[Bug, ...]] = (
    *bugs_in(
        "headrace_client._exceptions",
        "test_errors test_stream",
        ("429 as a generic error", "_BY_STATUS", "429", "-429"),
        ("529 as any server error", "_BY_STATUS", "529", "-529"),
        ("413 as a generic error", "_BY_STATUS", "413", "-413"),
        ("request id lost", "APIStatusError.__init__", "response.headers.get('request-id')", "None"),
        ("pickles carry credentials", "without_secrets", "name not in SENSITIVE_HEADERS", "True"),
    ),
    *bugs_in(
        "headrace_client._responses.errors",
        "test_errors test_stream",
        ("error body not parsed", "_decoded", "decode(text)", "text"),
        (
            "in-stream error keeps status 200",
            "event_error",
            "error.status or response.status_code",
            "response.status_code",
        ),
    ),
    *bugs_in(
        "headrace_client._httpx.errors",
        "test_errors test_retries",
        (
            "timeouts as connection errors",
            "connection_error",
            "APITimeoutError(request)",
            "APIConnectionError(request=request)",
        ),
    ),
    *bugs_in(
        "headrace_client._models.construct",
        "test_construct test_base_model",
        (
            "unknown fields dropped",
            "_StructReader._made",
            "vars(model)[EXTRA] = extra",
            "vars(model)[EXTRA] = {}",
        ),
        (
            "union picks the first member",
            "_UnionReader.read",
            "reader.read(value, strict=True)",
            "reader.read(value, strict=False)",
        ),
        ("tag of a union ignored", "_UnionReader._tagged", "self._tag is None", "True"),
    ),
    *bugs_in(
        "headrace_client._responses.cast",
        "test_responses test_messages",
        (
            "strict mode is loose",
            "cast_value",
            "construct(value, cast_to, strict=strict)",
            "construct(value, cast_to)",
        ),
        ("no request id on models", "cast_value", "with_request_id(built, _request_id(response))", "built"),
        (
            "a proxy's page passes for a message",
            "_as_text",
            "getattr(cast_to, '__module__', '').startswith('headrace_client.')",
            "False",
        ),
    ),
    *bugs_in(
        "headrace_client._responses.event_reader",
        "test_stream test_message_stream",
        ("SSE error events ignored", "EventReader._next", "event.name == 'error' or not is_known", "False"),
        ("pings yielded as messages", "_KNOWN_EVENTS", "{'completion'}", "{'completion', 'ping'}"),
        ("incomplete stream accepted", "EventReader._next", "not self.complete", "False"),
        ("end of a response awaited", "_is_stop", "event.name == 'message_stop'", "False"),
    ),
    *bugs_in(
        "headrace_client._responses.body_reader",
        "test_stream test_message_stream",
        ("idle timeout ignored", "BodyReader._time_left", "min(left, self._idle_timeout)", "left"),
        (
            "total timeout ignored",
            "BodyReader._time_left",
            "min(left, self._idle_timeout)",
            "self._idle_timeout",
        ),
        (
            "stream not closed after an error",
            "SyncBodyReader.pull",
            "self.close()\nif ... is error:\n    raise",
            "if ... is error:\n    raise",
        ),
        ("a stream that was left ends quietly", "BodyReader._begin", "self._left", "False"),
        (
            "broken stream not wrapped",
            "BodyReader._translated",
            "connection_error(error, self.response.request)",
            "None",
        ),
    ),
    *bugs_in(
        "headrace_client._responses.pagination",
        "test_pagination test_resources",
        ("empty page has a successor", "BasePage.has_next_page", "bool(self._get_page_items())", "True"),
        ("next page forgets the query", "_following", "{**options.params, **info.params}", "info.params"),
        (
            "next page asks for a raw response",
            "_following",
            "name.lower() != RAW_RESPONSE_HEADER.lower()",
            "True",
        ),
        ("page in the body lost", "_following", "info.json or {}", "{}"),
        ("the trail is ignored", "BasePage._next_place", "info in self._trail", "False"),
        ("a page may follow itself", "BasePage._next_place", "_is_same(self._options, info)", "False"),
    ),
    *bugs_in(
        "headrace_client._responses.list_pages",
        "test_pagination test_lists_end",
        ("has_more ignored", "_ListFields.next_page_info", "more is False", "False"),
        ("a list ends without its rest", "_ListFields.next_page_info", "value is None and more", "False"),
        ("never backwards", "_IdFields._cursor", "self._options.params.get('before_id')", "False"),
        ("page token under another name", "_TokenFields._cursor", "'page_token'", "'page'"),
        ("cursor under another name", "_CursorFields._cursor", "'page'", "'page_token'"),
    ),
    *bugs_in(
        "headrace_client._responses.page_info",
        "test_lists_end",
        ("long circles are not seen", "Trail.__contains__", "info == self._earlier", "False"),
        (
            "the trail grows without bound",
            "Trail.followed_by",
            "(*self._recent, info)[-_RECENT:]",
            "(*self._recent, info)",
        ),
    ),
    *bugs_in(
        "headrace_client._wire.sse",
        "test_sse",
        ("CR alone does not end a line", "SSEDecoder.feed", r"data.rfind(b'\r')", "-1"),
        (
            "data lines not joined",
            "SSEDecoder._finished_event",
            r"b'\n'.join(self._data)",
            "b''.join(self._data)",
        ),
    ),
    *bugs_in(
        "headrace_client._wire.accumulator",
        "test_accumulator",
        ("usage of a stream reset", "_updated", "usage or {}", "{}"),
    ),
    *bugs_in(
        "headrace_client._wire.merging",
        "test_accumulator test_streams",
        ("repeated names add up", "GrowingObject.add", "not reports and (...)", "True"),
    ),
    *bugs_in(
        "headrace_client.transport.exchange",
        "test_sockets test_sender test_sender_deadlines test_pool",
        (
            "silence ignored by the sender",
            "Exchange._collect",
            "min(self._deadline, now + self._idle_timeout)",
            "self._deadline",
        ),
        (
            "early end taken for whole",
            "Exchange._read",
            "raise ConnectionLost(...)",
            "break",
        ),
    ),
)
