"""One admitted request, and the answer that is generated for it. Pure."""

from __future__ import annotations

import attrs

from ._api import ApiRequest, TokenCounts
from ._buckets import Quota
from ._draw import Draw
from ._profile import FaultKind, Profile
from ._text import answer_text


@attrs.define(kw_only=True)
class Generation:
    """What is decided about a request when it is admitted. ``truncated``: ``max_tokens`` ends the answer."""

    request: ApiRequest
    profile: Profile
    quota: Quota
    draw: Draw
    fault: FaultKind | None
    output_tokens: int
    truncated: bool
    usage: TokenCounts

    @property
    def text(self) -> str:
        """The text of the answer."""
        return answer_text(self.request.digest, self.output_tokens)

    @property
    def ttft(self) -> float:
        """The time to the first token, in seconds."""
        return self.profile.ttft * (1 + self.profile.ttft_jitter * self.draw.jitter)
