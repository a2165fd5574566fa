"""The lists of a policy: remedies, overrides for some tables, and hooks; each entry is one rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from safe_lightning.core.causes.names import CHOICES
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.declaration import key


@dataclass(frozen=True)
class RemedyRule:
    """One entry of [[remedy]]: the first whose cause and tables match is applied."""

    cause: str = key(
        "any",
        "which cause of a failed checksum this is for",
        choices=CHOICES,
    )
    least_confidence: float = key(0.5, "below this confidence the cause is only reported", kind="confidence")
    tables: tuple[str, ...] = key(("*.*",), "for which tables: Lightning's own filter patterns", kind="patterns")
    action: str = key("report", "what to do", choices=("report", "ignore", "remove", "destroy", "quarantine", "rewind"))
    then: str = key("stop", "afterwards", choices=("stop", "retry"))
    max_attempts: int = key(1, "retries of the whole import at most", least=0, most=10)


@dataclass(frozen=True)
class OverrideRule:
    """One entry of [[override]]: other answers for some tables; the last that matches wins."""

    tables: tuple[str, ...] = key(("*.*",), "for which tables: Lightning's own filter patterns", kind="patterns")
    checkpoint: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"why": "answers as in [checkpoint.on], for these tables only", "kind": "answers"},
    )


@dataclass(frozen=True)
class HookRule:
    """One entry of [[hooks]]; exactly one of `use` and `run` is set."""

    use: str = key("", "a built-in hook, or the entry point of an installed package")
    run: tuple[str, ...] = key((), "an executable and its arguments; no shell", kind="command")
    stage: str = key("pre-import", "when it runs", choices=("pre-import", "post-import"))
    name: str = key("", "shown in logs; default: what is used or run")
    when: tuple[str, ...] = key((), "post-import: only for these outcomes; empty: for all", kind="outcomes")
    timeout: float = key(600.0, "after this the hook and all its children are killed", kind="duration", least=0.1)
    on_error: str = key(
        "", "the hook itself broke; default: abort before, warn after the import", choices=("", "abort", "warn")
    )


DEFAULT_HOOKS = (
    HookRule(use="checkpoint", stage="pre-import"),
    HookRule(use="conflicts", stage="pre-import", timeout=6 * 3600.0),
    HookRule(use="checksum", stage="post-import"),
)
