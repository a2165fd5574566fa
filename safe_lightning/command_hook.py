"""Any executable as a hook: a few flat variables, two paths to JSON, and an exit code.

The contract is hooks/README.md. No shell is involved; the executable is looked up on PATH and runs in the
folder that the import was started in. What it prints is logged live under its name.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from safe_lightning.api import Context, Status, Task, Verdict
from safe_lightning.core.hook_json import SCHEMA, VERDICT_BYTES_MOST, VerdictError, masked, read_verdict, report_to_json
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.redact import redact
from safe_lightning.policy.model import HookRule

if TYPE_CHECKING:
    from safe_lightning.supervise.command import CommandEnd

TRY_LATER = 75
_OUTPUT_BYTES_KEPT = 64 << 10
_OUTPUT_BYTES_LOGGED = 1 << 20
_LINE_BYTES_MOST = 8 << 10
_MESSAGE_CHARACTERS_MOST = 500


class EventLog(Protocol):
    """The part of a structured logger that hooks need."""

    def debug(self, event: str, /, **fields: Any) -> Any: ...  # noqa: ANN401, D102
    def info(self, event: str, /, **fields: Any) -> Any: ...  # noqa: ANN401, D102
    def warning(self, event: str, /, **fields: Any) -> Any: ...  # noqa: ANN401, D102


@dataclass(frozen=True)
class CommandHook:
    """An executable of the policy's [[hooks]] behind the hook interface."""

    name: str
    rule: HookRule

    def judge(self, context: Context, stop: threading.Event, log: EventLog) -> Verdict:
        """Run the executable to its end or time-out and read its answer; whatever it does becomes a verdict."""
        from safe_lightning.supervise.command import CommandNotStarted, run_command

        with _exchange(context, self.name) as folder:
            answer = folder / "verdict.json"
            question = folder / "context.json"
            question.write_text(json.dumps(describe(context, self.name), ensure_ascii=False), encoding="utf-8")
            lines = OutputLog(self.name, log)
            try:
                end = run_command(
                    list(self.rule.run),
                    timeout_seconds=self.rule.timeout,
                    env={**os.environ, **variables(context, self.name, question, answer)},
                    cwd=context.task.cwd,
                    on_output=lines.add,
                    output_limit_bytes=_OUTPUT_BYTES_KEPT,
                    stop=stop,
                )
            except CommandNotStarted as error:
                return broken(str(error))
            lines.close()
            return read_answer(end, answer, self.rule.timeout)


def broken(why: str) -> Verdict:
    """Return the verdict of a hook that did not do its work; ``on_error`` decides what follows."""
    return Verdict(Status.ERROR, "hook-broke", why)


def interrupted() -> Verdict:
    """Return the verdict of a hook that was stopped with the run."""
    return Verdict(Status.ERROR, "interrupted", "stopped with the run, before the hook had answered")


def variables(context: Context, name: str, question: Path, answer: Path) -> dict[str, str]:
    """Name the flat environment variables of a command hook; what is not known is empty, never absent."""
    report = context.report
    code = report.child_exit_code if report else None
    return {
        "SAFE_LIGHTNING_HOOK": name,
        "SAFE_LIGHTNING_STAGE": str(context.stage),
        "SAFE_LIGHTNING_RUN_ID": context.run,
        "SAFE_LIGHTNING_RUN_DIR": str(context.run_dir or ""),
        "SAFE_LIGHTNING_OUTCOME": str(report.outcome) if report else "",
        "SAFE_LIGHTNING_CHILD_EXIT_CODE": "" if code is None else str(code),
        "SAFE_LIGHTNING_DRY_RUN": "1" if context.dry_run else "0",
        "SAFE_LIGHTNING_ATTEMPT": str(context.attempt),
        "SAFE_LIGHTNING_CONTEXT": str(question),
        "SAFE_LIGHTNING_VERDICT": str(answer),
    }


def describe(context: Context, name: str) -> dict[str, Any]:
    """Return the context as versioned JSON, every text of it passed through the masking of secrets."""
    plain = {
        "hook": name,
        "stage": str(context.stage),
        "run": context.run,
        "attempt": context.attempt,
        "run_dir": str(context.run_dir) if context.run_dir else None,
        "dry_run": context.dry_run,
        "argv": list(context.argv),
        "task": _describe_task(context.task),
        "report": report_to_json(context.report) if context.report else None,
    }
    return {"schema": SCHEMA, **{key: masked(value, redact) for key, value in plain.items()}}


def _describe_task(task: Task) -> dict[str, Any]:
    store = task.checkpoint
    return {
        "cwd": str(task.cwd),
        "config_file": str(task.config_file) if task.config_file else None,
        "backend": task.backend,
        "data_source_dir": task.data_source_dir,
        "sorted_kv_dir": task.sorted_kv_dir,
        "target": {"host": task.target.host, "port": task.target.port, "user": task.target.user},
        "checkpoint": {"enabled": store.enabled, "driver": store.driver, "location": store.location},
        "filter": list(task.table_filter),
        "checksum": task.checksum,
    }


