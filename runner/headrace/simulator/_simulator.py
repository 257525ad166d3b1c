"""The simulator as an ASGI application: it reads a request, routes it, and logs it."""

from __future__ import annotations

from urllib.parse import parse_qsl

import trio

from . import _chat_endpoint, _messages_endpoint
from ._api import Rejection
from ._asgi import BodyTooLarge, Disconnected, Receive, Scope, Send, read_body, serve_lifespan
from ._call import Call
from ._delivery import deliver
from ._log import LogRecord, RequestLog
from ._models import model_document, models_page
from ._profile import Profile, Schedule
from ._service import Service
from ._text import body_digest

_NEW_YEAR_2026 = 1_767_225_600.0
_GENERATION_PATHS = ("/v1/messages", "/v1/chat/completions")
_COUNT_TOKENS = "/v1/messages/count_tokens"
_MODELS = "/v1/models"


class Simulator:
    """An ASGI application that behaves like a provider's API under rate limits.

    ``schedule``: the profiles that follow the first one. ``seed``: determines everything that is random.
    ``epoch``: the wall time at zero of trio's clock, in seconds since 1970. It runs under trio and reads no
    clock except trio's.
    """

    def __init__(
        self,
        profile: Profile | None = None,
        *,
        schedule: Schedule = (),
        seed: int = 0,
        log: RequestLog | None = None,
        epoch: float = _NEW_YEAR_2026,
    ) -> None:
        self.log = RequestLog() if log is None else log
        self.service = Service(profile or Profile(), schedule, seed)
        self._epoch = epoch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of a server."""
        if scope["type"] != "http":
            await serve_lifespan(receive, send)
            return
        now = trio.current_time()
        profile = self.service.profile_at(now)
        body, too_large = b"", False
        try:
            body = await read_body(receive, profile.max_body)
        except Disconnected:
            return
        except BodyTooLarge:
            too_large = True
        call = self._call(scope, receive, send, body, profile, now)
        try:
            await self._respond(call, too_large=too_large)
        except OSError:
            return  # the client has disconnected; the record says that the response is not finished
        finally:
            call.write_log()

    def _call(
        self, scope: Scope, receive: Receive, send: Send, body: bytes, profile: Profile, now: float
    ) -> Call:
        path, digest = scope["path"], body_digest(body)
        return Call(
            scope=scope,
            receive=receive,
            send=send,
            headers=dict(scope["headers"]),
            body=body,
            profile=profile,
            api=_chat_endpoint if path.startswith("/v1/chat/") else _messages_endpoint,
            draw=self.service.draw(digest),
            epoch=self._epoch,
            record=LogRecord(time=self._epoch + now, method=scope["method"], path=path, body=digest),
            log=self.log,
        )

    async def _respond(self, call: Call, *, too_large: bool) -> None:
        if call.profile.dead:
            await call.reset()
            return
        try:
            _check_request(call, too_large=too_large)
            self.service.check_key(call.profile, call.api.api_key(call.headers))
            await self._route(call)
        except Rejection as rejection:
            await call.reject(rejection)

    async def _route(self, call: Call) -> None:
        path = call.scope["path"]
        if path in _GENERATION_PATHS:
            await deliver(self.service, call)
        elif path == _COUNT_TOKENS:
            model, body = _messages_endpoint.encode_token_count(call.body)
            self.service.check_model(call.profile, model)
            await call.respond(200, body)
        else:
            await call.respond(200, self._models(call))

    def _models(self, call: Call) -> bytes:
        models = self.service.models(call.profile)
        anthropic = b"anthropic-version" in call.headers  # clients of both APIs use this path
        if model := call.scope["path"].removeprefix(_MODELS).removeprefix("/"):
            return model_document(models, model, anthropic=anthropic)
        query = dict(parse_qsl(call.scope["query_string"].decode("latin-1")))
        return models_page(models, query, anthropic=anthropic)


def _check_request(call: Call, *, too_large: bool) -> None:
    """Raise `Rejection` 404, 405 or 413 for what no endpoint accepts."""
    path, method = call.scope["path"], call.scope["method"]
    if path in (*_GENERATION_PATHS, _COUNT_TOKENS):
        allowed = "POST"
    elif path == _MODELS or path.startswith(f"{_MODELS}/"):
        allowed = "GET"
    else:
        raise Rejection(status=404, message=f"Not found: {path}")
    if method != allowed:
        raise Rejection(status=405, message=f"Method not allowed: {method}", allow=allowed)
    if too_large:
        raise Rejection(status=413, message="Request exceeds the maximum size")
