"""Bugs of the runner: storage, resume, identity, and the actors that write and read."""

from __future__ import annotations

from typing import Final

from .planting import Bug, bugs_in

BUGS: Final[tuple[Bug, ...]] = (
    *bugs_in(
        "headrace.output.storage",
        "test_storage test_durability",
        ("no directory sync", "DiskStorage.sync", "_sync_directory(path.parent)", "None"),
        ("no sync of the file", "DiskStorage.sync", "os.fsync(self._writer(path))", "None"),
        ("a failed sync is forgotten", "LineFile.sync", "self._damaged = True", "pass"),
        ("a short write is not cut back", "LineFile.append", "self._cut_back()", "None"),
        (
            "everything is appended again after a short write",
            "append_all",
            "view[taken:]",
            "view[taken:] if taken == len(view) else memoryview(data)",
        ),
        ("a short write passes for a whole one", "append_all", "view[taken:]", "view[len(view) :]"),
        ("the lock is ignored", "DiskStorage.lock", "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)", "None"),
        ("links are followed", "_NEVER_FOLLOW", "os.O_NOFOLLOW", "0"),
        ("the size is not kept", "LineFile.append", "self.size += len(lines)", "pass"),
        ("what an earlier run has left is never synced", "LineFile", "self.size > 0", "False"),
    ),
    *bugs_in(
        "headrace.output.repair",
        "test_resume test_resume_crashes",
        ("the torn end stays", "repair_end", "storage.truncate(path, recovery.size)", "None"),
        (
            "no backup of the torn bytes",
            "repair_end",
            "backup(storage, path, [recovery.torn], f'torn-{recovery.torn.start}')",
            "path",
        ),
        ("the last line gets no line feed", "repair_end", r"append_all(storage, path, b'\n')", "None"),
        ("the backup is not synced", "_copy", "storage.sync(to)", "None"),
    ),
    *bugs_in(
        "headrace.output.resume",
        "test_resume test_resume_crashes test_journal_machine",
        (
            "an old record stays when its job is done again",
            "_repair_results",
            "heapq.merge(removed, counts.changed, key=_start)",
            "removed",
        ),
        ("a changed recipe is not refused", "open_output", "on_change == 'refuse'", "False"),
        (
            "foreign output is not refused",
            "open_output",
            "refuse_foreign_output(counts, paths.results)",
            "None",
        ),
        ("the sidecar is not synced", "_write_sidecar", "storage.sync(path)", "None"),
        (
            "attempts are forgotten with their error record",
            "_updated",
            "unfinished.attempts",
            "{}",
        ),
    ),
    *bugs_in(
        "headrace.output.earlier_runs",
        "run/test_systemic_failures",
        ("an earlier streak is forgotten after a kill", "Unfinished.of", "streaks if is_same else {}", "{}"),
        ("another key changes nothing", "Unfinished.of", "sidecar.endpoint == endpoint", "True"),
        (
            "a streak of any length counts as one that ended a run",
            "read_streaks",
            "record.streak[1] >= STREAK",
            "record.streak[1] >= 0",
        ),
        (
            "the jobs of an interrupted streak have failed for good",
            "read_streaks",
            "len(last) >= _SUSPICIOUS",
            "False",
        ),
        (
            "a run that has come to its end counts as interrupted",
            "read_streaks",
            "failed < jobs_without_result",
            "True",
        ),
    ),
    *bugs_in(
        "headrace.policy.refusals",
        "test_refused_again test_bounded_waits",
        ("a refused job is always the first", "Refusals.place", "2 ** min(self.count - 1, 10) - 1", "0"),
        ("a job is refused for good", "Refusals.is_final", "self.count >= MAX_REFUSALS", "False"),
        (
            "refusals of one job slow the others",
            "Refusals.is_about_the_job",
            "self.others_succeeded",
            "False",
        ),
    ),
    *bugs_in(
        "headrace.policy.standstill",
        "test_standstill test_bounded_waits",
        (
            "a wait beyond the limit is waited for",
            "Standstill._is_hopeless",
            "self._lasted(now) + wait <= self.max_wait",
            "self._lasted(now) <= self.max_wait",
        ),
        (
            "refusals count from the last one",
            "Standstill._is_refused_for_too_long",
            "self._refused_at - since >= self.max_wait",
            "self._refused_at - since > 2 * self.max_wait + 60",
        ),
        ("a result does not end a standstill", "Standstill.progressed", "self._idled = 0.0", "pass"),
    ),
    *bugs_in(
        "headrace.policy.budget",
        "test_budget test_unknown_usage test_budget_of_the_unknown",
        ("what is in flight costs nothing", "Budget.admitted", "self.max_cost(request)", "0.0"),
        (
            "what may be billed costs nothing",
            "Budget.failed",
            "self.max_cost(request) if maybe_billed else 0.0",
            "0.0",
        ),
        (
            "unknown output costs nothing",
            "Budget.succeeded",
            "price.settled_cost(request, usage)",
            "price.of(usage)",
        ),
    ),
    *bugs_in(
        "headrace.policy.systemic",
        "policy/test_systemic_failures",
        (
            "a result does not interrupt a streak",
            "_Streak.add",
            "(signature, results) != (self.signature, self.results)",
            "signature != self.signature",
        ),
        (
            "content interrupts a streak",
            "SystemicRules.failed",
            "self.on_systemic == 'continue' or is_about_content(failure)",
            "self.on_systemic == 'continue'",
        ),
        ("another line is the same job", "SystemicRules._is_the_jobs_own", "job.digest", "before.digest"),
    ),
    *bugs_in(
        "headrace.output.known_jobs",
        "test_resume test_journal_machine",
        (
            "a line that changed passes for done",
            "match_record",
            "'same' if record.digest is None else 'line changed'",
            "'same'",
        ),
        (
            "a failure that is not tried again is forgotten",
            "ScannedJobs.take_failure",
            "self._mark(entry, State.FAILED)",
            "None",
        ),
        ("done jobs are not marked", "ScannedJobs.take", "self._mark(entry, State.DONE)", "None"),
        (
            "the recipe is not compared",
            "match_record",
            "'same' if recipe in (record.recipe, None) else 'recipe changed'",
            "'same'",
        ),
    ),
    *bugs_in(
        "headrace.output.recovery",
        "test_recovery",
        ("a gap of zeros passes for a blank line", "find_records", "gaps.append(span)", "None"),
        ("damage in the middle is passed over", "find_records", "raise Damaged(span.start)", "pass"),
    ),
    *bugs_in(
        "headrace.output.paths",
        "test_failing_well",
        ("an input is taken for an output", "refuse_overlap", "path.resolve() in files", "path in taken"),
    ),
    *bugs_in(
        "headrace.output.verification",
        "test_verify",
        (
            "verify takes two records for one",
            "Verification.take",
            "f'{_shown(record)} has more than one record'",
            "None",
        ),
    ),
    *bugs_in(
        "headrace.input.identity",
        "test_identity",
        ("equal lines share one id", "Ordinals.next", "self._counts[key] = earlier + 1", "pass"),
    ),
    *bugs_in(
        "headrace.actors.writer",
        "test_simulation",
        ("the last batch is lost", "writer", "[first, *queued(results)]", "[first, *queued(results)][:1]"),
        (
            "a job counts as done although its write failed",
            "writer",
            "inbox.send_nowait(Unsaved(part))",
            "(inbox.send_nowait(Unsaved(part)), events.send_nowait(part))",
        ),
        (
            "a failed write does not end the run",
            "writer",
            "inbox.send_nowait(Stop(StopReason(ExitCode.STORAGE, str(error))))",
            "None",
        ),
        ("what could not be written is dropped", "writer", "unsaved.extend(part)", "None"),
        (
            "records are joined without their line feeds",
            "writer",
            "[finished.record for finished in part]",
            "[finished.record.rstrip() for finished in part]",
        ),
    ),
    *bugs_in(
        "headrace.actors.flusher",
        "test_durability test_simulation",
        ("a group counts as done before its sync", "flusher", "await sync()", "None"),
    ),
    *bugs_in(
        "headrace.actors._admission",
        "test_simulation",
        ("more is in flight than the concurrency allows", "Admission._choose", "self.outstanding", "0"),
    ),
    *bugs_in(
        "headrace.actors.monitor",
        "test_simulation test_failing_well",
        ("a broken view takes the run down with it", "_shown", "OSError", "NotADirectoryError"),
    ),
    *bugs_in(
        "headrace.actors.reader",
        "test_failing_well",
        ("an input that fails takes the run down with it", "reader", "StorageFailed", "NotADirectoryError"),
    ),
    *bugs_in(
        "headrace.dialects._lines",
        "test_repeated_keys",
        ("a repeated key is not seen", "require_unique", "line.count(b':')", "_ENCODE(fields).count(b':')"),
        ("an escaped colon hides a key", "require_unique", r"b'\\u003' not in line", "True"),
    ),
    *bugs_in(
        "headrace.library._submissions",
        "test_bad_items",
        ("a bad item takes the others down", "Submission.of", "EncodingError", "ZeroDivisionError"),
    ),
    *bugs_in(
        "headrace.cli._command",
        "test_text_at_the_edges test_repeated_keys",
        ("undecodable arguments are taken", "_checked", "text_problem(text)", "None"),
        ("of an option given twice the last one wins", "_Command._refuse_repeated", "times > 1", "times > 2"),
    ),
)
