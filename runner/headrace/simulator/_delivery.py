"""Delivers the answer to one request: admits it, lets its tokens take their time, and injects its fault."""

from __future__ import annotations

import math

import trio

from ._api import Completion
from ._asgi import wait_disconnected
from ._call import EVENTS, HTML, Call
from ._generation import Generation
from ._service import Service
from ._text import chunks

_HTML_PAGE = b"<!DOCTYPE html><html><title>Bad gateway</title><body>Try again later.</body></html>"


async def deliver(service: Service, call: Call) -> None:
    """Respond to ``POST /v1/messages`` or ``POST /v1/chat/completions``. Raises `Rejection`."""
    request = call.api.parse(call.body)
    call.record.digest, call.record.model = request.digest, request.model
    service.check_model(call.profile, request.model)
    now = trio.current_time()
    call.quota = service.quota(call.profile, request.model, now)
    generation = service.admit(call.api, request, call.profile, call.quota, call.draw, now)
    call.record.fault = generation.fault or ""
    try:
        await _deliver_admitted(service, call, generation)
    finally:
        service.release()


async def _deliver_admitted(service: Service, call: Call, generation: Generation) -> None:
    if generation.fault == "reset":
        await call.reset()
    elif generation.fault == "hang":
        await wait_disconnected(call.receive)
    else:
        completion = await _first_token(service, call, generation)
        streamed = generation.request.stream and generation.fault in (None, "cut")
        await (_stream if streamed else _send_whole)(service, call, generation, completion)


async def _first_token(service: Service, call: Call, generation: Generation) -> Completion:
    await trio.sleep(generation.ttft)
    now = trio.current_time()
    service.start_output(call.api, generation, now)
    call.record.input_tokens = generation.usage.input
    call.record.cache_creation_tokens = generation.usage.cache_creation
    call.record.cache_read_tokens = generation.usage.cache_read
    return Completion(
        id=call.draw.id,
        model=generation.request.model,
        text=generation.text,
        truncated=generation.truncated,
        usage=generation.usage,
        created=call.epoch + now,
    )


async def _produce(service: Service, call: Call, generation: Generation, tokens: int, since: float) -> float:
    """Wait until the next tokens are generated, debit them, and return the time."""
    due = since + tokens / generation.profile.tokens_per_second
    await trio.sleep_until(due)
    service.add_output(call.api, generation, tokens, due)
    call.record.output_tokens += tokens
    return due


async def _send_whole(service: Service, call: Call, generation: Generation, completion: Completion) -> None:
    now = trio.current_time()
    per_debit = generation.profile.tokens_per_second * generation.profile.debit_interval
    step = math.ceil(min(per_debit, generation.output_tokens))
    for produced in range(0, generation.output_tokens, step):
        now = await _produce(service, call, generation, min(step, generation.output_tokens - produced), now)
    if generation.fault == "garbage":
        await call.respond(200, call.draw.id.encode())
    elif generation.fault == "html":
        await call.respond(200, _HTML_PAGE, content_type=HTML)
    elif generation.fault == "cut":
        body = call.api.encode(completion)
        await call.send_truncated(body, int(generation.draw.cut_at * len(body)))
    else:
        await call.respond(200, call.api.encode(completion))


async def _stream(service: Service, call: Call, generation: Generation, completion: Completion) -> None:
    now = trio.current_time()
    request, size = generation.request, generation.profile.event_tokens
    end = generation.output_tokens
    if generation.fault == "cut":
        end = int(generation.draw.cut_at * end)
    await call.send_start(200, EVENTS)
    await call.send_body(call.api.encode_opening(request, completion))
    for index, text in enumerate(chunks(completion.text, size)):
        tokens = min(size, generation.output_tokens - index * size)
        if index * size + tokens > end:
            return
        now = await _produce(service, call, generation, tokens, now)
        await call.send_body(call.api.encode_delta(request, completion, text))
    await call.send_body(call.api.encode_closing(request, completion), last=True)
