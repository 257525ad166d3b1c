"""Where the requests of a run go, and which headers and API key they carry. Pure.

The key goes to the server that the user names, in its authentication header, and nowhere else: not over plain
http to another machine, and not into anything that is shown.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from urllib.parse import urlsplit

import attrs

from headrace._exceptions import RunRefused
from headrace.dialects import Dialect
from headrace.policy.options import ServerOptions
from headrace.policy.text import text_problem, trimmed

SECRET_WORDS = ("auth", "key", "token", "secret", "cookie")
"""A header with one of these words in its name holds a secret. Its value is never shown."""

_CONNECTION_HEADERS = ("host", "content-length", "transfer-encoding", "connection")


@attrs.frozen(kw_only=True)
class Endpoint:
    """A server, and the headers of every request to it."""

    base_url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    secrets: tuple[str, ...] = attrs.field(repr=False)
    """Header values that must not be shown."""


def resolve_endpoint(dialect: Dialect, server: ServerOptions, key: str | None) -> Endpoint:
    """Return the endpoint that the options name. ``key``: the API key, None without one.

    Raises `RunRefused` for options that do not name one, and where the key would not be safe.
    """
    key = None if server.no_auth else key
    given, origin = _base_url(dialect, server)
    url = (trimmed(given) or dialect.default_base_url).rstrip("/").removesuffix("/v1")
    scheme, host = _split_origin(url, origin)
    if key is None and not server.no_auth:
        raise RunRefused(
            f"no API key: set {dialect.key_variable}, name a file with --api-key-file (in Python: api_key),"
            " or use --no-auth (no_auth=True) for a server that needs none;"
            " --simulate (simulate=True) needs none either"
        )
    if scheme == "http" and key is not None and not server.insecure_http and not is_loopback(host):
        raise RunRefused(
            f"the API key would cross the network in plain text to {host}: use https, or --no-auth"
            " (no_auth=True), or --insecure-http (insecure_http=True) if you accept that"
        )
    extra = extra_headers(server.headers)
    secrets = [value for name, value in extra.items() if any(word in name.lower() for word in SECRET_WORDS)]
    if key is not None:
        secrets.append(key)
    names = {name.lower() for name in extra}
    own = {name: value for name, value in dialect.headers(key).items() if name.lower() not in names}
    return Endpoint(base_url=url, headers={**own, **extra}, secrets=tuple(secrets))


def extra_headers(headers: Iterable[str]) -> dict[str, str]:
    """Return the user's headers. Raises `RunRefused` for one that is not a header or is given twice."""
    extra: dict[str, str] = {}
    for name, value in map(parse_header, headers):
        if name.lower() in {other.lower() for other in extra}:
            raise RunRefused(f"-H {name[:40]!r} is given twice: leave out one of them")
        extra[name] = value
    return extra


def endpoint_digest(endpoint: Endpoint) -> str:
    """Return a digest that changes with the server, the key and the other headers.

    It has 32 bits: enough to notice a change, too few to reveal anything about the key. The port of a server
    on this machine does not count: local servers often get another one at each start.
    """
    url = endpoint.base_url
    scheme, host = _split_origin(url)
    if is_loopback(host):
        url = f"{scheme}://{host}{urlsplit(url).path}"
    headers = sorted(f"{name.lower()}: {value}" for name, value in endpoint.headers.items())
    return blake2b(repr((url, headers)).encode(), digest_size=4).hexdigest()


def _base_url(dialect: Dialect, server: ServerOptions) -> tuple[str, str]:
    """Return the base URL that was given, empty without one, and where it was."""
    if server.base_url:
        return server.base_url, "--base-url"
    variable = dialect.key_variable.replace("_API_KEY", "_BASE_URL")
    return server.environ.get(variable, ""), variable


def _split_origin(url: str, origin: str = "") -> tuple[str, str]:
    """Return scheme and host. Raises `RunRefused` unless the URL is one of a server.

    ``origin``: where the URL was given, for the message.
    """
    named = f"the base URL {url!r} ({origin})"
    if problem := text_problem(url):
        raise RunRefused(f"the base URL ({origin}) cannot be used: {problem}")
    if not url.isprintable() or " " in url:
        raise RunRefused(f"{named} contains white space or control characters: remove them")
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
        (host or "").encode("idna")  # as the resolver does
    except ValueError as error:
        raise RunRefused(f"{named} cannot be parsed: {error}") from error
    if scheme not in ("http", "https") or not host:
        raise RunRefused(f"{named} must look like https://host or http://127.0.0.1:8787")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise RunRefused(
            f"the base URL ({origin}) must not contain a query, a fragment or a user name; use -H (headers)"
            " for credentials of your own"
        )
    return scheme, host


def is_loopback(host: str) -> bool:
    """Whether a host name stands for this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_header(header: str) -> tuple[str, str]:
    """Split ``Name: value``. Raises `RunRefused` unless it is a header field (RFC 9110 section 5)."""
    name, colon, value = header.partition(":")
    shown = name[:40]
    if not colon or not name or not all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name):
        raise RunRefused(f"-H {shown!r}: write it as 'Name: value'")
    if not all(char.isprintable() or char == "\t" for char in value) or not (name + value).isascii():
        raise RunRefused(f"-H {shown!r}: the value contains characters that are not allowed in a header")
    if name.lower() in _CONNECTION_HEADERS:
        raise RunRefused(f"-H {shown!r}: headrace sets this header itself")
    return name, value.strip()


def clean_key(text: str, origin: str) -> str:
    """Return an API key without the white space around it. ``origin``: where it was found.

    Raises `RunRefused` for a text that cannot be a key.
    """
    key = trimmed(text)
    if not key:
        raise RunRefused(f"{origin} is empty: it must contain the API key")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise RunRefused(
            f"{origin} contains characters that no API key has: it must contain the key and nothing else"
        )
    return key
