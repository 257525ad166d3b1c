"""The deliberate differences to the reference SDK: in which exchanges, in what, and why.

A difference that is not listed here fails a test; so does a listed one that no longer exists.
"""

from __future__ import annotations

import re

import attrs


@attrs.frozen
class Difference:
    """A deliberate difference. ``exchanges``: a pattern of names. ``aspects``: what differs in each."""

    reason: str
    exchanges: str
    aspects: frozenset[str]

    def covers(self, exchange: str) -> bool:
        return re.fullmatch(self.exchanges, exchange) is not None


TELEMETRY = {
    "user-agent": "it names the package and its version",
    "x-stainless-package-version": "it is the version of the package",
    "x-stainless-timeout": "without a timeout, the reference SDK sends its sentinel, `NOT_GIVEN`",
}
"""Headers that are not compared, with the reasons."""


def _differ(reason: str, exchanges: str, aspects: str) -> Difference:
    return Difference(reason, exchanges, frozenset(aspects.split()))


_KNOWN = "(overloaded|api|rate_limit|invalid_request)_error"
_TO_THE_END = "(events|final message|text pieces)"
_CAUGHT = "(partial events|untyped|helper events)"

DIFFERENCES = (
    # failures
    _differ("503 and 504 have their own classes", r"status 50[34] .*|transient 50[34] x3", "outcome"),
    _differ(
        "requested waits get jitter, may exceed a minute, and of two that disagree the longer one counts",
        r"retry-after (429|503) '(0.001|1|2.5|59.9|60|60.5|61|171| 7 )'|retry-after date (20|60|90)"
        r"|retry-after-ms '(1500|1500.5|60000|90000)' beside '9?'|retry-after-ms '(0|-5|junk|)' beside '9'",
        "sleeps",
    ),
    _differ(
        "a requested wait beyond the cap ends the request",
        r"retry-after (429|503) '601'",
        "attempts outcome sleeps",
    ),
    _differ("the wording differs", r"broken (Connect|Read|Write|Pool)Timeout x3", "error.message"),
    _differ(
        "errors that would recur are not retried; errors in the program are not wrapped",
        r"broken (LocalProtocolError|UnsupportedProtocol) x1|mistake (Runtime|Value|Type)Error",
        "attempts outcome sleeps",
    ),
    _differ(
        "errors that would recur are not retried; errors in the program are not wrapped",
        r"broken (LocalProtocolError|UnsupportedProtocol) x3",
        "attempts sleeps",
    ),
    _differ(
        "a negative number is rejected with an explanation", r"max_retries -1 of (client|call)", "outcome"
    ),
    _differ("an unlimited number of retries works", r"max_retries inf of client", "attempts outcome sleeps"),
    _differ(
        "a POST that became a GET has no content type",
        r"redirect 30[123] (/y|y|https://api.*)",
        "header:content-type",
    ),
    _differ(
        "neither the key nor the body go to another origin",
        r"redirect 30\d https://elsewhere.*",
        "attempts outcome",
    ),
    _differ("redirects have their own error class", r"redirect in circles", "outcome"),
    # sending
    _differ(
        "header names are compared case-insensitively",
        r"headers (client|call) content-type",
        "header:content-type",
    ),
    _differ(
        "header names are compared case-insensitively",
        r"headers (client|call|omitted) x-api-key",
        "header:x-api-key",
    ),
    _differ(
        "header names are compared case-insensitively",
        r"headers both (X-Foo x-foo|x-foo X-Foo)|headers omitted x-foo",
        "header:x-foo",
    ),
    _differ(
        "an omitted header is not sent, even if httpx would add one",
        r"headers omitted Accept",
        "header:accept",
    ),
    _differ(
        "a credential given in code disables those of the environment",
        r"credentials auth_token in (nothing|ANTHROPIC_AUTH_TOKEN)",
        "header:x-api-key",
    ),
    _differ(
        "a credential given in code disables those of the environment",
        r"credentials api_key in ANTHROPIC_AUTH_TOKEN",
        "header:authorization",
    ),
    _differ(
        "an empty key counts as not given",
        r"credentials auth_token in ANTHROPIC_API_KEY|credentials (omitted|by header) Authorization",
        "header:x-api-key",
    ),
    _differ(
        "header names of credentials are compared case-insensitively",
        r"credentials (omitted|by header) (x-api-key|authorization)",
        "attempts outcome",
    ),
    _differ("another origin does not get the key", r"url .*(other.test/x|a_b.test/z)", "header:x-api-key"),
    _differ(
        "an empty base URL counts as not given",
        r"url (of environment )?'' (?!http).*",
        "attempts header:host outcome sleeps url",
    ),
    _differ("a base URL may have a query", r"url (of environment )?'http://h/p.k=1' (?!http).*", "url"),
    _differ("the query of the path is kept", r"query beside path ([1235-9]|1\d)", "url"),
    _differ("empty text is a value", r"query .* 4", "url"),
    _differ("dates without a time, and sets, can be encoded", r"body (date|set)", "attempts outcome"),
    _differ("a bytearray can be sent", r"content bytearray.*", "attempts outcome sleeps"),
    _differ(
        "files make a form, whatever the content type, and the fields are kept",
        r"files (bytes|tuple|pairs|headers|empty) unsaid",
        "body header:content-length header:content-type",
    ),
    # answers
    _differ(
        "an error of decoding is wrapped",
        r"(loose|strict) (.*model|object|dict|list|list of models|union.*) of (broken|empty)"
        r"|(loose|strict) (int|float) of (?!number).*",
        "outcome",
    ),
    _differ(
        "in strict mode, null is not a model, list or dict",
        r"strict (.*model.*|dict|list|union.*) of null",
        "outcome",
    ),
    _differ(
        "the wording differs",
        r"strict (object|dict|list.*) of (text|True|no content|object (as text|untyped))",
        "error.message",
    ),
    _differ(
        "the wording differs, and the cause is kept",
        r"strict (model|rich model|union.*) of (text|True|no content)",
        "error.cause error.message",
    ),
    _differ(
        "a union of models is read from JSON as well",
        r"loose union.* of object (as text|untyped)",
        "value",
    ),
    _differ(
        "a union of models is read from JSON as well",
        r"strict union.* of object (as text|untyped)",
        "outcome",
    ),
    _differ("the tag decides, whatever the other fields are", r'union tagged .*"two", "value": 1.', "value"),
    _differ(
        "there is no page after the last one", r"list one page past the end .*", "attempts outcome sleeps"
    ),
    # streams
    _differ(
        "the type of the error decides the class",
        rf"sse error ({_KNOWN}|at once): {_TO_THE_END}",
        "outcome",
    ),
    _differ("the type of the error decides the class", rf"sse error ({_KNOWN}|at once): {_CAUGHT}", "value"),
    _differ("the wording differs", rf"sse error new_error: {_TO_THE_END}", "error.message"),
    _differ("an error of decoding is wrapped", rf"sse broken JSON: {_TO_THE_END}", "outcome"),
    _differ("an error of decoding is wrapped", rf"sse broken JSON: {_CAUGHT}", "value"),
    _differ("a stream without its end is incomplete", rf"sse (cut.*|nothing): {_TO_THE_END}", "outcome"),
    _differ("a stream without its end is incomplete", rf"sse (cut.*|nothing): {_CAUGHT}", "value"),
    _differ(
        "a byte order mark is not part of the first line",
        rf"sse byte order mark: (events|{_CAUGHT})",
        "value",
    ),
    _differ(
        "a byte order mark is not part of the first line",
        r"sse byte order mark: (final message|text pieces)",
        "outcome",
    ),
    _differ("a message does not begin again after its end", r"sse after the end: helper events", "value"),
    _differ(
        "a message does not begin again after its end",
        r"sse after the end: (final message|text pieces)",
        "outcome",
    ),
    _differ("a number at the end of partial JSON may be incomplete", r"sse tool: helper events", "value"),
    _differ(
        "a block of a new type is not taken for text",
        r"sse unknown block: ((partial |helper )?events|final message)",
        "value",
    ),
    _differ(
        "a connection that breaks in a stream is an APIConnectionError",
        r"torn stream .*: events",
        "outcome",
    ),
    _differ(
        "a connection that breaks in a stream is an APIConnectionError",
        r"torn stream .*: (partial|helper) events",
        "value",
    ),
    # resources
    _differ(
        "the query of the path is kept",
        r"beta.messages create extras|beta.messages batches list",
        "url",
    ),
    _differ(
        "a parameter stays one segment of the path",
        r".*retrieve '(a/b|a/b c|a:b)'|.*(cancel|delete) 'a/b'",
        "url",
    ),
    _differ(
        "a parameter cannot address another path", r".*(retrieve|cancel|delete) '\.\.'", "attempts outcome"
    ),
    _differ(
        "the provider has deprecated more models since",
        r"(beta.)?messages create claude-opus-4-(0|1-20250805) .*",
        "warnings",
    ),
    _differ("without betas there is no header", r"beta create \[\]", "header:anthropic-beta"),
    _differ(
        "an empty key in a copy counts as no key", r"(copy|with_options) empty key", "attempts outcome sleeps"
    ),
)


ASYNC_DIFFERENCES = (
    *DIFFERENCES,
    _differ(
        "both clients map statuses to the same classes", r"status (413|529) .*|transient 529 x3", "outcome"
    ),
    _differ(
        "a blocking file or iterator can be sent as well",
        r"content (file|iterator|list).*",
        "attempts outcome sleeps",
    ),
)


def justified(exchange: str, differences: tuple[Difference, ...]) -> set[str]:
    """Return the aspects in which an exchange is known to differ."""
    return {aspect for known in differences if known.covers(exchange) for aspect in known.aspects}
