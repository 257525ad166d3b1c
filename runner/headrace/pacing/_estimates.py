"""What a job will cost before the server has counted it, learned from what it counted so far. Pure."""

from __future__ import annotations

import attrs

from headrace.job import JobRequest, Usage

from ._values import Cost

TOKENS_PER_BYTE = 0.25
"""Until the first answer: four characters a token, the providers' rule of thumb for English."""
_MEMORY = 50
"""Answers after which an older one weighs little: a file may change its kind of job half way."""


@attrs.define(kw_only=True)
class Estimates:
    """Tokens a job: input in proportion to the request's size, output as the mean of late.

    ``reserves_output``: the provider counts ``max_tokens`` (or the input, if that is more) when it admits a
    request and never corrects it, as OpenAI does. Anthropic counts what comes out and not ``max_tokens``.
    """

    reserves_output: bool = False
    tokens_per_byte: float = TOKENS_PER_BYTE
    input: float = 0.0
    """The mean of late, in tokens a job; 0 until the first answer. The same for ``output``."""
    output: float = 0.0
    _answers: int = 0

    def cost(self, request: JobRequest) -> Cost:
        """Forecast what a request takes from the buckets: requests, input tokens, output tokens."""
        size = len(request.body)
        if self.reserves_output:
            return 1.0, max(request.max_tokens or 0, size * TOKENS_PER_BYTE), 0.0
        longest = request.max_tokens
        output = self.output if longest is None or longest > self.output else longest
        return 1.0, size * self.tokens_per_byte, output

    def reserve(self, request: JobRequest, cost: Cost) -> Cost:
        """What the server sets aside until it has counted: by size, cache reads included."""
        return cost[0], max(cost[1], len(request.body) * TOKENS_PER_BYTE), cost[2]

    def learn(self, request: JobRequest, usage: Usage) -> None:
        """Take in what an answer did cost. Input that was read from the cache is not counted by the limit."""
        self._answers += 1
        weight = max(1 / self._answers, 1 / _MEMORY)
        charged = self.cost(request)[1] if self.reserves_output else usage.input + usage.cache_creation
        self.tokens_per_byte += weight * (charged / len(request.body) - self.tokens_per_byte)
        self.input += weight * (charged - self.input)
        self.output += weight * (usage.output - self.output)
