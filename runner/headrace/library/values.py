"""What a program gives to the library and gets from it: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from headrace._exceptions import JobFailed
from headrace.job import TokenRange, Usage

ContextT = TypeVar("ContextT")


@attrs.frozen
class Job(Generic[ContextT]):
    """One request: ``params`` is the body, as the API documents it.

    ``context`` is the caller's own and comes back with the result; it never leaves the process. ``id``
    names the job in an output file; without one it gets an id from its content.
    """

    params: Mapping[str, Any]
    id: str | None = None
    context: ContextT = attrs.field(default=None)


@attrs.frozen(kw_only=True)
class Result(Generic[ContextT]):
    """What one job came to: an answer or an error. Times are seconds."""

    job: Job[ContextT]
    position: int
    """The job's place among the jobs of its `map`, from 0: results come as they are finished."""
    body: bytes | None = attrs.field(default=None, repr=False)
    """The answer as the server sent it: one JSON object. None if there is an error."""
    error: JobFailed | None = None
    attempts: int = 0
    """Requests that were sent for it, those of earlier runs with the same output included."""
    maybe_billed: int = 0
    """Attempts whose request was sent and whose answer never came."""
    maybe_billed_tokens: TokenRange = (0, 0)
    """What those have cost, input and output together: at least, and at most (None: not known)."""
    latency: float | None = None
    """Of the attempt that succeeded."""
    ttft: float | None = None
    """Until the first token of a streamed answer."""
    usage: Usage = attrs.field(factory=Usage)
    request_id: str | None = None
    recorded: bool = False
    """It comes from the output file: an earlier run has done the job, nothing was sent."""

    @property
    def message(self) -> dict[str, Any] | None:
        """The answer as builtins, decoded when it is looked at; None if there is an error."""
        return None if self.body is None else self._message

    @cached_property
    def _message(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body or b"{}")

    @property
    def text(self) -> str | None:
        """The text of the answer, its blocks joined; None if there is an error."""
        return None if self.body is None else _text(self.body)

    def unwrap(self) -> dict[str, Any]:
        """Return the answer. Raises `JobFailed` if there is none."""
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


class _Answer(msgspec.Struct):
    """Where both APIs put their text."""

    content: list[_Part] = msgspec.field(default_factory=list[_Part])
    choices: list[_Choice] = msgspec.field(default_factory=list[_Choice])


_decode_answer = msgspec.json.Decoder(_Answer).decode


def _text(body: bytes) -> str:
    answer = _decode_answer(body)
    content = answer.choices[0].message.content if answer.choices else answer.content
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content if part.type == "text" and part.text)
