"""The options of one request, and two sentinels.

Three things are distinct: `not_given` keeps the default, None is a value (no timeout, a JSON null), and
`omit` removes what would be sent otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar

import attrs

from .encoded_body import EncodedBody

if TYPE_CHECKING:
    import os

    import httpx

DEFAULT_MAX_RETRIES = 2
INITIAL_RETRY_DELAY = 0.5
"""Seconds before the first retry. Each further delay doubles."""
MAX_RETRY_DELAY = 8.0
"""Seconds; the doubling ends here."""
MAX_RETRY_AFTER = 600.0
"""Seconds; the longest wait that a server may request."""

RAW_RESPONSE_HEADER = "X-Stainless-Raw-Response"

T = TypeVar("T")


class NotGiven:
    """The type of `not_given`: the caller passed nothing, not even None."""

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


class Omit:
    """The type of `omit`: the value for a header or parameter that must not be sent."""

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "omit"


not_given = NotGiven()
NOT_GIVEN = not_given
omit = Omit()

HeadersLike: TypeAlias = Mapping[str, "str | Omit | NotGiven"]
Query: TypeAlias = Mapping[str, object]
TimeoutTypes: TypeAlias = "float | httpx.Timeout | None"
Method: TypeAlias = str
Content: TypeAlias = "bytes | bytearray | str | IO[bytes] | Iterable[bytes] | AsyncIterable[bytes]"
FileContent: TypeAlias = "IO[bytes] | bytes | os.PathLike[str]"
FileTypes: TypeAlias = """FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]"""
Files: TypeAlias = "Mapping[str, FileTypes] | Iterable[tuple[str, FileTypes]]"


def is_given(value: object) -> bool:
    """Return whether ``value`` is neither `not_given` nor `omit`."""
    return not isinstance(value, NotGiven | Omit)


def given(values: Mapping[str, T | NotGiven | Omit]) -> dict[str, T]:
    """Return the entries whose values are neither `not_given` nor `omit`."""
    return {name: value for name, value in values.items() if not isinstance(value, NotGiven | Omit)}


class RequestOptions(TypedDict, total=False):
    """The settings of one request, as the verbs take them in ``options``."""

    headers: HeadersLike
    max_retries: float
    timeout: TimeoutTypes | NotGiven
    params: Query
    extra_json: object
    idempotency_key: str
    follow_redirects: bool


class RequestExtras(TypedDict, total=False):
    """What every method of a resource takes in addition to the parameters of its endpoint."""

    extra_headers: HeadersLike | None
    extra_query: Query | None
    extra_body: object | None
    timeout: TimeoutTypes | NotGiven
    betas: Sequence[str] | Omit


@attrs.frozen(kw_only=True)
class FinalRequestOptions:
    """Everything about one request, except what the client adds: base URL, credentials, defaults."""

    method: Method
    url: str
    """A path to join to the client's base URL, or an absolute URL."""
    params: Query = attrs.field(factory=dict[str, object])
    headers: HeadersLike | NotGiven = not_given
    max_retries: float | NotGiven = not_given
    timeout: TimeoutTypes | NotGiven = not_given
    files: Files | None = None
    content: Content | None = None
    json_data: object | None = None
    extra_json: object | None = None
    follow_redirects: bool | None = None
    idempotency_key: str | None = None
    redirected: bool = False
    """The URL comes from a redirect, so no default query is added."""
    new_connection: bool = False
    """Use a new connection, because the previous attempt met a stale one."""
    encoded: EncodedBody = attrs.field(factory=EncodedBody, repr=False, eq=False)
    """The body as the first attempt sent it."""

    @classmethod
    def construct(cls, **fields: Any) -> FinalRequestOptions:
        """Make one. Code written for the reference SDK, whose options are models, calls this."""
        return cls(**fields)

    @property
    def header_layer(self) -> HeadersLike:
        """The headers given for this request, possibly none."""
        return {} if isinstance(self.headers, NotGiven) else self.headers

    @property
    def raw_response(self) -> str | None:
        """``"true"`` or ``"stream"`` if the caller wants the response itself, else None."""
        for name, value in self.header_layer.items():
            if name.lower() == RAW_RESPONSE_HEADER.lower() and isinstance(value, str):
                return value
        return None

    def replace(self, **changes: Any) -> FinalRequestOptions:
        """Return a copy with some fields changed."""
        return attrs.evolve(self, **changes)


def make_request_options(
    *,
    extra_headers: HeadersLike | None = None,
    extra_query: Query | None = None,
    extra_body: object | None = None,
    timeout: TimeoutTypes | NotGiven = not_given,
    betas: Sequence[str] | Omit = omit,
    query: Query | None = None,
) -> RequestOptions:
    """Turn the extras of a method into the ``options`` of a verb. ``extra_query`` wins over ``query``."""
    options = RequestOptions(timeout=timeout)
    if betas:
        extra_headers = {"anthropic-beta": ",".join(betas), **(extra_headers or {})}
    if extra_headers is not None:
        options["headers"] = extra_headers
    if extra_body is not None:
        options["extra_json"] = extra_body
    if params := {**(query or {}), **(extra_query or {})}:
        options["params"] = params
    return options
