"""The parameters of the Messages endpoints, and the checks before a request is sent."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Required

from headrace_client._requests.options import Omit, RequestExtras
from headrace_client.types import MessageParam, MetadataParam, TextBlockParam, ToolUnionParam


class _PromptParams(RequestExtras, total=False):
    """The parameters of both a message and a count of tokens."""

    model: Required[str]
    messages: Required[Iterable[MessageParam]]
    system: str | Iterable[TextBlockParam] | Omit
    thinking: Mapping[str, object] | Omit
    tool_choice: Mapping[str, object] | Omit
    tools: Iterable[ToolUnionParam] | Omit
    output_config: Mapping[str, object] | Omit


class CountTokensParams(_PromptParams, total=False):
    """The parameters of ``messages.count_tokens``."""


class MessageParams(_PromptParams, total=False):
    """The parameters of ``messages.create``, except ``stream``."""

    max_tokens: Required[int]
    metadata: MetadataParam | Omit
    service_tier: Literal["auto", "standard_only"] | Omit
    stop_sequences: Sequence[str] | Omit
    temperature: float | Omit
    top_k: int | Omit
    top_p: float | Omit
    inference_geo: str | Omit | None


class StreamParams(MessageParams, total=False):
    """The parameters of ``messages.stream``."""

    idle_timeout: float | None
    total_timeout: float | None


_DEPRECATIONS = "https://docs.anthropic.com/en/docs/about-claude/model-deprecations"
_RETIRED_ON: Mapping[str, tuple[str, ...]] = {
    "November 6th, 2024": (
        "claude-1.3",
        "claude-1.3-100k",
        "claude-instant-1.1",
        "claude-instant-1.1-100k",
        "claude-instant-1.2",
    ),
    "July 21st, 2025": ("claude-2.0", "claude-2.1", "claude-3-sonnet-20240229"),
    "January 5th, 2026": ("claude-3-opus-20240229",),
    "February 19th, 2026": (
        "claude-3-5-haiku-20241022",
        "claude-3-5-haiku-latest",
        "claude-3-7-sonnet-20250219",
        "claude-3-7-sonnet-latest",
    ),
    "June 15th, 2026": (
        "claude-opus-4-0",
        "claude-opus-4-20250514",
        "claude-sonnet-4-0",
        "claude-sonnet-4-20250514",
    ),
    "June 30th, 2026": ("claude-mythos-preview",),
    "August 5th, 2026": ("claude-opus-4-1", "claude-opus-4-1-20250805"),
    "November 30th, 2026": ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    "January 22nd, 2027": ("claude-opus-4-5", "claude-opus-4-5-20251101"),
}
"""The models that the provider has deprecated, by the day on which they are retired (as of November 2026)."""
END_OF_LIFE: Mapping[str, str] = {model: day for day, models in _RETIRED_ON.items() for model in models}
_SUCCESSORS = {
    "haiku": "claude-haiku-5-5",
    "instant": "claude-haiku-5-5",
    "opus": "claude-opus-5-5",
    "mythos": "claude-mythos-5-2",
}
"""The newest model of each family, by a part of the family's names; for any other see `_successor`."""

_THINK_ADAPTIVELY = frozenset({"claude-opus-4-6", "claude-mythos-preview"})

_SLOW_MODELS = frozenset(
    {
        "claude-opus-4-0",
        "claude-opus-4-20250514",
        "claude-4-opus-20250514",
        "claude-opus-4@20250514",
        "anthropic.claude-opus-4-20250514-v1:0",
        "claude-opus-4-1-20250805",
        "claude-opus-4-1@20250805",
        "anthropic.claude-opus-4-1-20250805-v1:0",
    }
)
_SLOW_MODELS_CAP = 8192
"""The output tokens that slow models generate within ten minutes."""
_TOKENS_PER_HOUR = 128_000
"""The output tokens per hour that any other model is expected to generate at least."""
_MAX_SECONDS = 600.0
"""The longest expected duration, in seconds, of a request without streaming."""


def check_required(params: Mapping[str, Any]) -> None:
    """Raise `TypeError` if a request for a message lacks a required parameter."""
    if not {"max_tokens", "messages", "model"} <= params.keys():
        raise TypeError(
            "Missing required arguments; Expected either ('max_tokens', 'messages' and 'model') or "
            "('max_tokens', 'messages', 'model' and 'stream') arguments to be given"
        )


def check_duration(model: str, max_tokens: int) -> None:
    """Raise `ValueError` if the answer may take longer than networks keep a silent connection open."""
    if not isinstance(max_tokens, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # the API explains it best
        return
    expected = 3600 * max_tokens / _TOKENS_PER_HOUR
    if expected > _MAX_SECONDS or (model in _SLOW_MODELS and max_tokens > _SLOW_MODELS_CAP):
        raise ValueError(
            "Streaming is required for operations that may take longer than 10 minutes. "
            "Pass stream=True, or pass a timeout if you want to wait."
        )


def warn_of_model(model: str, thinking: object) -> None:
    """Warn about a model that is deprecated, and about a deprecated kind of thinking."""
    if model in END_OF_LIFE:
        warnings.warn(
            f"The model '{model}' is deprecated and will reach end-of-life on {END_OF_LIFE[model]}.\n"
            f"Please migrate to a newer model, for example '{_successor(model)}'. See {_DEPRECATIONS}",
            DeprecationWarning,
            stacklevel=4,
        )
    match thinking:
        case {"type": "enabled"} if model in _THINK_ADAPTIVELY:
            warnings.warn(
                f"{model} does better with thinking of type 'adaptive'; 'enabled' is deprecated.",
                UserWarning,
                stacklevel=4,
            )
        case _:
            pass


def _successor(model: str) -> str:
    """Return the newest model of the same family, else the newest Sonnet."""
    return next((newest for family, newest in _SUCCESSORS.items() if family in model), "claude-sonnet-5-5")
