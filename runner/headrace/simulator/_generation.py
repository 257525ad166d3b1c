"""Drives one request for an answer: admits it, lets the tokens come out in time, plays its fault."""

from __future__ import annotations

import math

import trio

from ._api import Completion
from ._asgi import wait_disconnected
from ._call import EVENTS, HTML, Call
from ._service import Generation, Service
from ._text import chunks

_HTML_PAGE = b"<!DOCTYPE html><html><title>Bad gateway</title><body>Try again later.</body></html>"


async def generate(service: Service, call: Call) -> None:
    """Answer ``POST /v1/messages`` or ``POST /v1/chat/completions``. Raises `Refusal`."""
    request = call.api.read(call.body)
    call.record.digest, call.record.model = request.digest, request.model
    service.check_model(call.profile, request.model)
    now = trio.current_time()
    call.quota = service.quota(call.profile, request.model, now)
    generation = service.admit(call.api, request, call.profile, call.quota, call.draw, now)
    call.record.fault = generation.fault or ""
    try:
        await _play(service, call, generation)
    finally:
        service.release()


async def _play(service: Service, call: Call, generation: Generation) -> None:
    if generation.fault == "reset":
        await call.reset()
    elif generation.fault == "hang":
        await wait_disconnected(call.receive)
    else:
        reply = await _first_token(service, call, generation)
        streamed = generation.request.stream and generation.fault in (None, "cut")
        await (_stream if streamed else _send_whole)(service, call, generation, reply)


async def _first_token(service: Service, call: Call, generation: Generation) -> Completion:
    await trio.sleep(generation.ttft)
    now = trio.current_time()
    service.begin(call.api, generation, now)
    call.record.input_tokens = generation.usage.input
    call.record.cache_creation_tokens = generation.usage.cache_creation
    call.record.cache_read_tokens = generation.usage.cache_read
    return Completion(
        name=call.draw.name,
        model=generation.request.model,
        text=generation.text,
        cut=generation.cut,
        usage=generation.usage,
        created=call.epoch + now,
    )


async def _speak(service: Service, call: Call, generation: Generation, tokens: int, since: float) -> float:
    """Wait until so many more tokens have come out, debit them, and return the time."""
    due = since + tokens / generation.profile.tokens_per_second
    await trio.sleep_until(due)
    service.produce(call.api, generation, tokens, due)
    call.record.output_tokens += tokens
    return due


async def _send_whole(service: Service, call: Call, generation: Generation, reply: Completion) -> None:
    now = trio.current_time()
    step = math.ceil(
        min(
            generation.profile.tokens_per_second * generation.profile.debit_interval, generation.output_tokens
        )
    )
    for spoken in range(0, generation.output_tokens, step):
        now = await _speak(service, call, generation, min(step, generation.output_tokens - spoken), now)
    if generation.fault == "garbage":
        await call.respond(200, call.draw.name.encode())
    elif generation.fault == "html":
        await call.respond(200, _HTML_PAGE, kind=HTML)
    elif generation.fault == "cut":
        body = call.api.whole(reply)
        await call.cut(body, int(generation.draw.place * len(body)))
    else:
        await call.respond(200, call.api.whole(reply))


async def _stream(service: Service, call: Call, generation: Generation, reply: Completion) -> None:
    now = trio.current_time()
    request, size = generation.request, generation.profile.event_tokens
    end = (
        int(generation.draw.place * generation.output_tokens)
        if generation.fault == "cut"
        else generation.output_tokens
    )
    await call.start(200, EVENTS)
    await call.part(call.api.opening(request, reply))
    for place, text in enumerate(chunks(reply.text, size)):
        tokens = min(size, generation.output_tokens - place * size)
        if place * size + tokens > end:
            return
        now = await _speak(service, call, generation, tokens, now)
        await call.part(call.api.piece(request, reply, text))
    await call.part(call.api.closing(request, reply), last=True)
