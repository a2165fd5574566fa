"""The conflict strategy, which has had three names and as many meanings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safe_lightning.lightning.task import Problem
from safe_lightning.lightning.task_checks import backend_of, is_parallel
from safe_lightning.lightning.task_keys import STRATEGIES
from safe_lightning.lightning.task_values import Values

_NAMES = ("conflict.strategy", "tikv-importer.on-duplicate", "tikv-importer.duplicate-resolution")


def strategy_of(values: Values) -> str:
    """Return the strategy that the task names, under its newest name first; "" leaves it to the release.

    8.5 then takes "error" with the tidb backend and none with the local one, 7.1 and older "replace" with the
    tidb backend.
    """
    return next((word for word in (values.word(name, STRATEGIES) for name in _NAMES) if word), "")


def check_conflict(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield what is wrong in [conflict]; nearly all of it differs between 7.3 and 8.5."""
    given, old, resolution = (values.word(name, STRATEGIES) for name in _NAMES)
    strategy, backend = strategy_of(values), backend_of(values)
    source = _NAMES[0] if given else _NAMES[1]
    if (given or old) and resolution:
        yield _doubtful(source, f"{source} cannot be used with tikv-importer.duplicate-resolution")
    if strategy == "ignore" and backend == "local":
        yield _doubtful(source, f'{source} cannot be set to "ignore" when use tikv-importer.backend = "local"')
    if backend == "tidb" and values.flag("conflict.precheck-conflict-before-import"):
        key = "conflict.precheck-conflict-before-import"
        yield Problem(key, f'{key} cannot be set to true when use tikv-importer.backend = "tidb"')
    yield from _check_numbers(values, given, strategy or ("error" if backend == "tidb" else ""))
    if given and is_parallel(values) and backend == "local":
        message = "conflict.strategy cannot be used with tikv-importer.parallel-import (7.3 to 7.6)"
        yield _doubtful(source, message)


def _check_numbers(values: Values, given: str, strategy: str) -> Iterator[Problem]:
    threshold = values.number("conflict.threshold", -1)
    if threshold > 0 and strategy == "error":
        message = 'conflict.threshold cannot be set when use conflict.strategy = "error"'
        yield Problem("conflict.threshold", message, is_certain=given == "error")
    if 0 <= threshold < (rows := values.number("conflict.max-record-rows", -1)):
        message = f"conflict.max-record-rows ({rows}) cannot be larger than conflict.threshold ({threshold}) (7.5)"
        yield _doubtful("conflict.max-record-rows", message)


def _doubtful(key: str, message: str) -> Problem:
    return Problem(key, message, is_certain=False)
