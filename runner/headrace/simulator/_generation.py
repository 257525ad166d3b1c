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
    question = call.api.read(call.body)
    call.record.digest, call.record.model = question.digest, question.model
    service.check_model(call.profile, question.model)
    now = trio.current_time()
    call.quota = service.quota(call.profile, question.model, now)
    ticket = service.admit(call.api, question, call.profile, call.quota, call.draw, now)
    call.record.fault = ticket.fault or ""
    try:
        await _play(service, call, ticket)
    finally:
        service.release()


async def _play(service: Service, call: Call, ticket: Generation) -> None:
    if ticket.fault == "reset":
        await call.reset()
    elif ticket.fault == "hang":
        await wait_disconnected(call.receive)
    else:
        reply = await _first_token(service, call, ticket)
        streamed = ticket.question.stream and ticket.fault in (None, "cut")
        await (_stream if streamed else _send_whole)(service, call, ticket, reply)


async def _first_token(service: Service, call: Call, ticket: Generation) -> Completion:
    await trio.sleep(ticket.ttft)
    now = trio.current_time()
    service.begin(call.api, ticket, now)
    call.record.input_tokens = ticket.usage.input
    call.record.cache_creation_tokens = ticket.usage.cache_creation
    call.record.cache_read_tokens = ticket.usage.cache_read
    return Completion(
        name=call.draw.name,
        model=ticket.question.model,
        text=ticket.text,
        cut=ticket.cut,
        usage=ticket.usage,
        created=call.epoch + now,
    )


async def _speak(service: Service, call: Call, ticket: Generation, tokens: int, since: float) -> float:
    """Wait until so many more tokens have come out, debit them, and return the time."""
    due = since + tokens / ticket.profile.tokens_per_second
    await trio.sleep_until(due)
    service.produce(call.api, ticket, tokens, due)
    call.record.output_tokens += tokens
    return due


async def _send_whole(service: Service, call: Call, ticket: Generation, reply: Completion) -> None:
    now = trio.current_time()
    step = math.ceil(
        min(ticket.profile.tokens_per_second * ticket.profile.debit_interval, ticket.output_tokens)
    )
    for spoken in range(0, ticket.output_tokens, step):
        now = await _speak(service, call, ticket, min(step, ticket.output_tokens - spoken), now)
    if ticket.fault == "garbage":
        await call.respond(200, call.draw.name.encode())
    elif ticket.fault == "html":
        await call.respond(200, _HTML_PAGE, kind=HTML)
    elif ticket.fault == "cut":
        body = call.api.whole(reply)
        await call.cut(body, int(ticket.draw.place * len(body)))
    else:
        await call.respond(200, call.api.whole(reply))


async def _stream(service: Service, call: Call, ticket: Generation, reply: Completion) -> None:
    now = trio.current_time()
    question, size = ticket.question, ticket.profile.event_tokens
    end = int(ticket.draw.place * ticket.output_tokens) if ticket.fault == "cut" else ticket.output_tokens
    await call.start(200, EVENTS)
    await call.part(call.api.opening(question, reply))
    for place, text in enumerate(chunks(reply.text, size)):
        tokens = min(size, ticket.output_tokens - place * size)
        if place * size + tokens > end:
            return
        now = await _speak(service, call, ticket, tokens, now)
        await call.part(call.api.piece(question, reply, text))
    await call.part(call.api.closing(question, reply), last=True)
