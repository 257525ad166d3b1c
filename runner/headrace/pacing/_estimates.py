"""What a job will cost before the server has counted it, estimated from what it has counted so far. Pure."""

from __future__ import annotations

import attrs

from headrace.job import CHARACTERS_PER_TOKEN, JobRequest, Usage

from ._values import Cost

TOKENS_PER_BYTE = 1 / CHARACTERS_PER_TOKEN
"""Until the first response has been counted."""
_MEMORY = 50
"""Responses after which an older one has little weight: the kind of job may change halfway through a file."""


@attrs.define(kw_only=True)
class Estimates:
    """Tokens per job: the input in proportion to the request's size, the output as a moving average.

    ``reserves_output``: the provider counts ``max_tokens`` for each choice (or the input, if that is more)
    when it admits a request and never corrects it, as OpenAI does. Anthropic counts the actual output, not
    ``max_tokens``.
    """

    reserves_output: bool = False
    tokens_per_byte: float = TOKENS_PER_BYTE
    input: float = 0.0
    """A moving average, in tokens per job; 0 until the first response. The same for ``output``."""
    output: float = 0.0
    _responses: int = 0

    def cost(self, request: JobRequest) -> Cost:
        """Estimate what a request takes from the buckets: requests, input tokens, output tokens."""
        size = len(request.body)
        if self.reserves_output:
            return 1.0, max(request.max_output or 0, size * TOKENS_PER_BYTE), 0.0
        limit = request.max_output
        output = self.output if limit is None or limit > self.output else limit
        return 1.0, size * self.tokens_per_byte, output

    def reserve(self, request: JobRequest, cost: Cost) -> Cost:
        """Return what the server sets aside until it has counted: by size, including cache reads."""
        return cost[0], max(cost[1], len(request.body) * TOKENS_PER_BYTE), cost[2]

    def counted(self, request: JobRequest, usage: Usage) -> tuple[int, int]:
        """Return the input tokens that count towards the limit, and the output tokens, of an answer.

        What the server did not count is estimated, so that it changes no average.
        """
        new, output = usage.input, usage.output
        if new is None:
            new = round(len(request.body) * self.tokens_per_byte)
        return new + usage.cache_creation, round(self.output) if output is None else output

    def total(self, jobs: int, size: int) -> tuple[Cost, Cost]:
        """Return the cost and the reserve of several jobs together. ``size``: of their requests, in bytes."""
        tokens = size * self.tokens_per_byte
        output = jobs * self.output
        return (float(jobs), tokens, output), (float(jobs), max(tokens, size * TOKENS_PER_BYTE), output)

    def learn(self, jobs: int, size: int, charged: float, output: float) -> None:
        """Take into account what several jobs cost together.

        ``size``: of their requests, in bytes. ``charged``: the input tokens that count towards the limit,
        which exclude those read from the cache.
        """
        self._responses += jobs
        weight = max(jobs / self._responses, min(1.0, jobs / _MEMORY))
        self.tokens_per_byte += weight * (charged / size - self.tokens_per_byte)
        self.input += weight * (charged / jobs - self.input)
        self.output += weight * (output / jobs - self.output)
