"""What a job will cost before the server has counted it, learned from what it counted so far. Pure."""

from __future__ import annotations

import attrs

from headrace.job import CHARACTERS_PER_TOKEN, JobRequest

from ._values import Cost

TOKENS_PER_BYTE = 1 / CHARACTERS_PER_TOKEN
"""Until the first response has been counted."""
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

    def together(self, jobs: int, size: int) -> tuple[Cost, Cost]:
        """The cost and the reserve of so many jobs, of so many bytes in all."""
        tokens = size * self.tokens_per_byte
        output = jobs * self.output
        return (float(jobs), tokens, output), (float(jobs), max(tokens, size * TOKENS_PER_BYTE), output)

    def learn(self, jobs: int, size: int, charged: float, output: float) -> None:
        """Take in what the answers to so many jobs did cost.

        ``size``: of their requests, bytes. ``charged``: input tokens that the limit counts, without those
        that were read from the cache.
        """
        self._answers += jobs
        weight = max(jobs / self._answers, min(1.0, jobs / _MEMORY))
        self.tokens_per_byte += weight * (charged / size - self.tokens_per_byte)
        self.input += weight * (charged / jobs - self.input)
        self.output += weight * (output / jobs - self.output)
