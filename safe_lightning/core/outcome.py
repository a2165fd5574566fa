"""The closed set of outcomes: what can be said about the end of an import."""

from __future__ import annotations

from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass


class Outcome(StrEnum):
    """How a run ended, judged from all evidence and never from the exit code alone."""

    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_CONFLICTS = "succeeded-with-conflicts"
    NOTHING_IMPORTED = "nothing-imported"
    CANCELED = "canceled"
    CHECKSUM_MISMATCH = "checksum-mismatch"
    CHECKSUM_INCOMPLETE = "checksum-incomplete"
    LEFTOVER_CHECKPOINT = "leftover-checkpoint"
    PRECHECK_FAILED = "precheck-failed"
    DATA_ERROR = "data-error"
    CONFIG_ERROR = "config-error"
    ENVIRONMENT_ERROR = "environment-error"
    TRANSIENT = "transient"
    HUNG = "hung"
    KILLED = "killed"
    CRASHED = "crashed"
    DAMAGED = "damaged"
    BLOCKED = "blocked"
    VERSION_INFO = "version-info"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Explanation:
    """What an outcome means and what to do next, one line each."""

    meaning: str
    next_step: str


EXPLANATIONS: dict[Outcome, Explanation] = {
    Outcome.SUCCEEDED: Explanation(
        "The import completed and the evidence of the run supports it.",
        "Nothing to do.",
    ),
    Outcome.SUCCEEDED_WITH_CONFLICTS: Explanation(
        "The import completed; conflicting rows were resolved or recorded as the task asked, and those tables were "
        "not verified.",
        "Look at the conflict records (lightning_task_info) and decide whether the kept rows are the right ones.",
    ),
    Outcome.NOTHING_IMPORTED: Explanation(
        "The child ended well by its own account, yet not one row was imported.",
        "Check data-source-dir and filter, and look for a leftover checkpoint that says the work is done already.",
    ),
    Outcome.CANCELED: Explanation(
        "The import was stopped before it was complete, although the child may exit with 0.",
        "Run the same command again to resume, after `safe-lightning checkpoint` has said that resuming is safe.",
    ),
    Outcome.CHECKSUM_MISMATCH: Explanation(
        "The data in the cluster is not what was read from the source; the table must not be used as it is.",
        "See the cause above; mend the source or the checkpoint, then empty the table and import it again.",
    ),
    Outcome.CHECKSUM_INCOMPLETE: Explanation(
        "The data was imported, but the checksum could not be computed, so nothing is proven either way.",
        "Run the same command again: it only repeats the checksum. Do not destroy the table.",
    ),
    Outcome.LEFTOVER_CHECKPOINT: Explanation(
        "Lightning refused to start because of a checkpoint that an earlier run left behind.",
        "Read `safe-lightning checkpoint -- <flags>` and the log of the earlier run before removing anything.",
    ),
    Outcome.PRECHECK_FAILED: Explanation(
        "Lightning's own checks refused the import before any row was written.",
        "Fix the failed check named above and run again.",
    ),
    Outcome.DATA_ERROR: Explanation(
        "The source data or its schema could not be imported.",
        "Fix the file or row named above; then treat the failed table's checkpoint before running again.",
    ),
    Outcome.CONFIG_ERROR: Explanation(
        "The flags or the config file were rejected; nothing was started.",
        "Correct the setting named above.",
    ),
    Outcome.ENVIRONMENT_ERROR: Explanation(
        "Something outside the data failed: a server, a file, a port, a permission or a disk.",
        "Mend what is named above, then run again.",
    ),
    Outcome.TRANSIENT: Explanation(
        "The cluster was momentarily unable to serve the import.",
        "Wait, then run the same command again.",
    ),
    Outcome.HUNG: Explanation(
        "The import made no progress for longer than the policy allows and was stopped.",
        "Look at the cluster and the disks, then run the same command again to resume.",
    ),
    Outcome.KILLED: Explanation(
        "The process was ended from outside, so it could not clean up after itself.",
        "Find out who or what killed it (the OOM killer, an operator), then run again to resume.",
    ),
    Outcome.CRASHED: Explanation(
        "The process died of an error of its own.",
        "Keep the panic text for a bug report; the checkpoint decides whether a resume is safe.",
    ),
    Outcome.DAMAGED: Explanation(
        "The child ended well by its own account, yet the evidence proves that rows or index entries were lost or "
        "doubled.",
        "Do not use the tables named above; empty them, mend the cause and import them again.",
    ),
    Outcome.BLOCKED: Explanation(
        "A pre-import hook or a lock stopped the run before the import was started.",
        "Read the verdict above; nothing was changed.",
    ),
    Outcome.VERSION_INFO: Explanation(
        "The child only printed its version or its help.",
        "Nothing to do.",
    ),
    Outcome.UNKNOWN: Explanation(
        "The evidence does not tell how the import ended.",
        "Do not take it for a success: compare the rows in the target with the source.",
    ),
}
