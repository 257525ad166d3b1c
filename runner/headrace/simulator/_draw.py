"""Everything that is random in the simulator, drawn from the seed and the request. Pure.

The same request gets the same draws in every run, whatever else arrives.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

import attrs


@attrs.frozen(kw_only=True)
class Draw:
    """The random numbers of one attempt, each from 0 to 1 (exclusive), and its random id.

    ``fault``: selects the fault. ``jitter``: the share of ``Profile.ttft_jitter`` to add to the time to the
    first token. ``cut_at``: how much of the response a ``cut`` fault lets through.
    """

    fault: float
    jitter: float
    cut_at: float
    id: str


def draw(seed: int, digest: str, attempt: int) -> Draw:
    """Draw for the ``attempt``-th arrival of a body."""
    drawn = blake2b(f"{seed}/{digest}/{attempt}".encode(), digest_size=32).digest()
    fault, jitter, cut_at = ((number >> 11) / 2**53 for number in struct.unpack(">3Q", drawn[:24]))
    return Draw(fault=fault, jitter=jitter, cut_at=cut_at, id=drawn[:12].hex())


def draw_length(seed: int, digest: str, minimum: int, maximum: int) -> int:
    """Draw the length in tokens of the answer to these messages, both bounds included.

    The length does not depend on the attempt. A smaller ``max_tokens`` truncates the answer.
    """
    drawn = int.from_bytes(blake2b(f"{seed}/{digest}".encode(), digest_size=8).digest())
    return minimum + drawn % (maximum - minimum + 1)
