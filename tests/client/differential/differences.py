"""Where we differ from the reference on purpose: which exchanges, in what, and why.

Every difference that is not named here fails a test; so does every name that no longer differs.
"""

from __future__ import annotations

import re

import attrs


@attrs.frozen
class Difference:
    """``item``: of the contract. ``exchanges``: a pattern of names. ``aspects``: what differs in each."""

    item: str
    reason: str
    exchanges: str
    aspects: frozenset[str]

    def covers(self, exchange: str) -> bool:
        return re.fullmatch(self.exchanges, exchange) is not None


TELEMETRY = {
    "user-agent": "23: names the package and its version",
    "x-stainless-package-version": "23: the version of the package",
    "x-stainless-timeout": "24: the reference sends its sentinel, `NOT_GIVEN`, where no timeout was given",
}
"""Headers that are not compared, each with its reason."""


def _differ(item: str, reason: str, exchanges: str, aspects: str) -> Difference:
    return Difference(item, reason, exchanges, frozenset(aspects.split()))


_KNOWN = "(overloaded|api|rate_limit|invalid_request)_error"
_TO_THE_END = "(events|final message|text pieces)"
_CAUGHT = "(partial events|untyped|helper events)"

DIFFERENCES = (
    # failures
    _differ(
        "81", "503 and 504 have classes of their own", r"status 50[34] .*|transient 50[34] x3", "outcome"
    ),
    _differ(
        "D5",
        "waits that the server asks for are spread by jitter, and obeyed beyond a minute; ms=0 hides nothing",
        r"retry-after (429|503) '(0.001|1|2.5|59.9|60|60.5|61|171| 7 )'|retry-after date (20|60|90)"
        r"|retry-after-ms '(1500|1500.5|60000|90000)' beside '9?'|retry-after-ms '(0|-5|junk|)' beside '9'",
        "sleeps",
    ),
    _differ(
        "D5",
        "asked to wait beyond the cap, we give up",
        r"retry-after (429|503) '601'",
        "attempts outcome sleeps",
    ),
    _differ("83", "the wording is ours", r"broken (Connect|Read|Write|Pool)Timeout x3", "error.message"),
    _differ(
        "69",
        "what a second attempt meets again is not tried again; mistakes in the program are not masked",
        r"broken (LocalProtocolError|UnsupportedProtocol) x1|mistake (Runtime|Value|Type)Error",
        "attempts outcome sleeps",
    ),
    _differ("69", "as before", r"broken (LocalProtocolError|UnsupportedProtocol) x3", "attempts sleeps"),
    _differ("6", "a negative number is refused in words", r"max_retries -1 of (client|call)", "outcome"),
    _differ("6", "retries without end work", r"max_retries inf of client", "attempts outcome sleeps"),
    _differ(
        "22",
        "a POST that became a GET has no content type",
        r"redirect 30[123] (/y|y|https://api.*)",
        "header:content-type",
    ),
    _differ(
        "21",
        "neither key nor body leave the origin",
        r"redirect 30\d https://elsewhere.*",
        "attempts outcome",
    ),
    _differ("21", "a class of its own", r"redirect in circles", "outcome"),
    # sending
    _differ(
        "28",
        "names of headers are compared in any case",
        r"headers (client|call) content-type",
        "header:content-type",
    ),
    _differ("28", "as before", r"headers (client|call|omitted) x-api-key", "header:x-api-key"),
    _differ(
        "28", "as before", r"headers both (X-Foo x-foo|x-foo X-Foo)|headers omitted x-foo", "header:x-foo"
    ),
    _differ("27", "omitted means not sent, also not httpx's own", r"headers omitted Accept", "header:accept"),
    _differ(
        "18",
        "an explicit credential switches the environment off",
        r"credentials auth_token in (nothing|ANTHROPIC_AUTH_TOKEN)",
        "header:x-api-key",
    ),
    _differ("18", "as before", r"credentials api_key in ANTHROPIC_AUTH_TOKEN", "header:authorization"),
    _differ(
        "9",
        "an empty key counts as none",
        r"credentials auth_token in ANTHROPIC_API_KEY|credentials (omitted|by header) Authorization",
        "header:x-api-key",
    ),
    _differ(
        "20",
        "names of credentials are compared in any case",
        r"credentials (omitted|by header) (x-api-key|authorization)",
        "attempts outcome",
    ),
    _differ("21", "another origin gets no key", r"url .*(other.test/x|a_b.test/z)", "header:x-api-key"),
    _differ(
        "8",
        "an empty base URL counts as none",
        r"url (of environment )?'' (?!http).*",
        "attempts header:host outcome sleeps url",
    ),
    _differ("8", "a base URL may have a query", r"url (of environment )?'http://h/p.k=1' (?!http).*", "url"),
    _differ("34", "the query of the path is kept", r"query beside path ([1235-9]|1\d)", "url"),
    _differ("36", "an empty text is a value", r"query .* 4", "url"),
    _differ(
        "38", "dates without a time, and sets, have a form in JSON", r"body (date|set)", "attempts outcome"
    ),
    _differ("41", "a bytearray can be sent", r"content bytearray.*", "attempts outcome sleeps"),
    _differ(
        "45",
        "files make a form, whatever the content type said, and the fields are kept",
        r"files (bytes|tuple|pairs|headers|empty) unsaid",
        "body header:content-length header:content-type",
    ),
    # answers
    _differ(
        "85",
        "what does not decode is wrapped",
        r"(loose|strict) (.*model|object|dict|list|list of models|union.*) of (broken|empty)"
        r"|(loose|strict) (int|float) of (?!number).*",
        "outcome",
    ),
    _differ(
        "87",
        "strictly, null is no model, list or dict",
        r"strict (.*model.*|dict|list|union.*) of null",
        "outcome",
    ),
    _differ(
        "89",
        "the wording is ours",
        r"strict (object|dict|list.*) of (text|True|no content|object (as text|untyped))",
        "error.message",
    ),
    _differ(
        "89",
        "the wording is ours, and the cause is kept",
        r"strict (model|rich model|union.*) of (text|True|no content)",
        "error.cause error.message",
    ),
    _differ(
        "89",
        "a union of models too is tried from JSON",
        r"loose union.* of object (as text|untyped)",
        "value",
    ),
    _differ("89", "as before", r"strict union.* of object (as text|untyped)", "outcome"),
    _differ(
        "87", "the tag decides, whatever the other fields are", r'union tagged .*"two", "value": 1.', "value"
    ),
    _differ(
        "110", "there is no page after the last", r"list one page past the end .*", "attempts outcome sleeps"
    ),
    # streams
    _differ(
        "103",
        "the class follows the type of the error",
        rf"sse error ({_KNOWN}|at once): {_TO_THE_END}",
        "outcome",
    ),
    _differ("103", "as before", rf"sse error ({_KNOWN}|at once): {_CAUGHT}", "value"),
    _differ("103", "the wording is ours", rf"sse error new_error: {_TO_THE_END}", "error.message"),
    _differ("104", "what does not decode is wrapped", rf"sse broken JSON: {_TO_THE_END}", "outcome"),
    _differ("104", "as before", rf"sse broken JSON: {_CAUGHT}", "value"),
    _differ(
        "105", "a stream without its end is not whole", rf"sse (cut.*|nothing): {_TO_THE_END}", "outcome"
    ),
    _differ("105", "as before", rf"sse (cut.*|nothing): {_CAUGHT}", "value"),
    _differ(
        "101",
        "a byte order mark is no part of the first line",
        rf"sse byte order mark: (events|{_CAUGHT})",
        "value",
    ),
    _differ("101", "as before", r"sse byte order mark: (final message|text pieces)", "outcome"),
    _differ(
        "115", "after its end a message does not begin again", r"sse after the end: helper events", "value"
    ),
    _differ("115", "as before", r"sse after the end: (final message|text pieces)", "outcome"),
    _differ("115", "a number at the end of partial JSON may go on", r"sse tool: helper events", "value"),
    _differ(
        "D7",
        "a block of a new type says so",
        r"sse unknown block: ((partial |helper )?events|final message)",
        "value",
    ),
    _differ(
        "86",
        "a connection that breaks in a stream is told as any other",
        r"torn stream .*: events",
        "outcome",
    ),
    _differ("86", "as before", r"torn stream .*: (partial|helper) events", "value"),
    # resources
    _differ(
        "34",
        "the query of the path is kept",
        r"beta.messages create extras|beta.messages batches list",
        "url",
    ),
    _differ(
        "37",
        "a parameter stays one segment of the path",
        r".*retrieve '(a/b|a/b c|a:b)'|.*(cancel|delete) 'a/b'",
        "url",
    ),
    _differ("37", "and names no other path", r".*(retrieve|cancel|delete) '\.\.'", "attempts outcome"),
    _differ(
        "114",
        "the provider has deprecated more models since",
        r"(beta.)?messages create claude-opus-4-(0|1-20250805) .*",
        "warnings",
    ),
    _differ("119", "no betas, no header", r"beta create \[\]", "header:anthropic-beta"),
    _differ(
        "64", "an empty key in a copy is no key", r"(copy|with_options) empty key", "attempts outcome sleeps"
    ),
)


ASYNC_DIFFERENCES = (
    *DIFFERENCES,
    _differ("81", "one map of statuses for both faces", r"status (413|529) .*|transient 529 x3", "outcome"),
    _differ(
        "41", "what blocks can be sent here too", r"content (file|iterator|list).*", "attempts outcome sleeps"
    ),
)


def justified(exchange: str, differences: tuple[Difference, ...]) -> set[str]:
    """Return the aspects in which an exchange is known to differ."""
    return {aspect for known in differences if known.covers(exchange) for aspect in known.aspects}
