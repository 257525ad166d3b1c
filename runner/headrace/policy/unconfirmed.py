"""What may have been billed although no answer came: so many attempts, and their tokens as a range. Pure.

A request that was sent as a whole may have been worked on to its end, or not at all: only the provider's
bill says. So the range begins at 0, and ends where each attempt has cost all that it could.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from headrace.job import CHARACTERS_PER_TOKEN, JobRequest, TokenRange


class UnconfirmedUsage(msgspec.Struct, frozen=True, gc=False):
    """Attempts whose request was sent and whose answer never came."""

    attempts: int = 0
    most: int | None = 0
    """Tokens, input and output together, that they have cost at most; None: nothing bounds their output."""

    def plus(self, other: UnconfirmedUsage) -> UnconfirmedUsage:
        """The two together."""
        most = None if self.most is None or other.most is None else self.most + other.most
        return UnconfirmedUsage(self.attempts + other.attempts, most)

    @property
    def tokens(self) -> TokenRange | None:
        """The range of tokens; None where there is no such attempt."""
        return (0, self.most) if self.attempts else None


NO_UNCONFIRMED_USAGE: Final = UnconfirmedUsage()


def attempt_usage(request: JobRequest) -> UnconfirmedUsage:
    """What one attempt can have cost: the input by its size, and all the output that it allows."""
    if request.max_tokens is None:
        return UnconfirmedUsage(1, None)
    return UnconfirmedUsage(1, math.ceil(len(request.body) / CHARACTERS_PER_TOKEN) + request.max_tokens)


def recorded_usage(attempts: int, tokens: TokenRange | None) -> UnconfirmedUsage:
    """What a record tells of its job; a record without the range leaves it open."""
    return (
        UnconfirmedUsage(attempts, tokens[1] if tokens is not None else None)
        if attempts
        else NO_UNCONFIRMED_USAGE
    )
