"""When the next job may be sent: pure rules that the dispatcher asks before every admission.

Rules of this package:

1. Nothing here waits. `ready_at` returns a time, and the caller decides how to get there.
2. Only admission is held back: no worker, connection or slot is occupied by a job that waits.
3. The state depends only on what was observed and when: the same observations lead to the same decisions.

    Pacing
    ├── Concurrency            how many jobs may be in flight, for all models together
    ├── Sharing                which models share a limit of the server
    └── ModelLimits            one for each model
        ├── Cooldown           after a refusal nothing is sent; a probe ends it
        ├── Gates
        │   ├── ServerBucket   up to three: requests, input and output tokens, reconciled with the headers
        │   └── Bucket         up to three: what the user allows of them
        ├── RateSearch         finds a rate where no header reports a limit
        │   └── Acceptance     what was accepted since the last refusal
        ├── Estimates          what a job will cost
        └── Batch              jobs that are admitted together, while every limit is far away

A *refusal* is a response with status 429. Times are seconds on the event loop's clock, rates are per second.
The constants of this package were chosen with the scenarios in tests/runner/pacing, which bound the time and
the number of refusals: run them after changing one.
"""

from ._concurrency import Concurrency
from ._cooldown import MAX_COOLDOWN, MIN_COOLDOWN, PROBE_TIMEOUT
from ._model_limits import ModelLimits
from ._pacing import Pacing
from ._values import Bottleneck, Resource

__all__ = [
    "MAX_COOLDOWN",
    "MIN_COOLDOWN",
    "PROBE_TIMEOUT",
    "Bottleneck",
    "Concurrency",
    "ModelLimits",
    "Pacing",
    "Resource",
]
