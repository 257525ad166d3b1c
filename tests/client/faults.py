"""Single faults to plant in the client: each is one wrong piece of text (see `planted_faults`)."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Fault:
    """What is wrong, the file below ``client/headrace_client``, and the text to be replaced."""

    name: str
    file: str
    old: str
    new: str


FAULTS: Final = (
    # retries
    Fault("no retry on 408", "_retry.py", "frozenset({408, 409, 429})", "frozenset({409, 429})"),
    Fault("no retry on 409", "_retry.py", "frozenset({408, 409, 429})", "frozenset({408, 429})"),
    Fault("no retry on 429", "_retry.py", "frozenset({408, 409, 429})", "frozenset({408, 409})"),
    Fault("no retry on 500", "_retry.py", "or status >= 500 if", "or status > 500 if"),
    Fault("x-should-retry ignored", "_retry.py", 'headers.get("x-should-retry", "")', '""'),
    Fault("no jitter", "_retry.py", "(1 - 0.25 * dice)", "1"),
    Fault("no jitter on Retry-After", "_retry.py", "asked * (1 + 0.1 * dice)", "asked"),
    Fault("Retry-After cap ignored", "_retry.py", "if asked <= self.max_retry_after", "if asked < math.inf"),
    Fault("retry-after-ms ignored", "_retry.py", '_number(headers.get("retry-after-ms", "")) / 1000', "0.0"),
    Fault("Retry-After as a date ignored", "_retry.py", "or _seconds_until(text, now_wall)", ""),
    Fault("backoff does not double", "_retry.py", "2.0 ** min(taken, 1000)", "2.0"),
    Fault("backoff without a cap", "_retry.py", "min(doubled, self.max_delay)", "doubled"),
    Fault("one retry too many", "_retry.py", "or taken >= self.max_retries", "or taken > self.max_retries"),
    Fault(
        "connection errors not retried",
        "_retry.py",
        "isinstance(outcome, APIConnectionError) and",
        "False and",
    ),
    Fault(
        "stale connections use up retries",
        "_retry.py",
        "return Retry(0.0, counts=False)",
        "return Retry(0.0)",
    ),
    Fault("negative retries accepted", "_retry.py", "if not value >= 0:", "if value != value:"),
    Fault(
        "retry count not told",
        "_configuration.py",
        '{"x-stainless-retry-count": str(taken)}',
        '{"x-stainless-retry-count": "0"}',
    ),
    Fault("hook not called", "_configuration.py", "            self.on_retry(event)", "            pass"),
    Fault("one-shot content sent twice", "_configuration.py", "not is_one_shot(options.content)", "True"),
    Fault(
        "no new connection asked for", "_flow.py", "new_connection=not verdict.counts", "new_connection=False"
    ),
    Fault("idle connection for a new one", "transport/_httpx_door.py", "None if new else ", ""),
    Fault("idle connection in the end", "transport/_connection_pool.py", "while new or ", "while "),
    Fault(
        "file not read from its beginning",
        "_configuration.py",
        " or options.redirected or options.new_connection",
        "",
    ),
    Fault("requests built without their builder", "_outgoing.py", " and _is_httpxs(http_client)", ""),
    Fault("header values not looked at", "_request.py", "name: _checked(name, value) for", "name: value for"),
    Fault("one-shot content redirected", "_redirect.py", "and not repeatable", "and False"),
    Fault(
        "body of a failed stream not read",
        "_sync_face.py",
        "                response.read()",
        "                pass",
    ),
    Fault(
        "body of a failed stream not read, async",
        "_async_face.py",
        "                await response.aread()",
        "                pass",
    ),
    # redirects
    Fault(
        "redirect to another origin followed",
        "_redirect.py",
        "if not same_origin(here, following.url):",
        "if False:",
    ),
    Fault("redirect keeps POST", "_redirect.py", "if (status == 303", "if (status == 999"),
    Fault("redirects without end", "_redirect.py", "if hops > MAX_REDIRECTS", "if False"),
    # errors
    Fault("429 as a generic error", "_exceptions.py", "    429: RateLimitError,\n", ""),
    Fault("529 as any server error", "_exceptions.py", "    529: OverloadedError,\n", ""),
    Fault("413 as a generic error", "_exceptions.py", "    413: RequestTooLargeError,\n", ""),
    Fault(
        "error body not parsed",
        "_exceptions.py",
        "        return msgspec.json.decode(text)",
        "        return text",
    ),
    Fault("request id lost", "_exceptions.py", 'response.headers.get("request-id")', "None"),
    Fault(
        "in-stream error keeps status 200",
        "_exceptions.py",
        "STATUS_BY_TYPE.get(_error_type(body), response.status_code)",
        "response.status_code",
    ),
    Fault(
        "pickles carry credentials",
        "_exceptions.py",
        " if name not in SENSITIVE_HEADERS]\n    return type(request)",
        "]\n    return type(request)",
    ),
    Fault(
        "timeouts as connection errors",
        "_http_errors.py",
        "= APITimeoutError(request)",
        "= APIConnectionError(request=request)",
    ),
    # credentials and headers
    Fault("auth token ignored", "_anthropic.py", "        if self.auth_token:", "        if False:"),
    Fault(
        "environment read beside a given key",
        "_anthropic.py",
        "if api_key is None and auth_token is None:",
        "if True:",
    ),
    Fault(
        "missing credentials not noticed",
        "_anthropic.py",
        "if not any(headers.values.get(name)",
        "if False and not any(headers.values.get(name)",
    ),
    Fault("key sent to another origin", "_configuration.py", "        if foreign:\n", "        if False:\n"),
    Fault(
        "header merge case-sensitive",
        "_request.py",
        "merged[name.lower()] = (name, value)",
        "merged[name] = (name, value)",
    ),
    Fault(
        "omit sends a header",
        "_outgoing.py",
        "        del request.headers[name]",
        "        pass",
    ),
    Fault(
        "call's headers below the client's",
        "_configuration.py",
        "return merge_headers(*own, *layers)",
        "return merge_headers(*layers, *own)",
    ),
    Fault("no version header", "_anthropic.py", '"anthropic-version": API_VERSION', ""),
    Fault("content-type on GET", "_body.py", "return Body({}, keeps_content_type=False)", "return Body({})"),
    Fault("copies forget headers", "_anthropic.py", "combine_headers(self._custom_headers, added)", "added"),
    Fault(
        "copies forget strictness",
        "_anthropic.py",
        "            _strict_response_validation=self._strict_response_validation,\n",
        "",
    ),
    # URLs, queries, bodies
    Fault("query arrays repeated", "_configuration.py", 'Querystring(array_format="comma")', "Querystring()"),
    Fault("nested brackets lost", "_querystring.py", 'f"{name}[{inner}]"', "inner"),
    Fault(
        "booleans in capitals",
        "_querystring.py",
        "str(value).lower() if isinstance(value, bool)",
        "str(value) if isinstance(value, bool)",
    ),
    Fault(
        "query of the path lost",
        "_request.py",
        "_merged_query([base.query, target.query], pairs, names)",
        "_merged_query([base.query], pairs, names)",
    ),
    Fault(
        "default query ignored",
        "_configuration.py",
        "{**self.default_query, **options.params}",
        "{**options.params}",
    ),
    Fault("path parameters not encoded", "_request.py", 'return quote(value, safe="")', "return value"),
    Fault("base URL without its slash", "_request.py", 'else parts.path + "/"', "else parts.path"),
    Fault(
        "extra_body loses",
        "_body.py",
        '"Mapping[str, object]", body), **cast("Mapping[str, object]", extra)}',
        '"Mapping[str, object]", extra), **cast("Mapping[str, object]", body)}',
    ),
    Fault("form without its fields", "_body.py", '{"data": form_fields(data, style), "files"', '{"files"'),
    Fault("NaN sent", "_json.py", "allow_nan=False", "allow_nan=True"),
    # timeouts and HTTP clients
    Fault(
        "timeout of the call ignored",
        "_configuration.py",
        "timeout=self.timeout if isinstance(options.timeout, NotGiven) else options.timeout",
        "timeout=self.timeout",
    ),
    Fault("ten-minute guard off", "resources/_message_params.py", "expected > _LONGEST or", "False or"),
    Fault("connection limit 10", "_http_clients.py", "max_connections=1000", "max_connections=10"),
    Fault("no socket options", "_http_clients.py", ', "socket_options": keepalive_options()', ""),
    Fault(
        "NO_PROXY ignored",
        "_environment_proxies.py",
        "patterns | dict.fromkeys(map(_pattern, exempt)) if patterns",
        "patterns if patterns",
    ),
    Fault(
        "TLS context not shared",
        "_http_clients.py",
        '        arguments["verify"] = shared_tls_context()',
        "        pass",
    ),
    Fault(
        "closing leaves the HTTP client open",
        "_sync_face.py",
        "            self._http_client.close()",
        "            pass",
    ),
    # straight to the transport
    Fault("hooks passed by", "_async_face.py", " or self._is_hooked()", ""),
    Fault("changes of the HTTP client passed by", "_direct.py", "http_client.is_changed or", ""),
    Fault("log of httpx passed by", "_direct.py", " or _HTTPX_LOG.isEnabledFor(logging.INFO)", ""),
    Fault("credentials in the URL passed by", "_direct.py", "if request.url.userinfo or", "if"),
    Fault(
        "framing headers passed by", "_outgoing.py", "self.headers.values.keys().isdisjoint(_FRAMING)", "True"
    ),
    Fault("cookies not kept", "_direct.py", "        if _SETS_COOKIE in lower:", "        if False:"),
    Fault("cookies not sent", "_direct.py", "        if self.http_client.cookies:", "        if False:"),
    Fault(
        "cookies of later shown",
        "_direct.py",
        "        if _COOKIE not in",
        "        if False and _COOKIE not in",
    ),
    Fault("compressed answer handed on", "_direct.py", "        if _CODED in lower:", "        if False:"),
    Fault(
        "bomb handed on",
        "_direct.py",
        '            ExpansionGuard(Headers.parse(lower).get("content-encoding", "")).feed(arrived.body)\n',
        "",
    ),
    Fault(
        "timeouts of the call ignored on the way past httpx",
        "_direct.py",
        "_timeouts(outgoing.timeout)",
        "Timeouts()",
    ),
    Fault(
        "length of a kept request",
        "_outgoing.py",
        "    if outgoing.length:\n",
        "    if False:\n",
    ),
    # answers
    Fault(
        "unknown fields dropped",
        "_construct.py",
        "            vars(model)[EXTRA] = extra",
        "            vars(model)[EXTRA] = {}",
    ),
    Fault(
        "union picks the first member",
        "_construct.py",
        "            try:\n                return reader.read(value, strict=True)",
        "            try:\n                return reader.read(value, strict=False)",
    ),
    Fault("tag of a union ignored", "_construct.py", "        if self._tag is None or", "        if True or"),
    Fault(
        "strict mode is loose",
        "_cast.py",
        "construct(value, cast_to, strict=strict)",
        "construct(value, cast_to)",
    ),
    Fault(
        "no request id on answers",
        "_cast.py",
        "return with_request_id(built, _request_id(response))",
        "return built",
    ),
    Fault(
        "proxy's page in place of a message",
        "_cast.py",
        'if strict or getattr(cast_to, "__module__", "").startswith("headrace_client."):',
        "if strict:",
    ),
    # streams
    Fault(
        "SSE error events ignored",
        "_event_reader.py",
        '            if event.event == "error":\n',
        '            if event.event == "never":\n',
    ),
    Fault(
        "pings yielded as messages",
        "_event_reader.py",
        '_KNOWN_EVENTS = _MESSAGE_EVENTS | {"completion"}',
        '_KNOWN_EVENTS = _MESSAGE_EVENTS | {"completion", "ping"}',
    ),
    Fault(
        "incomplete stream accepted",
        "_event_reader.py",
        "if event is ENDED and not self._complete:",
        "if False:",
    ),
    Fault(
        "CR alone does not end a line",
        "_sse.py",
        'max(data.rfind(b"\\n"), data.rfind(b"\\r")) + 1',
        'data.rfind(b"\\n") + 1',
    ),
    Fault("data lines not joined", "_sse.py", 'b"\\n".join(self._data)', 'b"".join(self._data)'),
    Fault("idle timeout ignored", "_reading.py", "return min(left, self._idle_timeout)", "return left"),
    Fault(
        "total timeout ignored",
        "_reading.py",
        "return min(left, self._idle_timeout)",
        "return self._idle_timeout",
    ),
    Fault(
        "stream not closed after an error",
        "_reading.py",
        "        except BaseException as error:\n            self.close()\n",
        "        except BaseException as error:\n",
    ),
    Fault(
        "broken stream not wrapped",
        "_reading.py",
        "return connection_error(error, self.response.request) or error",
        "return error",
    ),
    Fault(
        "usage of a stream reset", "_accumulate.py", "return {**(before or {}), **{name", "return {**{name"
    ),
    # pages
    Fault(
        "has_more ignored",
        "_pagination.py",
        "return self.has_more is not False and super()",
        "return super()",
    ),
    Fault(
        "empty page has a successor",
        "_pagination.py",
        "return bool(self._get_page_items()) and self.next",
        "return self.next",
    ),
    Fault(
        "never backwards",
        "_pagination.py",
        '("before_id", self.first_id) if backwards else',
        '("after_id", self.last_id) if backwards else',
    ),
    Fault(
        "next page forgets the query",
        "_pagination.py",
        "params={**options.params, **info.params}",
        "params={**info.params}",
    ),
    Fault(
        "page token under another name",
        "_pagination.py",
        '{"page_token": self.next_page}',
        '{"page": self.next_page}',
    ),
    Fault(
        "cursor under another name",
        "_pagination.py",
        '{"page": self.next_page}',
        '{"page_token": self.next_page}',
    ),
    Fault(
        "next page asks for a raw response",
        "_pagination.py",
        "        if name.lower() != RAW_RESPONSE_HEADER.lower()\n",
        "",
    ),
    Fault("page in the body lost", "_pagination.py", "**(info.json or {})}", "}"),
    # transport
    Fault("TCP keep-alive off on trio", "transport/_connect.py", "        _keep_alive(sock)\n", ""),
    Fault(
        "silence ignored by the sender",
        "transport/_exchange.py",
        "min(self._deadline, now + self._idle_timeout)",
        "self._deadline",
    ),
    Fault(
        "early end taken for whole",
        "transport/_exchange.py",
        "            elif not reader.end():\n                raise ConnectionLost("
        '"the server closed the connection before its answer was complete")',
        "            else:\n                break",
    ),
)
