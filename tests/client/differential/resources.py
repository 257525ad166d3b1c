"""Exchanges through the resources: what each method sends and returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from headrace_client.testing import Step, reply

from .exchange import Exchange, Side, items

HEADERS = {"request-id": "req_r"}
MESSAGE: dict[str, object] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [
        {"type": "text", "text": "Hello", "citations": None},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}},
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 9, "cache_read_input_tokens": 1, "new_count": 4},
}
BATCH: dict[str, object] = {
    "id": "b",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"canceled": 0, "errored": 1, "expired": 0, "processing": 0, "succeeded": 2},
    "created_at": "2026-01-02T03:04:05Z",
    "expires_at": "2026-01-03T03:04:05.678Z",
    "ended_at": None,
    "archived_at": None,
    "cancel_initiated_at": None,
    "results_url": "https://api.anthropic.com/v1/messages/batches/b/results",
}
RESULTS = b"""\
{"custom_id":"1","result":{"type":"errored","error":{"type":"error","error":{"type":"api_error","message":"no"}}}}
{"custom_id":"2","result":{"type":"expired"}}
{"custom_id":"3","result":{"type":"canceled"}}"""
MODEL = {"id": "m", "type": "model", "display_name": "M", "created_at": "2026-01-02T03:04:05Z"}
HI: list[dict[str, object]] = [{"role": "user", "content": "Hi"}]
TOOL: dict[str, object] = {
    "name": "f",
    "description": "d",
    "input_schema": {"type": "object", "properties": {}},
}
PROMPT: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": HI}

PROMPTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "full": {
        "system": [{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}],
        "temperature": 0.5,
        "top_k": 3,
        "top_p": 0.9,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
        "service_tier": "auto",
        "tools": [TOOL],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "inference_geo": "us",
    },
    "extras": {
        "extra_headers": {"X-A": "1"},
        "extra_query": {"q": "1"},
        "extra_body": {"max_tokens": 8},
        "timeout": 5,
    },
    "iterators": {},  # made anew for each call
    "none": {"system": None, "temperature": None},
    "old model": {"model": "claude-2.1"},
    "adaptive": {"model": "claude-opus-4-6", "thinking": {"type": "enabled", "budget_tokens": 1024}},
    "not streamed": {"stream": False},
    **{f"max_tokens {number}": {"max_tokens": number} for number in (21_333, 21_334, 200_000)},
    **{
        f"{model} {number}": {"model": model, "max_tokens": number}
        for model in ("claude-opus-4-0", "claude-opus-4-1-20250805")
        for number in (8192, 8193)
    },
    "long with timeout": {"max_tokens": 200_000, "timeout": 601},
    "long with none": {"max_tokens": 200_000, "timeout": None},
}


def _exchange(name: str, call: Callable[[Side, Any], Any], *script: Step, **more: Any) -> Exchange:
    return Exchange(name=name, call=call, script=script, **more)


def messages() -> Iterator[Exchange]:
    answer = reply(json=MESSAGE, headers=HEADERS)
    for name, arguments in PROMPTS.items():
        for path in ("messages", "beta.messages"):
            yield _exchange(f"{path} create {name}", _prompted(path, name, arguments), answer)
    for missing in ("model", "max_tokens", "messages"):
        prompt = {key: value for key, value in PROMPT.items() if key != missing}
        yield _exchange(
            f"messages without {missing}",
            lambda side, client, prompt=prompt: client.messages.create(**prompt),
            answer,
        )
    for timeout in (600, 600.0, 30, None):
        call = _prompted("messages", "plain", {"max_tokens": 200_000})
        yield _exchange(
            f"messages long on client of {timeout!r}", call, answer, settings={"timeout": timeout}
        )
    counted = reply(json={"input_tokens": 7}, headers=HEADERS)
    for name, more in {"plain": {}, "system": {"system": "s"}, "extras": {"extra_body": {"z": 1}}}.items():
        yield _exchange(
            f"count_tokens {name}",
            lambda side, client, more=more: client.messages.count_tokens(model="m", messages=HI, **more),
            counted,
        )
    for beta in (["a"], ["a", "b"], []):
        yield _exchange(
            f"beta count_tokens {beta}",
            lambda side, client, beta=beta: client.beta.messages.count_tokens(
                model="m", messages=HI, betas=beta
            ),
            counted,
        )
        yield _exchange(
            f"beta create {beta}",
            lambda side, client, beta=beta: client.beta.messages.create(**PROMPT, betas=beta),
            answer,
        )


def _prompted(path: str, name: str, arguments: dict[str, Any]) -> Callable[[Side, Any], Any]:
    def call(side: Side, client: Any) -> Any:
        given: dict[str, Any] = (
            {"messages": iter(HI), "tools": iter([TOOL])} if name == "iterators" else arguments
        )
        resource = client.messages if path == "messages" else client.beta.messages
        return resource.create(**{**PROMPT, **given})

    return call


def batches() -> Iterator[Exchange]:
    batch = reply(json=BATCH, headers=HEADERS)
    requests = [{"custom_id": "1", "params": PROMPT}]
    deleted = reply(json={"id": "b", "type": "message_batch_deleted"})
    listed = reply(json={"data": [BATCH], "has_more": False, "first_id": "b", "last_id": "b"})
    for path in ("messages", "beta.messages"):

        def of(client: Any, path: str = path) -> Any:
            return client.messages.batches if path == "messages" else client.beta.messages.batches

        yield _exchange(
            f"{path} batches create", lambda side, client, of=of: of(client).create(requests=requests), batch
        )
        yield _exchange(
            f"{path} batches list", lambda side, client, of=of: of(client).list(limit=3), listed, read=items
        )
        for id_ in ("b", "b c", "a/b", "..", ""):
            for verb, answer in (("retrieve", batch), ("cancel", batch), ("delete", deleted)):
                yield _exchange(
                    f"{path} batches {verb} {id_!r}",
                    lambda side, client, of=of, verb=verb, id_=id_: getattr(of(client), verb)(id_),
                    answer,
                )
        results = reply(body=[RESULTS[:100], RESULTS[100:]], headers={"content-type": "application/x-jsonl"})
        yield _exchange(
            f"{path} batches results",
            lambda side, client, of=of: of(client).results("b"),
            batch,
            results,
            read=items,
        )
        running = reply(json={**BATCH, "results_url": None, "processing_status": "in_progress"})
        yield _exchange(
            f"{path} batches results too early", lambda side, client, of=of: of(client).results("b"), running
        )


def models() -> Iterator[Exchange]:
    answer = reply(json=MODEL, headers=HEADERS)
    for id_ in ("m", "a/b c", "a:b", "ü", "..", ""):
        yield _exchange(
            f"models retrieve {id_!r}", lambda side, client, id_=id_: client.models.retrieve(id_), answer
        )
        yield _exchange(
            f"beta models retrieve {id_!r}",
            lambda side, client, id_=id_: client.beta.models.retrieve(id_),
            answer,
        )
    betas = {"betas": ["x", "y"]}
    yield _exchange(
        "models retrieve betas", lambda side, client: client.models.retrieve("m", **betas), answer
    )
    yield _exchange(
        "models list betas",
        lambda side, client: client.models.list(limit=1, **betas),
        reply(json={"data": [MODEL]}),
        read=items,
    )


COPIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "key": {"api_key": "other"},
    "token": {"auth_token": "other"},
    "empty key": {"api_key": ""},
    "base_url": {"base_url": "http://other.test/p"},
    "timeout": {"timeout": 9},
    "no timeout": {"timeout": None},
    "retries": {"max_retries": 0},
    "headers": {"default_headers": {"X-New": "1", "X-Old": "2"}},
    "set headers": {"set_default_headers": {"X-New": "1"}},
    "both headers": {"default_headers": {"X-New": "1"}, "set_default_headers": {}},
    "query": {"default_query": {"new": 1, "old": 2}},
    "set query": {"set_default_query": {"new": 1}},
    "both queries": {"default_query": {"new": 1}, "set_default_query": {}},
}
SETTINGS: dict[str, Any] = {
    "api_key": "mine",
    "default_headers": {"X-Old": "1", "X-Kept": "1"},
    "default_query": {"old": 1, "kept": 1},
    "timeout": 17,
    "max_retries": 1,
}


def copies() -> Iterator[Exchange]:
    script = [reply(500)] * 3
    for name, changes in COPIES.items():
        for how in ("copy", "with_options"):
            yield _exchange(
                f"{how} {name}",
                lambda side, client, changes=changes, how=how: getattr(client, how)(**changes).get(
                    "/x", cast_to=object
                ),
                *script,
                settings=SETTINGS,
            )


EXCHANGES = (*messages(), *batches(), *models(), *copies())
