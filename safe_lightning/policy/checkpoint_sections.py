"""The sections of a policy that concern what an earlier run left, and what acts on it."""

from __future__ import annotations

from dataclasses import field

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.declaration import key

_ANSWERS = ("resume", "refuse", "remove", "destroy", "quarantine", "ignore")


@dataclass(frozen=True)
class CheckpointAnswers:
    """The answer to each verdict on a leftover checkpoint; docs/checkpoints.md explains verdicts and answers."""

    fresh: str = key("resume", "the store is there but holds no table", choices=_ANSWERS)
    resumable: str = key("resume", "an unfinished import that can go on", choices=_ANSWERS)
    unsafe: str = key(
        "refuse",
        "one that looks resumable, yet a resume would lose or double rows, or fail",
        choices=(*_ANSWERS, "rewind", "resume-replace"),
    )
    finished: str = key("refuse", "everything in it is done: Lightning would import nothing", choices=_ANSWERS)
    failed: str = key("refuse", "a table's failure is recorded: Lightning would refuse", choices=(*_ANSWERS, "rewind"))
    stale: str = key("refuse", "target table or source are not those of the checkpoint any more", choices=_ANSWERS)
    foreign: str = key(
        "refuse",
        "it belongs to another import: other source, target or backend",
        choices=("resume", "refuse", "remove"),
    )
    live: str = key("refuse", "another Lightning is at work on it", choices=("refuse", "ignore"))
    unreadable: str = key("refuse", "the store cannot be read", choices=("refuse", "ignore"))


@dataclass(frozen=True)
class CheckpointPolicy:
    """How the pre-import hook `checkpoint` looks at what an earlier run left, and how far it may go."""

    timeout: float = key(
        20.0, "time-out for connecting to a server and for each of its answers", kind="duration", least=0.1
    )
    size_most: int = key(2047 << 20, "a checkpoint file larger than this is not read", kind="size", least=1)
    require_fingerprint: bool = key(
        False, "nothing is resumed or treated that was not seen by safe-lightning at its first launch"
    )
    require_empty_before: bool = key(
        False, "nothing is treated but what was empty before (destroy and quarantine never touch other tables)"
    )
    max_tables: int = key(100, "entries treated in one run at most; more is refused; 0: no limit")
    max_rows_dropped: int = key(
        0, "a table that holds more rows, or whose rows cannot be counted, is not destroyed; 0: no limit"
    )
    on: CheckpointAnswers = field(default_factory=CheckpointAnswers)


@dataclass(frozen=True)
class ControlToolPolicy:
    """What acts on checkpoint and table, and how tidb-lightning-ctl is called."""

    clean_with: str = key(
        "ctl", "by the tool, which needs PD; or by safe-lightning itself, which does not", choices=("ctl", "direct")
    )
    path: str = key("", "tidb-lightning-ctl; empty: beside the binary, else on PATH", kind="executable")
    timeout: float = key(180.0, "time-out of one call", kind="duration", least=1.0)
    probe_timeout: float = key(
        3.0, "time-out of the look whether PD answers, which every call needs", kind="duration", least=0.1
    )

    @property
    def is_direct(self) -> bool:
        """Whether acts are done by ourselves."""
        return self.clean_with == "direct"
