"""What a scenario is: a simulated server, a file of jobs, and the ideal time."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import msgspec

from headrace.job import JobRequest
from headrace.pacing import Concurrency, Pacing
from headrace.policy.budget import Budget
from headrace.simulator import BucketLimit, Profile, ProviderLimits, Schedule
from headrace.simulator._asgi import App

EPOCH = 1_767_225_600.0
AMPLE = BucketLimit(per_minute=1e9)
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}


def auto() -> Pacing:
    """The pacing of a run without options."""
    return Pacing(concurrency=Concurrency.found(8_192))


@attrs.frozen(kw_only=True)
class Scenario:
    """A server and a file of jobs. ``ideal``: seconds. ``models``: the jobs take these in turn."""

    profile: Profile
    jobs: int
    ideal: float
    schedule: Schedule = ()
    dialect: str = "anthropic"
    prompt: str = "question"
    system: object = None
    max_tokens: int = 64_000
    models: tuple[str, ...] = ("m",)
    seed: int = 0
    pacing: Callable[[], Pacing] = auto
    max_wait: float = 600.0
    budget: Budget | None = None
    between: Callable[[App], App] | None = None
    """Wraps the server, to delay or refuse requests on their way. None: nothing lies between."""

    def request(self, number: int) -> JobRequest:
        """The request of the job with this number."""
        model = self.models[number % len(self.models)]
        body: dict[str, object] = {
            "model": model,
            "max_tokens": self.max_tokens,
            "messages": [{"role": "user", "content": f"{self.prompt} {number}"}],
        }
        if self.system is not None:
            body["system"] = self.system
        return JobRequest(
            path=PATHS[self.dialect],
            body=msgspec.json.encode(body),
            model=model,
            max_tokens=self.max_tokens,
            stream=False,
        )


def limits(
    *,
    requests: BucketLimit = AMPLE,
    tokens_in: BucketLimit = AMPLE,
    tokens_out: BucketLimit = AMPLE,
) -> ProviderLimits:
    """Limits of which only the given ones can be the bottleneck."""
    return ProviderLimits(requests=requests, input=tokens_in, output=tokens_out)


def per_second(rate: float, *, burst: float | None = None, others: float = 0.0) -> BucketLimit:
    """A limit of ``rate`` per second. Its bucket holds ``burst``, by default one second's worth."""
    return BucketLimit(per_minute=rate * 60, burst=rate if burst is None else burst, others=others)
