"""The policy as typed settings: every key, its default, its allowed values and one line why.

With the sections that it is made of, this is the single source for loading, checking, showing, generating and the JSON
Schema. Durations are kept in seconds and sizes in bytes; the file writes them as "90s", "5m", "2h", "1GiB".
"""

from __future__ import annotations

from dataclasses import field

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.checkpoint_sections import CheckpointAnswers, CheckpointPolicy, ControlToolPolicy
from safe_lightning.policy.declaration import key
from safe_lightning.policy.proof_sections import ScanPolicy, VerifyPolicy
from safe_lightning.policy.rules import DEFAULT_HOOKS, HookRule, OverrideRule, RemedyRule
from safe_lightning.policy.run_sections import (
    ChildPolicy,
    LockPolicy,
    LogPolicy,
    RecordPolicy,
    SupervisePolicy,
    WatchPolicy,
)

__all__ = [
    "DEFAULT_HOOKS",
    "DROP_PHRASE",
    "CheckpointAnswers",
    "CheckpointPolicy",
    "ChildPolicy",
    "ControlToolPolicy",
    "HookRule",
    "LockPolicy",
    "LogPolicy",
    "OverrideRule",
    "Policy",
    "RecordPolicy",
    "RemedyRule",
    "ScanPolicy",
    "SupervisePolicy",
    "VerifyPolicy",
    "WatchPolicy",
]

#: The words a policy must repeat before anything may drop a table.
DROP_PHRASE = "drop tables that this import filled"


@dataclass(frozen=True)
class Policy:
    """Everything a policy file can say."""

    schema: int = key(1, "version of this file's format", least=1, most=1)
    binary: str = key(
        "", "the real tidb-lightning; empty: the first on PATH that is not safe-lightning", kind="executable"
    )
    state_dir: str = key("", "where runs, ledger and locks live; empty: see docs/record.md", kind="path")
    exit_codes: str = key("child", "the child's own code, or one code per outcome", choices=("child", "outcome"))
    dry_run: bool = key(False, "print plans, run the import, but change nothing in checkpoint or target by ourselves")
    allow_nothing: bool = key(False, "an import of nothing is a success")
    allow: tuple[str, ...] = key(
        (), f'dangers accepted in words; "{DROP_PHRASE}" is needed for any destroy', kind="phrases"
    )
    log: LogPolicy = field(default_factory=LogPolicy)
    child: ChildPolicy = field(default_factory=ChildPolicy)
    supervise: SupervisePolicy = field(default_factory=SupervisePolicy)
    watch: WatchPolicy = field(default_factory=WatchPolicy)
    lock: LockPolicy = field(default_factory=LockPolicy)
    record: RecordPolicy = field(default_factory=RecordPolicy)
    checkpoint: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    control_tool: ControlToolPolicy = field(default_factory=ControlToolPolicy)
    scan: ScanPolicy = field(default_factory=ScanPolicy)
    verify: VerifyPolicy = field(default_factory=VerifyPolicy)
    remedy: tuple[RemedyRule, ...] = key((), "answers to a checksum that failed", kind="rules", rule=RemedyRule)
    override: tuple[OverrideRule, ...] = key((), "other answers for some tables", kind="rules", rule=OverrideRule)
    hooks: tuple[HookRule, ...] = key(DEFAULT_HOOKS, "what runs before and after it", kind="rules", rule=HookRule)
    #: Dotted names of the keys that somebody set: no key itself, but what "per policy" and "per default" rest on.
    given: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def may_drop(self) -> bool:
        """Whether the policy accepts in words that tables are dropped."""
        return DROP_PHRASE in self.allow
