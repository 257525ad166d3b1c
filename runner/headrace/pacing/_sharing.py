"""Which models share a limit of the server, found from the headers of their responses. Pure.

No header names the models that a limit is for. Two models whose headers report the same limit are compared
at each reading of one of them:

1. They *agree* if its ``remaining`` is what the other's last reading shows, give or take what was sent
   meanwhile. Two limits of one size agree at the start, too, and as long as both models are used alike.
2. So a second sign is needed: the limit has to lack what the *other* model has spent. A model's own spending
   explains its readings if the limit is its own.
3. Both are judged once the other model has spent several times what the readings leave open. Two such
   judgements in a row merge the buckets, and the models then take from one.
4. Merged models part again after two judgements in a row that contradict: the readings differ, or more is
   left than their joint spending leaves in one limit.
5. A bucket that is nearly full overflows, and a shallow one always does: neither shows anything.

A wrong merge costs time until it is undone, a missing one costs refusals: both are short, since headers are
read 20 times per second and model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs

from headrace_client.lowlevel import RateLimits

from ._model_limits import ModelLimits
from ._server import ServerBucket
from ._values import Resource, readings

_JUDGEMENTS = 2
"""In a row, to merge two models or to part them."""
_MIN_INTERVAL = 0.04
"""Seconds between two of them: responses come in bursts..."""
_MAX_INTERVAL = 20.0
"""... and after this time a comparison that has shown nothing begins anew..."""
_MAX_INTERVAL_FULL = 0.3
"""... or after this, if the bucket was full: only a burst shows something then."""
_SIGNIFICANCE = 4.0
"""Units that have to be missing, at least, and the multiple of what readings leave open to be sure."""
_MISSING = 0.5
"""The share of the other's spending that is missing, or left, if both share the limit, or do not..."""
_EXPLAINED = 0.25
"""... and at most if it is the other way round."""
_MAX_AGE = 0.5
"""Seconds: an older reading of the other model is not compared."""
_MIN_DEPTH = 8.0
"""Units, as in `ServerBucket`: what a shallower bucket reports shows nothing."""
_NEARLY_FULL = 0.9
"""A share of the depth."""
_TOKEN_ERROR = 0.05
"""The error of what was spent in tokens, which is an estimate, as a share of it."""


@attrs.frozen(kw_only=True)
class _Reading:
    """What one model's headers reported, and what all models that may share the limit had done by then."""

    at: float
    limit: int | None
    remaining: float
    spent: Mapping[str, float]
    """Everything so far, by model."""
    in_flight: Mapping[str, float]
    """What jobs in flight were taken for: the reading may or may not show it."""
    is_full: bool


@attrs.define
class _Pair:
    """One model as seen from another one."""

    since: _Reading
    judged_at: float = -math.inf
    score: int = 0
    """Judgements in a row: above 0 that they share the limit, below 0 that they do not."""


@attrs.define
class Sharing:
    """Merges the buckets of models that share a limit, and parts them again."""

    _latest: dict[tuple[Resource, str], _Reading] = attrs.field(factory=dict[tuple[Resource, str], _Reading])
    _pairs: dict[tuple[Resource, str, str], _Pair] = attrs.field(
        factory=dict[tuple[Resource, str, str], _Pair]
    )

    def observe(
        self,
        model: str,
        limits: RateLimits,
        models: Mapping[str, ModelLimits],
        now: float,
    ) -> None:
        """Compare a reading of one model, whose bucket already knows it, with those of the others."""
        for resource, reading in readings(limits).items():
            bucket = models[model].gates.server.get(resource)
            if bucket is None or reading.remaining is None or bucket.bucket.depth < _MIN_DEPTH:
                continue
            sharers = {name: its for name, its in models.items() if _may_share(its, bucket, resource)}
            if len(sharers) == 1:
                continue
            current = _Reading(
                at=now,
                limit=reading.limit,
                remaining=float(reading.remaining),
                spent={name: its.spent(resource, now) for name, its in sharers.items()},
                in_flight={name: its.in_flight(resource) for name, its in sharers.items()},
                is_full=reading.remaining >= _NEARLY_FULL * bucket.bucket.depth,
            )
            for other in sharers:
                if other != model:
                    self._compare((resource, model, other), models, current)
            self._latest[resource, model] = current

    def _compare(
        self, key: tuple[Resource, str, str], models: Mapping[str, ModelLimits], current: _Reading
    ) -> None:
        resource, one, other = key[0], models[key[1]], models[key[2]]
        pair, last = self._pairs.get(key), self._latest.get((key[0], key[2]))
        if pair is None or last is None:
            self._pairs[key] = _Pair(current)
            return
        bucket = one.gates.server[resource]
        is_merged = bucket is other.gates.server[resource]
        judge = _still_share if is_merged else _share
        verdict = None
        if current.at - pair.judged_at >= _MIN_INTERVAL and current.at - last.at <= _MAX_AGE:
            error = max(1.0, bucket.rounding)
            if resource != "requests":
                error += _TOKEN_ERROR * _growth(pair.since, current, *key[1:])
            verdict = judge(key[1], key[2], pair.since, last, current, error)
        if verdict is not None:
            pair.judged_at = current.at
            pair.score = max(1, pair.score + 1) if verdict else min(-1, pair.score - 1)
        longest = _MAX_INTERVAL_FULL if pair.since.is_full else _MAX_INTERVAL
        if verdict is not None or current.is_full or current.at - pair.since.at > longest:
            pair.since = current
        if not is_merged and pair.score >= _JUDGEMENTS:
            _merge(resource, one, other, current.at)
            self._forget(resource)
        elif is_merged and pair.score <= -_JUDGEMENTS:
            _part(resource, one, current.remaining, current.at)
            self._forget(resource)

    def _forget(self, resource: Resource) -> None:
        """Begin all comparisons anew: the groups have changed."""
        for key in [key for key in self._pairs if key[0] == resource]:
            del self._pairs[key]


