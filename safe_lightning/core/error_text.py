"""Which kind of failure an error text of Lightning speaks of.

One ordered table; the first pattern that is found decides. The order matters: a refused leftover
checkpoint is reported as a failed pre-check, and a "conflict threshold" wraps any SQL error.
Codes are those of pkg/lightning/common/errors.go; before 6.0 there were none, so the sentences count too.
"""

from __future__ import annotations

import re
from functools import cache

from safe_lightning.core.outcome import Outcome

_TABLE: tuple[tuple[Outcome, tuple[str, ...]], ...] = (
    (Outcome.CHECKSUM_MISMATCH, (r"checksum mismatched", r"ErrChecksumMismatch")),
    (
        Outcome.LEFTOVER_CHECKPOINT,
        (
            r"has failed last time|TiDB Lightning has failed las",
            r"illegal checkpoints",
            r"different from checkpoint value",
            r"but checkpoint was created (?:at|before)",
            r"ErrInvalidCheckpoint",
            r"Checkpoint for .* has invalid status",
        ),
    ),
    (
        Outcome.TRANSIENT,
        (
            r"ErrTableIsChecksuming|Target table is calculating checksum",
            r"Lightning:KV:(?:EpochNotMatch|NotLeader|ServerIsBusy|RegionNotFound|ReadIndexNotReady|ErrNoLeader"
            r"|ErrKVRaftProposalDropped)",
            r"PD returned no region",
            r"Region is unavailable",
            r"TTL manager has timed out",
            r"EOF; EOF",  # every retry: a TiKV was restarted (pingcap/tidb#36674)
        ),
    ),
    (
        Outcome.CHECKSUM_INCOMPLETE,
        (
            r"GC life time is shorter than transaction duration",
            r"compute remote checksum failed",
            r"fetch tso from pd failed",
        ),
    ),
    (
        Outcome.ENVIRONMENT_ERROR,
        (
            r"`?mydumper\.data-source-dir`? does not exist",
            r"ErrInvalidSortedKVDir|invalid tikv-importer\.sorted-kv-dir",
            r"failed to start HTTP server",
        ),
    ),
    (
        Outcome.CONFIG_ERROR,
        (
            r"Lightning:Config:",
            r"Lightning:Common:ErrInvalidArgument",
            r"Lightning:Checkpoint:ErrUnknownCheckpointDriver|Lightning:Restore:ErrUnknownBackend",
            r"unknown checkpoint driver|unknown backend",
            r"ErrOpenCheckpoint\].*(?:is a directory|must not be a directory|cannot contain colon)",
            r"checkpoint DSN '.*' must not be a directory",
            r"config file contained unknown configuration options",
            r"Failed to parse command flags",
            r"flag provided but not defined|invalid value .* for flag|flag needs an argument",
            r"\btoml: |parse filter failed|ErrTableRoute",
            r"cannot perform this function while checkpoints is disabled",
            r"must not be empty!|`mydumper\.data-source-dir` is not set",
        ),
    ),
    (
        Outcome.PRECHECK_FAILED,
        (
            r"Lightning:PreCheck:(?:ErrPreCheckFailed|ErrSystemRequirementNotMet|ErrCheckpointSchemaConflict)",
            r"tidb-lightning (?:pre-check|check) failed",
            r"not empty, please clean up the table first|are not empty",
            r"Please fix the failed check|Some checks failed, please check the log",
            r"maximum number of open file descriptors is too small",
            r"version too old|required to be in \[",
        ),
    ),
    (
        Outcome.DATA_ERROR,
        (
            r"Lightning:Restore:(?:ErrEncodeKV|ErrUnknownColumns|ErrInvalidSchemaStmt|ErrSchemaNotExists"
            r"|ErrFoundDuplicateKey|ErrFoundDataConflictRecords|ErrFoundIndexConflictRecords|ErrResolveDuplicateRows)",
            r"Lightning:Loader:(?:ErrInvalidSchemaFile|ErrTooManySourceFiles)",
            r"number of (?:conflict|type|syntax|charset) errors exceeds the threshold",
            # Server errors that speak of values, rows, columns or statements rather than of the server's state.
            r"\bError (?:1048|1054|1062|1064|1067|1071|1075|1101|1118|1136|1171|1235|1258|1264|1265|1273|1292|1364|1366"
            r"|1406|1411|1452|1526|1690|3140|3819|8004|8022|8025|8070|8108|8179)\b",
            r"\[types:\d+\]|\[table:1(?:048|364|366|526)\]|\[kv:1062\]|\[parser:\d+\]|\[ddl:\d+\]",
            r"syntax error|column count mismatch|unterminated quoted field|Duplicate entry",
            r"ErrCreateSchema\](?!.*(?:connection refused|[Aa]ccess denied|command denied|timeout))",
            r"unknown columns in header|schema not found|invalid schema statement",
        ),
    ),
    (
        Outcome.ENVIRONMENT_ERROR,
        (
            r"connection refused|connection reset|broken pipe|bad connection|invalid connection|i/o timeout",
            r"no such host|network is unreachable|no route to host|deadline exceeded|DeadlineExceeded",
            r"no space left on device|read-only file system|input/output error|too many open files",
            r"no such file or directory|permission denied|file exists|disk quota",
            r"Lightning:(?:Storage|DB|PD|KV|MetaMgr|Checkpoint|PreCheck|Restore):",
            r"\[(?:pd|PD:[^\]]*|tikv:\d+|domain:\d+|privilege:\d+)\]|Access denied|command denied",
            r"\bError (?:1040|1044|1045|1049|1105|1129|1130|1142|1143|1146|1205|1227)\b",
            r"\bError (?:2003|2006|2013|8028|8229|9\d{3})\b",
            r"cannot read schema|cannot fetch settings|remaining storage capacity|reach max retry",
            r"dial tcp|rpc error|EOF|ExpiredToken|NoCredentialProviders|AccessDenied|x509|tls:",
        ),
    ),
)


@cache
def _rules() -> tuple[tuple[Outcome, re.Pattern[str]], ...]:
    return tuple((outcome, re.compile("|".join(patterns), re.DOTALL)) for outcome, patterns in _TABLE)


#: An echo of somebody else's end: never a cause by itself.
_ECHO = re.compile(r"(?:rpc error: )?code = Cancell?ed(?: desc = \S+)?|context cancell?ed")


def classify_error(text: str) -> Outcome | None:
    """Say which outcome an error text stands for; None when it says nothing we know.

    >>> classify_error("[Lightning:PreCheck:ErrPreCheckFailed]tidb-lightning pre-check failed: "
    ...                "TiDB Lightning has failed last time. To prevent data loss")
    <Outcome.LEFTOVER_CHECKPOINT: 'leftover-checkpoint'>
    """
    return next((outcome for outcome, rule in _rules() if rule.search(text)), None)


def is_echo(text: str) -> bool:
    """Tell a cancellation echo (or nothing at all) from an error that may be a cause.

    >>> is_echo("context canceled"), is_echo("write failed: context canceled: no space left on device")
    (True, False)
    """
    rest, echoes = _ECHO.subn("", text)
    return not text.strip() or (bool(echoes) and classify_error(rest) is None)
