"""Systemic failures: when many jobs in a row fail alike, the next million would fail, too. Pure.

1. Failures are alike if kind, status, code and text are the same, once everything in the text that may belong
   to one job is masked: numbers, ids, quotations. 20 alike with no result in between end the run.
2. A failure about the content of its own job does not count, and does not interrupt a streak.
3. 20 in a row within one model, while other models have results, end only that model's jobs. So do 20 that
   say that the model is unknown.
4. A failure's record carries its signature and its place in the streak. From the 20th on, records prove that
   the streak ended something, so a later run sends all jobs with that signature again, even after a kill.
5. Jobs that then fail with the same signature again, while nothing else has changed, are at fault themselves:
   their failure is final and counts towards no streak.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import attrs
import msgspec

from headrace.job import Failure, PreparedJob
from headrace.policy.error_subjects import is_about_content, is_about_model, own_text
from headrace.policy.options import OnSystemic
from headrace.policy.stop import ExitCode, StopReason

STREAK: Final = 20
"""Jobs in a row that must have failed alike.

Enough to rule out a few bad lines next to each other, few enough to cost next to nothing.
"""

_MASKS: Final = (
    (re.compile(r"(?<!\w)(?:\"[^\"]*(?:\"|$)|'[^']*(?:'|$)|`[^`]*(?:`|$)|“[^”]*(?:”|$)|«[^»]*(?:»|$))"), "*"),
    (re.compile(r"\w+://\S+"), "*"),
    (re.compile(r"\S*\d\S*|\S{30,}"), "#"),
)
_MASKED: Final = 200
"""Characters of a masked text that are compared."""


def signature(failure: Failure, model: str) -> str:
    """Return what failures have in common that are alike: 8 hex digits."""
    text = own_text(failure).lower()
    if model:
        text = text.replace(model.lower(), "*")
    # A text that is itself JSON or HTML has its meaning inside quotation marks.
    masks = _MASKS[1:] if text[:1] in "{[<" else _MASKS
    for pattern, mask in masks:
        text = pattern.sub(mask, text)
    alike = (failure.kind, failure.status, failure.code, " ".join(text.split())[:_MASKED])
    return blake2b(repr(alike).encode(), digest_size=4).hexdigest()


class EarlierFailure(msgspec.Struct, frozen=True, gc=False):
    """How a job failed in a streak that ended an earlier run."""

    signature: str
    digest: str
    """Of its line."""
    recipe: str
    """The digest of the recipe."""


class ResultCount(msgspec.Struct, frozen=True, gc=False):
    """The results of a run at the moment at which an attempt failed."""

    all: int = 0
    model: int = 0
    """Those of the failed job's model."""


@attrs.frozen
class Finding:
    """What the failure of one job shows."""

    streak: tuple[str, int] | None = None
    """For its record: the signature, and how many jobs in a row had failed so; 0: the job is at fault."""
    reason: StopReason | None = None
    """Why no more jobs are sent."""
    model: str | None = None
    """Only jobs of this model are not sent; None: no jobs at all."""


@attrs.define
class _Streak:
    """Failures alike in a row."""

    signature: str = ""
    results: int = -1
    """The results that had come by then: none has come in between."""
    others: int = -1
    """Those of all models, when it began."""
    length: int = 0
    models: set[str] = attrs.field(factory=set[str])

    def add(self, signature: str, results: int, others: int, model: str) -> None:
        if (signature, results) != (self.signature, self.results):
            self.signature, self.results, self.others, self.length = signature, results, others, 0
            self.models = set()
        self.length += 1
        if self.length <= STREAK:
            self.models.add(model)


@attrs.define(kw_only=True)
class SystemicRules:
    """Watches how jobs fail for good."""

    on_systemic: OnSystemic = "auto"
    earlier: Mapping[str, EarlierFailure] = attrs.field(factory=dict[str, EarlierFailure])
    """By id, jobs that failed in a streak that ended an earlier run; nothing else has changed since."""
    _run: _Streak = attrs.field(factory=_Streak)
    _models: dict[str, _Streak] = attrs.field(factory=dict[str, _Streak])

    def failed(self, failure: Failure, job: PreparedJob, results: ResultCount) -> Finding:
        """Note that a job has failed for good; return what that shows."""
        if self.on_systemic == "continue" or is_about_content(failure):
            return Finding()
        model = job.request.model
        mark = signature(failure, model)
        if self.on_systemic == "auto" and self._is_the_jobs_own(job, mark):
            return Finding(streak=(mark, 0))
        of_run, of_model = self._run, self._models.setdefault(model, _Streak())
        of_run.add(mark, results.all, results.all, model)
        of_model.add(mark, results.model, results.all, model)
        finding = Finding(streak=(mark, max(of_run.length, of_model.length)))
        is_run = of_run.length >= STREAK and (not is_about_model(failure) or len(of_run.models) >= STREAK)
        if is_run:
            return attrs.evolve(finding, reason=_reason(failure))
        if of_model.length >= STREAK:
            return attrs.evolve(finding, reason=_reason(failure, model), model=model)
        return finding

    def _is_the_jobs_own(self, job: PreparedJob, mark: str) -> bool:
        before = self.earlier.get(job.id)
        return before is not None and (before.signature, before.digest) == (mark, job.digest)


def _reason(failure: Failure, model: str | None = None) -> StopReason:
    is_credentials = failure.kind == "credentials" and model is None
    what = f"{STREAK} jobs in a row" if model is None else f"{STREAK} jobs in a row of model {model}"
    rest = "" if model is None else " The model's other jobs were not started."
    return StopReason(
        ExitCode.CREDENTIALS if is_credentials else ExitCode.STOPPED,
        f"{failure.message.removesuffix('.')}: {what} failed like this.{rest}"
        " Fix the cause, then run the same command again: it sends these jobs, too."
        " If the jobs themselves are at fault, go past them with --on-systemic continue (on_systemic).",
    )
