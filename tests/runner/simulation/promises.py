"""The promises, checked after each run of a history against what the test itself knows about it."""

from __future__ import annotations

from collections import Counter

from headrace._exceptions import RunRefused
from headrace.output.paths import output_paths
from headrace.policy.stop import ExitCode
from tests.runner.program import ERRORS, OUTPUT

from .files import Record, strict_records, whole_records
from .history import Ending, History
from .jobs import GONE, MAX_TOKENS


class Broken(AssertionError):
    """A promise was not kept."""


def check(history: History, ending: Ending) -> None:
    """Check all that must hold after any run, however it ended."""
    results = whole_records(history.disk, OUTPUT)
    _hold(not _twice(results), "P3: one record for each job", _twice(results))
    for record in results:
        _belongs(history, record)
    _paid_once(history, ending)
    _kept(history, ending)
    if ending.summary is not None:
        _accounts(history, ending)
    _refused(ending)


def check_last(history: History, ending: Ending) -> None:
    """Check that the last run completed the output."""
    _hold(ending.summary is not None and not ending.summary.reason, "P1: the last run ends well", ending)
    wanted = history.jobs.ids()
    results = {record.id: record for record in strict_records(history.disk, OUTPUT)}
    failures = {record.id: record for record in strict_records(history.disk, ERRORS)}
    for job_id, line in wanted.items():
        where, other = (failures, results) if line.model == GONE else (results, failures)
        _hold(job_id in where and job_id not in other, "P1: no job is missing", job_id)
        _hold(where[job_id].digest == line.digest, "P7: the record is of the newest line", job_id)
    ordered = [record.id for record in strict_records(history.disk, output_paths(OUTPUT).ordered)]
    _hold(ordered == [job_id for job_id in wanted if job_id in results], "P5: in order", ordered)


def _refused(ending: Ending) -> None:
    """P7: a run is refused if and only if it must be, and a refused run sends nothing."""
    if ending.refused is not None:
        refused = isinstance(ending.refused, RunRefused) or ending.fault_met
        _hold(refused and ending.requests == 0, "P7: a refusal sends nothing", ending.refused)
    if isinstance(ending.refused, RunRefused):
        _hold(ending.must_refuse, "P7: a needless refusal", ending.refused)
    elif ending.must_refuse:
        ended = ending.summary is not None or ending.requests > 0
        _hold(not ended, "P7: a missing refusal", ending)


def _belongs(history: History, record: Record) -> None:
    expected = history.jobs.answers.get(record.digest)
    _hold(expected is not None, "the record belongs to a line of the input", record)
    _hold(record.text.split()[:1] == [expected], "P17: the answer belongs to its job", record)
    _hold(record.attempts >= 1 + record.maybe_billed, "P3: attempts and maybe billed", record)
    low, high = record.maybe_billed_tokens
    output = MAX_TOKENS * record.maybe_billed
    fits = high == output if not output else high is not None and output < high < 20 * output
    _hold(low == 0 and fits, "P3: the tokens maybe billed", record)


def _paid_once(history: History, ending: Ending) -> None:
    """P1, P3, P9: paid answers are recorded, except what was in flight when the run was cut off."""
    name = OUTPUT.name
    recorded = ending.died[name] - ending.before[name]
    rescued = ending.died["rest.jsonl"] - ending.before["rest.jsonl"]
    wasted = ending.paid - len(recorded) - len(rescued)
    allowed = ending.corrupted + (ending.command.options["concurrency"] if _cut_off(ending) else 0)
    _hold(0 <= wasted <= allowed, "paid answers that are not recorded", (wasted, allowed))
    if ending.summary and not (ending.command.fate == "failing disk" and ending.fault_met):
        strict_records(history.disk, OUTPUT)


def _cut_off(ending: Ending) -> bool:
    command = ending.command
    if ending.killed or command.fate == "terminate twice":
        return True
    if command.fate in ("full disk", "failing disk"):
        notices = ending.summary.notices if ending.summary else ()
        return any("are lost" in notice for notice in notices)  # the rescue file is on the same disk
    return command.fate in ("interrupt", "broken view") and command.options["grace"] < 1


def _kept(history: History, ending: Ending) -> None:
    """P2, P4, P7: records stay, or are moved aside whole."""
    files = history.disk.platters.files.items()
    aside = b"".join(file.cached for path, file in files if path.name.startswith(OUTPUT.name))
    power = ending.killed and ending.command.power
    if not power:
        lost = [line for line in ending.before[OUTPUT.name] if line not in aside]
        _hold(not lost, "P1: what was recorded stays", lost)
    survived = {record.line for record in whole_records(history.disk, OUTPUT)}
    if not power or ending.command.options["durability"] == "fsync":
        new = survived - ending.before[OUTPUT.name]
        _hold(len(new) >= ending.counted, "P2: what was counted is recorded", (ending.counted, len(new)))


def _accounts(history: History, ending: Ending) -> None:
    """P13: the counts add up and agree with the files; the exit code follows from them."""
    summary = ending.summary
    if summary is None:
        return
    total = summary.results + summary.failed + summary.not_started
    _hold(summary.input == total == len(history.jobs.lines), "P13: the counts add up", summary)
    _hold(min(summary.results, summary.failed, summary.not_started) >= 0, "P13: no count below 0", summary)
    wanted = history.jobs.ids()
    present = {record.id for record in whole_records(history.disk, OUTPUT)} & wanted.keys()
    fits = len(present) == summary.results
    # Records whose sync failed are in the file but do not count.
    uncertain = ending.fault_met and summary.exit_code == ExitCode.STORAGE
    _hold(fits or (uncertain and summary.results < len(present)), "P13: results", (len(present), summary))
    _hold(summary.exit_code in _codes(ending), "the exit code", (summary.exit_code, ending))


def _codes(ending: Ending) -> set[int]:
    summary, command = ending.summary, ending.command
    if summary is None:
        return set()
    if summary.reason is None:
        if command.fate in ("full disk", "failing disk") and ending.fault_met:
            return {0, 1}  # the fault hit what may fail: saving pacing levels, or a write that was retried
        return {0} if summary.results == summary.input else {1}
    return {
        "interrupt": {130, 75},
        "terminate twice": {143, 75},
        "full disk": {74, 75},
        "failing disk": {74, 75},
        "broken view": {74, 75},
    }.get(command.fate, {75})


def _twice(results: list[Record]) -> list[str | None]:
    return [job_id for job_id, count in Counter(record.id for record in results).items() if count > 1]


def _hold(kept: bool, promise: str, found: object) -> None:
    if not kept:
        raise Broken(f"{promise}: {found}")
