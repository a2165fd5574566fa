"""Exit codes of safe-lightning, and which one a run ends with."""

from __future__ import annotations

from enum import IntEnum

from safe_lightning.core.outcome import Outcome


class ExitCode(IntEnum):
    """Codes of our own; a child's own non-zero code (Lightning uses 1 and 2) passes through."""

    OK = 0, "proven success, or version and help output"
    USAGE = 64, "a verb of ours was called wrongly"
    CONFLICTS_IN_SOURCE = 65, "rows of the source collide in a primary or unique key"
    NO_INPUT = 66, "nothing to read: the file or folder named does not exist or is empty"
    COULD_NOT_LOOK = 69, "a check could not be made, so nothing is claimed"
    INTERNAL = 70, "an error in safe-lightning itself"
    TRY_LATER = 75, "the lock is busy, or a hook asked to stop quietly and try later"
    POLICY = 78, "the policy file is wrong"
    LEFTOVER_CHECKPOINT = 80, "a leftover checkpoint stands in the way"
    CANCELED = 81, "the import was canceled, though the child exited with 0"
    NOTHING_IMPORTED = 82, "the child exited with 0, yet nothing was imported"
    HUNG = 83, "stopped by the stall watchdog"
    UNKNOWN = 84, "the child exited with 0 without proof of success"
    CHECKSUM_MISMATCH = 85, "checksum mismatch, though the child exited with 0"
    DAMAGED = 86, "rows or index entries were lost or doubled, though the child exited with 0"
    CHECKSUM_INCOMPLETE = 87, "the checksum was not completed, though the child exited with 0"
    BLOCKED = 88, "a pre-import hook blocked the run"
    DATA_ERROR = 89, 'data error (only with exit_codes = "outcome")'
    CONFIG_ERROR = 90, 'config error (only with exit_codes = "outcome")'
    ENVIRONMENT_ERROR = 91, "environment error that the child hid behind exit code 0"
    PRECHECK_FAILED = 92, 'Lightning\'s own checks failed (only with exit_codes = "outcome")'
    TRANSIENT = 93, 'transient cluster error (only with exit_codes = "outcome")'
    KILLED = 94, 'killed from outside (only with exit_codes = "outcome")'
    CRASHED = 95, 'the child crashed (only with exit_codes = "outcome")'
    WITH_CONFLICTS = 96, 'succeeded with conflicts (only with exit_codes = "outcome")'
    NOT_EXECUTABLE = 126, "the tidb-lightning found cannot be executed"
    NOT_FOUND = 127, "no tidb-lightning was found"

    meaning: str

    def __new__(cls, code: int, meaning: str) -> ExitCode:
        """Keep the documented meaning beside the number."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


OUTCOME_CODES: dict[Outcome, ExitCode] = {
    Outcome.SUCCEEDED: ExitCode.OK,
    Outcome.SUCCEEDED_WITH_CONFLICTS: ExitCode.WITH_CONFLICTS,
    Outcome.NOTHING_IMPORTED: ExitCode.NOTHING_IMPORTED,
    Outcome.CANCELED: ExitCode.CANCELED,
    Outcome.CHECKSUM_MISMATCH: ExitCode.CHECKSUM_MISMATCH,
    Outcome.CHECKSUM_INCOMPLETE: ExitCode.CHECKSUM_INCOMPLETE,
    Outcome.LEFTOVER_CHECKPOINT: ExitCode.LEFTOVER_CHECKPOINT,
    Outcome.PRECHECK_FAILED: ExitCode.PRECHECK_FAILED,
    Outcome.DATA_ERROR: ExitCode.DATA_ERROR,
    Outcome.CONFIG_ERROR: ExitCode.CONFIG_ERROR,
    Outcome.ENVIRONMENT_ERROR: ExitCode.ENVIRONMENT_ERROR,
    Outcome.TRANSIENT: ExitCode.TRANSIENT,
    Outcome.HUNG: ExitCode.HUNG,
    Outcome.KILLED: ExitCode.KILLED,
    Outcome.CRASHED: ExitCode.CRASHED,
    Outcome.DAMAGED: ExitCode.DAMAGED,
    Outcome.BLOCKED: ExitCode.BLOCKED,
    Outcome.VERSION_INFO: ExitCode.OK,
    Outcome.UNKNOWN: ExitCode.UNKNOWN,
}

_ZERO_BY_DEFAULT = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_CONFLICTS, Outcome.VERSION_INFO}


def exit_code(
    outcome: Outcome,
    child_exit_code: int | None,
    child_signal: int | None,
    *,
    by_outcome: bool = False,
    allow_nothing: bool = False,
) -> int:
    """Choose the exit code of a run that started its child.

    0 only for proven success (and for conflicts that were resolved as the task asked);
    a non-zero code of the child passes through, a fatal signal becomes 128 + N, and a 0
    of the child that is not backed by proof is replaced by a code of ours.

    >>> exit_code(Outcome.CANCELED, 0, None)
    81
    >>> exit_code(Outcome.DATA_ERROR, 1, None)
    1
    """
    if outcome is Outcome.NOTHING_IMPORTED and allow_nothing and not child_exit_code and not child_signal:
        return 0
    if by_outcome:
        return int(OUTCOME_CODES[outcome])
    if outcome in _ZERO_BY_DEFAULT and not child_exit_code:
        return 0
    if outcome is Outcome.HUNG:
        return int(ExitCode.HUNG)
    if child_exit_code:
        return child_exit_code
    return 128 + child_signal if child_signal else int(OUTCOME_CODES[outcome])
