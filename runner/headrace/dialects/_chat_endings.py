"""How a decoded body of an OpenAI-compatible server ended, read leniently (pure).

What it is follows from the path of the request, else from its own keys: servers leave out ``object``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from headrace.job import JobRequest
from headrace_client.lowlevel import lone_error, read_error

from ._failures import ErrorInside, NoAnswer, has_answer
from ._finish_reasons import Ending, FinishReasons, reason_of
from ._judgement import ending_of
from ._paths import last_segment

_Json = Mapping[str, Any]


def ending_of_body(value: Any, request: JobRequest | None, reasons: FinishReasons) -> Ending:
    """Return how the answer in a body ended. Raises `NoAnswer` if it holds no whole answer."""
    endpoint = "" if request is None else last_segment(request.path)
    if endpoint == "embeddings":
        return _ending_of_embeddings(value, request)
    if endpoint and endpoint not in _JUDGED:
        return _ending_of_other(value)
    if not isinstance(value, dict):
        raise NoAnswer("not a JSON object")
    body = cast("_Json", value)
    if isinstance(body.get("choices"), list):
        return _ending_of_choices(body, reasons)
    if endpoint == "responses" or body.get("object") == "response" or isinstance(body.get("output"), list):
        return _ending_of_response(body, reasons)
    if not endpoint and _are_embeddings(body.get("data")):
        return Ending(None)
    raise _no_choices(body)


_JUDGED: Final = frozenset({"completions", "responses"})
"""What the paths end with whose answers are known; of others, any JSON is an answer unless it is an error."""


def _ending_of_other(value: Any) -> Ending:
    if not isinstance(value, dict | list) or not value:
        raise NoAnswer("neither a JSON object nor an array, or an empty one")
    body: _Json = cast("_Json", value) if isinstance(value, dict) else {}
    if lone_error(value) is not None and read_error(value).status is not None:
        raise ErrorInside(cast("Any", value))
    if body.get("success") is False or (body.get("errors") and not has_answer(body)):
        raise NoAnswer("it reports an error")
    return Ending(None)


def joined(endings: list[Ending]) -> Ending:
    """Return how an answer of several choices ended: each of them counts."""
    return Ending(
        endings[0].reason,
        truncated=any(ending.truncated for ending in endings),
        filtered=any(ending.filtered for ending in endings),
    )


def first_reason(value: Any) -> str | None:
    """Return the finish reason of the first choice in a decoded body, if it has one."""
    match value:
        case {"choices": [{**choice}, *_]}:
            reason = reason_of(choice)
            return None if reason is None else str(reason)
        case _:
            return None


# -- chat and text completions


def _ending_of_choices(body: _Json, reasons: FinishReasons) -> Ending:
    choices = cast("list[Any]", body["choices"])
    if not choices:
        raise _no_choices(body)
    return joined([_ending_of_choice(choice, reasons) for choice in choices])


def _ending_of_choice(choice: Any, reasons: FinishReasons) -> Ending:
    if not isinstance(choice, dict):
        raise NoAnswer("a choice is not an object")
    fields = cast("_Json", choice)
    reason = reason_of(fields)
    if reason is None:
        raise NoAnswer("a choice has no finish reason: it is not complete")
    ending = ending_of(reason, reasons, "finish_reason")
    # A filter may leave nothing of a choice, and so may a limit that the model has used up by thinking.
    if not (ending.filtered or ending.truncated or _has_content(fields)):
        raise NoAnswer("a choice has neither message nor text")
    return ending


def _has_content(choice: _Json) -> bool:
    return isinstance(choice.get("message"), dict | str) or isinstance(choice.get("text"), str)


def _no_choices(body: _Json) -> NoAnswer:
    """Return why there are no choices. Google sends none for a prompt that it blocks."""
    for name in ("promptFeedback", "prompt_feedback"):
        match body.get(name):
            case {"blockReason": str(reason)} | {"block_reason": str(reason)}:
                return NoAnswer(f"the prompt was blocked: {reason}", code="content_filter", final=True)
            case _:
                pass
    return NoAnswer("no choices")


# -- /v1/responses

_RUNNING: Final = frozenset({"queued", "in_progress"})
_CUT: Final = "incomplete"


def _ending_of_response(body: _Json, reasons: FinishReasons) -> Ending:
    """Return the ending of a response, by its status.

    One that runs in the background is final: it is billed, and sending the request again would start another.
    """
    status = body.get("status")
    status = status.lower() if isinstance(status, str) else status
    has_output = isinstance(body.get("output"), list) or isinstance(body.get("output_text"), str)
    if status in _RUNNING:
        raise NoAnswer(
            f"the response is {status}: it runs in the background, and headrace does not wait for it."
            ' Leave out "background": true; GET /v1/responses/ID fetches this one',
            code="background",
            final=True,
        )
    if status == "failed":
        raise NoAnswer("the response failed")
    if status == _CUT:
        return _ending_of_incomplete(body, reasons)
    if has_output and status in ("completed", None):
        return Ending("stop")
    raise NoAnswer(f"a response with status {status!r}" if has_output else "no `output`")


def _ending_of_incomplete(body: _Json, reasons: FinishReasons) -> Ending:
    match body.get("incomplete_details"):
        case {"reason": str(reason)} if reason:
            ending = ending_of(reason, reasons, "incomplete_details.reason")
            return Ending(reason, truncated=not ending.filtered, filtered=ending.filtered)
        case _:
            return Ending(_CUT, truncated=True)


# -- embeddings


def _ending_of_embeddings(value: Any, request: JobRequest | None) -> Ending:
    data = cast("_Json", value).get("data") if isinstance(value, dict) else value
    if isinstance(value, dict) and data is None:
        body = cast("_Json", value)
        data = body.get("embeddings") or [body]  # Ollama's own endpoint has one, without a list
    if not _are_embeddings(data):
        raise NoAnswer("no embeddings, or an item that is not one")
    check_count(len(cast("list[Any]", data)), request)
    return Ending(None)


def _are_embeddings(data: Any) -> bool:
    return (
        isinstance(data, list)
        and bool(cast("list[Any]", data))
        and all(map(_is_embedding, cast("list[Any]", data)))
    )


def _is_embedding(item: Any) -> bool:
    """Return whether an item is an embedding: numbers, or their bytes in base64; bare or in an object."""
    match item:
        case {"embedding": vector}:  # an object: several forms of one
            return isinstance(vector, str | list | dict) and bool(cast("Any", vector))
        case [_, *_]:
            return True
        case _:
            return False


class _Inputs(msgspec.Struct, gc=False):
    input: str | list[msgspec.Raw]


_DECODE_INPUTS: Final = msgspec.json.Decoder(_Inputs).decode


def check_count(found: int, request: JobRequest | None) -> None:
    """Raise `NoAnswer` unless there are as many embeddings as inputs, and at least one."""
    if not found:
        raise NoAnswer("no embeddings")
    if request is None:
        return
    try:
        inputs = _DECODE_INPUTS(request.body).input
    except msgspec.ValidationError:
        return
    first = 0 if isinstance(inputs, str) or not inputs else memoryview(inputs[0])[0]
    if first == ord("{"):  # parts, of which a server may make one embedding
        return
    tokens = first and first not in b'"['
    expected = 1 if isinstance(inputs, str) or tokens else len(inputs)
    if found != expected:
        raise NoAnswer(f"{found} embeddings for {expected} inputs")