def _may_share(limits: ModelLimits, bucket: ServerBucket, resource: Resource) -> bool:
    other = limits.gates.server.get(resource)
    return other is not None and other.limit == bucket.limit


def _share(
    model: str, other: str, since: _Reading, last: _Reading, current: _Reading, error: float
) -> bool | None:
    """Return whether two models with a bucket each share the limit; None if that is not clear."""
    if not _agree(last, current, error):
        return False
    theirs = _growth(since, current, other)
    missing = since.remaining - current.remaining - _growth(since, current, model)
    if not since.is_full:  # a full bucket overflows: what flowed in is not known
        missing += _inflow(since, current)
    open_before = since.in_flight.get(model, 0.0)
    if missing >= max(_MISSING * theirs, _SIGNIFICANCE * error + open_before) and theirs > 0:
        return True
    is_clear = theirs >= _SIGNIFICANCE * (error + open_before + current.in_flight[model])
    return False if is_clear and not since.is_full and missing <= _EXPLAINED * theirs else None


def _still_share(
    model: str, other: str, since: _Reading, last: _Reading, current: _Reading, error: float
) -> bool | None:
    """Return whether models with a common bucket share the limit; None if that is not clear."""
    if current.limit != last.limit or not _agree(last, current, 2 * error):
        return False
    theirs = _growth(since, current, other)
    left = current.remaining - since.remaining + _growth(since, current, model, other)
    left -= _inflow(since, current)
    in_flight = current.in_flight[model] + current.in_flight[other]
    if left >= _MISSING * theirs + in_flight + _SIGNIFICANCE * error:
        return False
    is_clear = theirs >= _SIGNIFICANCE * (error + in_flight)
    return True if is_clear and left <= _EXPLAINED * theirs else None


def _agree(last: _Reading, current: _Reading, error: float) -> bool:
    """Whether two readings may be of one bucket: what was sent in between, or is in flight, is left open."""
    tolerance = 2 * error + _inflow(last, current) + _growth(last, current, *current.spent)
    tolerance += sum(last.in_flight.values()) + sum(current.in_flight.values())
    return abs(current.remaining - last.remaining) <= tolerance


def _inflow(before: _Reading, after: _Reading) -> float:
    return (after.limit or 0) / 60 * (after.at - before.at)


def _growth(before: _Reading, after: _Reading, *models: str) -> float:
    """Return what some models have spent between two readings; 0 for one that either does not know."""
    both = [model for model in models if model in before.spent and model in after.spent]
    return sum([after.spent[model] - before.spent[model] for model in both])


def _merge(resource: Resource, one: ModelLimits, other: ModelLimits, now: float) -> None:
    """Let the models of both groups take from one bucket."""
    group = [one, *one.peers.get(resource, ()), other, *other.peers.get(resource, ())]
    other.gates.server[resource].merge(one.gates.server[resource], now)
    for limits in group:
        if limits is not other:
            limits.gates.share(resource, other.gates, now)
    _connect(resource, group)


def _part(resource: Resource, one: ModelLimits, remaining: float, now: float) -> None:
    """Give a model a bucket of its own."""
    group = one.peers.pop(resource, [])
    one.gates.part(resource, remaining, now)
    one.gates.server[resource].sharers = 1
    _connect(resource, group)


def _connect(resource: Resource, group: Sequence[ModelLimits]) -> None:
    for limits in group:
        limits.peers[resource] = [peer for peer in group if peer is not limits]
        limits.gates.server[resource].sharers = len(group)
