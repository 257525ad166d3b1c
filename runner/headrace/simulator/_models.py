"""The models endpoints, in both dialects. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ._api import Rejection

CATALOGUE = (
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "claude-opus-4-1",
    "gpt-5",
    "gpt-5-mini",
    "gpt-4o-mini",
)
"""What is listed when a profile names no models."""

_CREATED = "2025-10-01T00:00:00Z"
_CREATED_SECONDS = 1_759_276_800


def _described(model: str, *, anthropic: bool) -> dict[str, object]:
    if not anthropic:
        return {"id": model, "object": "model", "created": _CREATED_SECONDS, "owned_by": "headrace"}
    name = model.replace("-", " ").title()
    return {"type": "model", "id": model, "display_name": name, "created_at": _CREATED}


def _page_size(query: Mapping[str, str]) -> int:
    limit = query.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= 1_000:
        raise Rejection(status=400, message="limit: Input should be between 1 and 1000")
    return int(limit)


def _place(models: Sequence[str], model: str) -> int:
    if model not in models:
        raise Rejection(status=400, message=f"no such cursor: {model}")
    return models.index(model)


def models_page(models: Sequence[str], query: Mapping[str, str], *, anthropic: bool) -> bytes:
    """Answer ``GET /v1/models``: a page as ``limit``, ``after_id`` and ``before_id`` choose it.

    OpenAI's list has no pages.
    """
    if not anthropic:
        data = [_described(model, anthropic=False) for model in models]
        return msgspec.json.encode({"object": "list", "data": data})
    size = _page_size(query)
    if "before_id" in query:
        earlier = models[: _place(models, query["before_id"])]
        page, has_more = earlier[-size:], len(earlier) > size
    else:
        later = models[_place(models, query["after_id"]) + 1 :] if "after_id" in query else models
        page, has_more = later[:size], len(later) > size
    return msgspec.json.encode(
        {
            "data": [_described(model, anthropic=True) for model in page],
            "has_more": has_more,
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def model_document(models: Sequence[str], model: str, *, anthropic: bool) -> bytes:
    """Answer ``GET /v1/models/{id}``. Raises `Refusal` 404 for a model that does not exist."""
    if model not in models:
        raise Rejection(status=404, message=f"model: {model}")
    return msgspec.json.encode(_described(model, anthropic=anthropic))
