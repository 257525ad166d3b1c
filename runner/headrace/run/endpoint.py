"""Where the requests of a run go, and with which key: the rules of P21, P23 and P24. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import attrs

from headrace._exceptions import RunRefused
from headrace.dialects import Dialect

SECRET_WORDS = ("auth", "key", "token", "secret", "cookie")
"""A header whose name has one of these in it holds a secret: its value is kept out of all that is shown."""


@attrs.frozen(kw_only=True)
class Endpoint:
    """A server, and the headers that every request to it carries."""

    base_url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    secrets: tuple[str, ...] = attrs.field(repr=False)


def resolve_endpoint(
    dialect: Dialect,
    *,
    base_url: str | None,
    key: str | None,
    no_auth: bool,
    headers: Sequence[str],
    insecure_http: bool,
) -> Endpoint:
    """Check and put together what the user said. Raises `RunRefused`.

    ``headers``: of the form ``Name: value``.
    """
    url = (base_url or dialect.default_base_url).rstrip("/").removesuffix("/v1")
    scheme, host = _origin(url)
    if not no_auth and key is None:
        raise RunRefused(
            f"no key: set {dialect.key_variable}, or name a file with --api-key-file (in Python: give"
            " api_key), or say --no-auth (no_auth=True) for a server that needs none;"
            " --simulate (simulate=True) needs none either"
        )
    if scheme == "http" and not no_auth and not insecure_http and not is_loopback(host):
        raise RunRefused(
            f"the key would cross the network in plain text to {host}: use https,"
            " or --insecure-http (insecure_http=True) if that is meant, or --no-auth (no_auth=True)"
        )
    extra = dict(parse_header(header) for header in headers)
    secret_values = [
        value for name, value in extra.items() if any(word in name.lower() for word in SECRET_WORDS)
    ]
    if key is not None and not no_auth:
        secret_values.append(key)
    own = dialect.headers(None if no_auth else key)
    return Endpoint(base_url=url, headers={**own, **extra}, secrets=tuple(secret_values))


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise RunRefused(f"the base URL {url!r} is no URL: {error}") from error
    if scheme not in ("http", "https") or not host:
        raise RunRefused(f"the base URL {url!r} must be like https://host or http://127.0.0.1:8787")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise RunRefused("the base URL takes no query, fragment or user name; give headers of your own by -H")
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
    """Split ``Name: value``. Raises `RunRefused` for what is no header field (RFC 9110 section 5)."""
    name, colon, value = header.partition(":")
    shown = name[:40]
    if not colon or not name or not all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name):
        raise RunRefused(f"-H {shown!r}: write it as 'Name: value'")
    if not all(char.isprintable() or char == "\t" for char in value) or not (name + value).isascii():
        raise RunRefused(f"-H {shown!r}: the value has characters that no header may carry")
    if name.lower() in ("host", "content-length", "transfer-encoding", "connection"):
        raise RunRefused(f"-H {shown!r}: that header belongs to the connection, not to the job")
    return name, value.strip()


def clean_key(text: str, origin: str) -> str:
    """Return a key without the white space around it. ``origin``: where it came from. Raises `RunRefused`."""
    key = text.strip()
    if not key:
        raise RunRefused(f"{origin} holds no key")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise RunRefused(f"{origin} holds characters that no key has: only the key itself may be in it")
    return key
