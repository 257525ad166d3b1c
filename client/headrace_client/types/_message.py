"""The message in the response, and its usage."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from headrace_client._models.base_model import BaseModel

from ._content import ContentBlock

StopReason: TypeAlias = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]


class CacheCreation(BaseModel, kw_only=True):
    """Input tokens written to the prompt cache, by time to live."""

    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class ServerToolUsage(BaseModel, kw_only=True):
    """How often the provider's tools were used."""

    web_search_requests: int
    web_fetch_requests: int | None = None


class Usage(BaseModel, kw_only=True):
    """The tokens that are billed and that count against the rate limits."""

    input_tokens: int
    output_tokens: int
    cache_creation: CacheCreation | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    inference_geo: str | None = None
    server_tool_use: ServerToolUsage | None = None
    service_tier: Literal["standard", "priority", "batch"] | None = None


class Message(BaseModel, kw_only=True):
    """The model's answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[ContentBlock]
    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    usage: Usage
    container: Any = None


class MessageTokensCount(BaseModel, kw_only=True):
    """The number of input tokens of a prompt."""

    input_tokens: int
