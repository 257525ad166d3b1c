"""When the next job may be sent: pure rules that the dispatcher asks before every admission.

Rules of this package:

1. Nothing here waits. `ready_at` answers with a time; whoever asked decides how to get there.
2. What holds is the admission of jobs, never a worker, a connection or a slot.
3. The state follows from what was observed and when: the same observations, the same decisions.

    Pacing ── Concurrency              how many at once, for all models together
       '──── Pool, one for each model
               |── Hold                a refusal holds everything; a probe ends it
               |── ServerBucket x 3    requests, input and output tokens, reconciled with the headers
               |── Bucket x 3          what the user allows of them
               |── RateSearch          where no header tells the limit
               '── Estimates           what a job will cost
"""

from ._concurrency import Concurrency
from ._cooldown import MAX_COOLDOWN, MIN_COOLDOWN, PROBE_TIMEOUT
from ._model_limits import ModelLimits
from ._pacing import Pacing
from ._values import Bottleneck, Resource, StatedLimits

__all__ = [
    "MAX_COOLDOWN",
    "MIN_COOLDOWN",
    "PROBE_TIMEOUT",
    "Bottleneck",
    "Concurrency",
    "ModelLimits",
    "Pacing",
    "Resource",
    "StatedLimits",
]