@contextmanager
def _exchange(context: Context, name: str) -> Iterator[Path]:
    """Make the folder of the two JSON files: in the record where there is one, else a private one that goes again."""
    prefix = f"{context.stage}-{re.sub(r'[^A-Za-z0-9]+', '-', name)[:40]}-"
    if kept := _folder_in_record(context.run_dir, prefix):
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix=f"safe-lightning-{prefix}") as folder:
        yield Path(folder)


def _folder_in_record(run_dir: Path | None, prefix: str) -> Path | None:
    if run_dir is None:
        return None
    try:
        (run_dir / "hooks").mkdir(mode=0o700, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=prefix, dir=run_dir / "hooks"))
    except OSError:  # a record that cannot be written never stops a hook; the record itself reports it
        return None


def read_answer(end: CommandEnd, answer: Path, timeout_seconds: float) -> Verdict:
    """Turn the end of a command and the file it may have written into one verdict.

    The written verdict speaks only after exit 0 (then it must be pass or warn) or exit 1 (block or error);
    a contradiction, like anything that cannot be understood, is a broken hook.
    """
    if end.stopped:
        return interrupted()
    if end.timed_out:
        return broken(f"did not end within {timeout_seconds:g} s and was killed")
    if end.exit_code == TRY_LATER:
        return Verdict(Status.BLOCK, "try-later", _last_line(end) or "asked to stop quietly and to try later")
    if end.exit_code not in (0, 1):
        how = f"was killed by signal {end.signal}" if end.signal else f"ended with exit code {end.exit_code}"
        return broken(f"{how}: {_last_line(end)}" if _last_line(end) else how)
    try:
        written = _read_bounded(answer)
        return _agree(read_verdict(written), end.exit_code) if written is not None else _by_exit_code(end)
    except VerdictError as error:
        return broken(str(error))


def _by_exit_code(end: CommandEnd) -> Verdict:
    if end.exit_code == 0:
        return Verdict(Status.PASS, "pass", _last_line(end) or "exit code 0")
    return Verdict(Status.BLOCK, "blocked", _last_line(end) or "exit code 1, without a word why")


_ALLOWED: Mapping[int, tuple[Status, ...]] = {0: (Status.PASS, Status.WARN), 1: (Status.BLOCK, Status.ERROR)}


def _agree(verdict: Verdict, exit_code: int) -> Verdict:
    if verdict.status in _ALLOWED[exit_code]:
        return verdict
    raise VerdictError(f"the written verdict says {verdict.status}, the exit code {exit_code} says otherwise")


def _read_bounded(path: Path) -> bytes | None:
    """Read the verdict file without following links or waiting for a FIFO; None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VerdictError(f"the verdict cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise VerdictError("the verdict is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(VERDICT_BYTES_MOST + 1) or None


def _last_line(end: CommandEnd) -> str:
    for output in (end.stderr, end.stdout):
        lines = output.decode("utf-8", "replace").strip().splitlines()
        if lines:
            return redact(lines[-1].strip())[:_MESSAGE_CHARACTERS_MOST]
    return ""


@dataclass
class OutputLog:
    """Logs what a hook prints line by line as it comes, within bounds."""

    name: str
    log: EventLog
    logged_bytes: int = 0
    _rest: dict[str, bytes] = field(default_factory=dict)

    def add(self, stream: str, data: bytes) -> None:
        """Take a piece of a stream; complete lines are logged at once."""
        if self.logged_bytes > _OUTPUT_BYTES_LOGGED:
            return
        *lines, rest = (self._rest.get(stream, b"") + data).split(b"\n")
        if len(rest) > _LINE_BYTES_MOST:
            lines, rest = [*lines, rest], b""
        self._rest[stream] = rest
        for line in lines:
            self._log(stream, line)

    def close(self) -> None:
        """Log what came without a line break at the end."""
        for stream, line in self._rest.items():
            if line:
                self._log(stream, line)
        self._rest = {}

    def _log(self, stream: str, line: bytes) -> None:
        if self.logged_bytes > _OUTPUT_BYTES_LOGGED:
            return
        self.logged_bytes += len(line) + 1
        text = redact(line[:_LINE_BYTES_MOST].decode("utf-8", "replace").rstrip("\r"))
        self.log.info("hook-output", hook=self.name, stream=stream, line=text)
        if self.logged_bytes > _OUTPUT_BYTES_LOGGED:
            self.log.warning("hook-output-cut", hook=self.name, bytes_logged=self.logged_bytes)
