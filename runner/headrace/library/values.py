"""What a program passes to the library and gets from it: frozen values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

import attrs
import msgspec

from headrace._exceptions import JobFailed
from headrace.job import TokenRange, Usage

ContextT = TypeVar("ContextT")


@attrs.frozen
class Job(Generic[ContextT]):
    """One request. ``params`` is the body, as the API documents it.

    ``context`` is any object of yours. It comes back with the result and never leaves the process. ``id``
    names the job in an output file. Without one, the job gets an id from its content.
    """

    params: Mapping[str, Any]
    id: str | None = None
    context: ContextT = attrs.field(default=None)


@attrs.frozen(kw_only=True)
class Result(Generic[ContextT]):
    """The result of one job: an answer or an error. Times are in seconds."""

    job: Job[ContextT]
    position: int
    """The job's position among the jobs of its `map`, from 0. Results may come in another order."""
    body: bytes | None = attrs.field(default=None, repr=False)
    """The body of the response, one JSON object, as the server sent it. None if there is an error."""
    error: JobFailed | None = None
    attempts: int = 0
    """The requests that were sent for it, including those of earlier runs with the same output."""
    maybe_billed: int = 0
    """Attempts whose request was sent and whose response never arrived."""
    maybe_billed_tokens: TokenRange = (0, 0)
    """The tokens of those attempts, input and output together: minimum, and maximum (None: unknown)."""
    latency: float | None = None
    """The duration of the successful attempt."""
    ttft: float | None = None
    """The time to the first token of a streamed answer."""
    usage: Usage = attrs.field(factory=Usage)
    """The tokens of the answer. ``usage.input`` and ``usage.output`` are None if the server did not count."""
    request_id: str | None = None
    recorded: bool = False
    """Whether it comes from the output file: an earlier run has done the job, and nothing was sent."""

    @property
    def message(self) -> dict[str, Any] | None:
        """The body as Python objects, decoded on first access; None if there is an error."""
        return None if self.body is None else self._message

    @cached_property
    def _message(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body or b"{}")

    @property
    def text(self) -> str | None:
        """The text of the answer, with its blocks joined; None if there is an error.

        It raises nothing: empty where the answer has no text, such as a tool call, a refusal that is given
        in a member of its own, or embeddings.
        """
        return None if self.body is None else _text(self.body)

    def unwrap(self) -> dict[str, Any]:
        """Return `message`. Raises `JobFailed` if the job failed."""
        if self.error is not None:
            raise self.error
        return self._message


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None


class _Choice(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)
    text: str | None = None
    """Of a text completion."""


class _Body(msgspec.Struct):
    """The fields in which the two APIs put their text."""

    content: list[_Part] = msgspec.field(default_factory=list[_Part])
    choices: list[_Choice] = msgspec.field(default_factory=list[_Choice])


_decode_body = msgspec.json.Decoder(_Body).decode


def _text(body: bytes) -> str:
    try:
        decoded = _decode_body(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _text_of_odd(body)
    first = decoded.choices[0] if decoded.choices else None
    content = decoded.content if first is None else first.message.content
    if content is None and first is not None:
        content = first.text
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content if part.type == "text" and part.text)


def _text_of_odd(body: bytes) -> str:
    """Return the text of an answer of which something else has an unusual type."""
    try:
        decoded: object = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    choices = _member(decoded, "choices")
    if isinstance(choices, list) and choices:
        choice = cast("list[object]", choices)[0]
        message = _member(choice, "message")
        content = message if isinstance(message, str) else _member(message, "content")
        return _joined(_member(choice, "text") if content is None else content)
    return _joined(_member(decoded, "content"))


def _joined(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else [content]
    texts = (_member(part, "text") for part in parts if _member(part, "type") == "text")
    return "".join(text for text in texts if isinstance(text, str))


def _member(value: object, name: str) -> object:
    return cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None
