"""Unconfirmed usage: what attempts without a response may have cost, as a count and a range of tokens. Pure.

A request that was sent as a whole may have been processed to its end, or not at all: only the provider's bill
shows which. So the range begins at 0, and ends at the maximum that these attempts can have used.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from headrace.job import CHARACTERS_PER_TOKEN, JobRequest, TokenRange, Usage


class UnconfirmedUsage(msgspec.Struct, frozen=True, gc=False):
    """Attempts whose request was sent and whose response never arrived."""

    attempts: int = 0
    max_tokens: int | None = 0
    """The maximum of tokens, input and output together; None: the output has no limit."""

    def plus(self, other: UnconfirmedUsage) -> UnconfirmedUsage:
        """Return the sum of both."""
        max_tokens = None
        if self.max_tokens is not None and other.max_tokens is not None:
            max_tokens = self.max_tokens + other.max_tokens
        return UnconfirmedUsage(self.attempts + other.attempts, max_tokens)

    @property
    def tokens(self) -> TokenRange | None:
        """The range of tokens; None without attempts."""
        return (0, self.max_tokens) if self.attempts else None


NO_UNCONFIRMED_USAGE: Final = UnconfirmedUsage()


def attempt_usage(request: JobRequest) -> UnconfirmedUsage:
    """Return what one attempt may have used: an estimate of its input, and all the output that it allows."""
    if request.max_output is None:
        return UnconfirmedUsage(1, None)
    return UnconfirmedUsage(1, math.ceil(len(request.body) / CHARACTERS_PER_TOKEN) + request.max_output)


def unreported_tokens(request: JobRequest, usage: Usage) -> TokenRange:
    """Return the maximum of the tokens that an answer does not report: of its input, and of its output.

    They are 0 where it reports them. No token is shorter than a byte.
    """
    return (
        len(request.body) if usage.input is None else 0,
        request.max_output if usage.output is None else 0,
    )


def recorded_usage(attempts: int, tokens: TokenRange | None) -> UnconfirmedUsage:
    """Return what a record says about its job. Without ``tokens`` the maximum is unknown."""
    if not attempts:
        return NO_UNCONFIRMED_USAGE
    return UnconfirmedUsage(attempts, None if tokens is None else tokens[1])
