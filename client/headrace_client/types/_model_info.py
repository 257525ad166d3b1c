"""The description of a model."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from headrace_client._models.base_model import BaseModel


class ModelInfo(BaseModel, kw_only=True):
    """A model that is available."""

    id: str
    type: Literal["model"]
    display_name: str
    created_at: dt.datetime
