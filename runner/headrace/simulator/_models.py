"""The models endpoints of both APIs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ._api import Rejection

CATALOGUE = (
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-opus-5-5",
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "gpt-5",
    "gpt-5-mini",
    "gpt-4o-mini",
)
"""The models that are listed if the profile does not restrict them."""

_CREATED = "2025-10-01T00:00:00Z"
_CREATED_SECONDS = 1_759_276_800


def _model(model: str, *, anthropic: bool) -> dict[str, object]:
    if not anthropic:
        return {"id": model, "object": "model", "created": _CREATED_SECONDS, "owned_by": "headrace"}
    name = model.replace("-", " ").title()
    return {"type": "model", "id": model, "display_name": name, "created_at": _CREATED}


def _page_size(query: Mapping[str, str]) -> int:
    limit = query.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= 1_000:
        raise Rejection(status=400, message="limit: Input should be between 1 and 1000")
    return int(limit)


def _index(models: Sequence[str], model: str) -> int:
    if model not in models:
        raise Rejection(status=400, message=f"no such cursor: {model}")
    return models.index(model)


def models_page(models: Sequence[str], query: Mapping[str, str], *, anthropic: bool) -> bytes:
    """Return the response body of ``GET /v1/models``. OpenAI's list has no pages.

    Anthropic's page depends on ``limit``, ``after_id`` and ``before_id``. Raises `Rejection` 400.
    """
    if not anthropic:
        data = [_model(model, anthropic=False) for model in models]
        return msgspec.json.encode({"object": "list", "data": data})
    size = _page_size(query)
    if "before_id" in query:
        earlier = models[: _index(models, query["before_id"])]
        page, has_more = earlier[-size:], len(earlier) > size
    else:
        later = models[_index(models, query["after_id"]) + 1 :] if "after_id" in query else models
        page, has_more = later[:size], len(later) > size
    return msgspec.json.encode(
        {
            "data": [_model(model, anthropic=True) for model in page],
            "has_more": has_more,
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def model_document(models: Sequence[str], model: str, *, anthropic: bool) -> bytes:
    """Return the response body of ``GET /v1/models/{id}``. Raises `Rejection` 404 for an unknown model."""
    if model not in models:
        raise Rejection(status=404, message=f"model: {model}")
    return msgspec.json.encode(_model(model, anthropic=anthropic))
