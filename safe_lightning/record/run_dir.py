"""The directory of one run: everything that is known of it, written as it becomes known.

Nothing in here raises into a running import: a disk that is full or gone is told once through ``on_trouble``, and
from then on ``is_trustworthy`` is false, which forbids destructive steps. docs/record.md lists the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from safe_lightning.core.checkpoint import Checkpoint
from safe_lightning.core.hook_json import plan_to_json, verdict_to_json
from safe_lightning.core.redact import redact, redact_argv
from safe_lightning.core.verdict import Plan, Stage, Step, TableBaseline, Verdict
from safe_lightning.record.bounded_file import BoundedFile, StreamCopy
from safe_lightning.record.clock import folder_stamp, rfc3339
from safe_lightning.record.durable import Journal, WriteHealth, to_bytes, write_durably
from safe_lightning.record.file_copy import copy_file
from safe_lightning.record.log_link import LogLink
from safe_lightning.record.plain import plain
from safe_lightning.record.process import process_identity
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_folder import NewFolder

STREAM_HEAD_BYTES = 1 << 20
STREAM_TAIL_BYTES = 256 << 10
EVENTS_HEAD_BYTES = 32 << 20
EVENTS_TAIL_BYTES = 16 << 20
CHECKPOINT_BYTES_MOST = 64 << 20


class HookResult(Protocol):
    """The parts of a hook's result that are kept."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def stage(self) -> Stage: ...  # noqa: D102
    @property
    def verdict(self) -> Verdict: ...  # noqa: D102
    @property
    def duration_seconds(self) -> float: ...  # noqa: D102


class Sink(Protocol):
    """Something that takes bytes."""

    def write(self, data: bytes) -> None:
        """Add bytes; never raises."""
        ...

    def close(self) -> None:
        """End it; never raises."""
        ...


class NoSink:
    """Takes bytes and keeps none."""

    def write(self, data: bytes) -> None:
        """Drop the bytes."""

    def close(self) -> None:
        """Do nothing."""


class RunDir:
    """The record of one run while it is going on.

    ``path`` is None where nothing can be recorded at all. ``events``, ``stdout`` and ``stderr`` take bytes: events
    as they are (the log masks them), the child's streams are masked here.
    """

    def __init__(self, path: Path | None, alive: int | None, health: WriteHealth) -> None:
        self.path = path
        self._alive = alive
        self._health = health
        self._phases = self._journal("phases.jsonl")
        self._steps = self._journal("steps.jsonl")
        self._verdicts = self._journal("verdicts.jsonl")
        self._step_count = 0
        self._open_step = False
        self._log: LogLink | None = None
        self.events: Sink = self._bounded("events.jsonl", EVENTS_HEAD_BYTES, EVENTS_TAIL_BYTES, _events_note)
        self.stdout: Sink = self._stream("stdout")
        self.stderr: Sink = self._stream("stderr")

    @classmethod
    def create(
        cls, state: Path, run: str, started_at: float, on_trouble: Callable[[str], None] | None = None
    ) -> RunDir:
        """Make the directory ``runs/<UTC time>-<run>``; it appears already locked as alive.

        Where it cannot be made the run goes on without a record: see `absent`.
        """
        health = WriteHealth(on_trouble)
        with health.guard("the run"):
            folder = NewFolder.make(state / "runs", f"{folder_stamp(started_at)}-{run}")
            return cls(folder.path, folder.alive, health)
        return cls(None, None, health)

    @classmethod
    def absent(cls, reason: str, on_trouble: Callable[[str], None] | None = None) -> RunDir:
        """Return a record that keeps nothing and is not trustworthy, with the reason told once."""
        health = WriteHealth(on_trouble)
        health.note(reason)
        return cls(None, None, health)

    @property
    def is_trustworthy(self) -> bool:
        """Whether everything so far is recorded."""
        return self.path is not None and not self._health.trouble

    @property
    def trouble(self) -> str:
        """The first thing that could not be recorded, and why; empty if there is none."""
        return self._health.trouble

    def write_call(
        self, argv: Sequence[str], cwd: Path, environ: Iterable[str], versions: Mapping[str, str],
        checkpoint_location: str, started_at: float, run: str,
    ) -> None:  # fmt: skip
        """Keep what was called: ``argv`` is masked, of the environment only the names are kept."""
        call = {
            "schema": 1,
            "run": run,
            "started": rfc3339(started_at),
            "pid": os.getpid(),
            "argv": list(redact_argv(argv)),
            "cwd": str(cwd),
            "environment": sorted(environ),
            "versions": dict(versions),
            "checkpoint_location": checkpoint_location,
        }
        self._write("argv.json", call)

    def write_policy(self, policy: object) -> None:
        """Keep the policy as it is in force."""
        self._write("policy.json", plain(policy))

    def write_task(self, task: object, argv: Sequence[str]) -> None:
        """Keep the task as it was resolved; ``argv`` once more, as flag and value are masked together only there."""
        document = plain(task)
        if isinstance(document, dict):
            document["argv"] = list(redact_argv(argv))
        self._write("task.json", document)

    def write_baselines(self, baselines: Iterable[TableBaseline]) -> None:
        """Keep what stood in the target before the import."""
        self._write("baselines.json", [plain(baseline) for baseline in baselines])

    def write_fingerprint(self, document: Mapping[str, object]) -> None:
        """Keep what the import was at its first launch."""
        self._write("fingerprint.json", plain(document))

    def write_plan(self, plan: Plan) -> None:
        """Keep a plan before its first step."""
        self._write("plan.json", plan_to_json(plan))

    def add_verdict(self, result: HookResult, attempt: int) -> None:
        """Keep a hook's verdict."""
        entry = {
            "hook": result.name,
            "stage": str(result.stage),
            "attempt": attempt,
            "duration_seconds": result.duration_seconds,
            "verdict": plain(verdict_to_json(result.verdict)),
        }
        self._append(self._verdicts, "a verdict", entry)

    def enter(self, phase: str, at: float, pid: int | None = None, **facts: object) -> None:
        """Say what the run does from now on, so that the next run can tell what a dead one was doing.

        Words: ``looking``, ``importing`` (with the child's ``pid``, its identity is added), ``judging``,
        ``remedying``, ``finishing``.
        """
        entry: dict[str, object] = {"at": rfc3339(at), "phase": phase, **facts}
        if pid is not None:
            entry |= {"pid": pid, "identity": None}
            with self._health.guard("the identity of the child"):
                entry["identity"] = process_identity(pid)
        self._append(self._phases, "the phase", entry)

    def record_intent(self, step: Step) -> None:
        """Write durably what is about to be done; ask ``is_trustworthy`` afterwards and before the act."""
        self._step_count += 1
        self._open_step = True
        self._append(self._steps, "an intent", {"step": self._step_count, "intent": plain(step)})

    def record_result(self, step: Step, result: object) -> None:
        """Write durably what came of the step whose intent was written last, or of one that never came to an act."""
        if not self._open_step:
            self._step_count += 1
        self._open_step = False
        entry = {"step": self._step_count, "result": plain(result), "of": plain(step)}
        self._append(self._steps, "the result of a step", entry)

    def link_log(self, path: Path, start_offset: int) -> None:
        """Say where the child's log is and where in it this attempt begins; the link ``log`` leads there."""
        self._log = LogLink.of(path, start_offset)
        self._write("log.json", self._log.to_json())
        with self._health.guard("the link to the log"):
            if self.path:
                (self.path / "log").unlink(missing_ok=True)
                (self.path / "log").symlink_to(path)

    def close_log(self, path: Path, start_offset: int, end_offset: int) -> None:
        """Say where in the child's log this attempt ends: its start, and as many bytes as were read since.

        Where the log was rotated in between those bytes lie in several files, and the offset is in none of them.
        """
        known = self._log if self._log and self._log.path == path else LogLink.of(path, start_offset)
        # A log that the child made itself could not be told from a later one before.
        file_id = known.file_id or LogLink.of(path, start_offset).file_id
        self._log = replace(known, start_offset=start_offset, end_offset=end_offset, file_id=file_id)
        self._write("log.json", self._log.to_json())

    def copy_checkpoint(self, when: str, source: Path, bytes_most: int = CHECKPOINT_BYTES_MOST) -> None:
        """Copy a checkpoint file to ``checkpoint-<when>/``; one too large or unreadable is said there instead."""
        name = f"checkpoint-{when}"
        with self._health.guard(name):
            if self.path is None:
                return
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
            if note := copy_file(source, self.path / name / "checkpoint.pb", bytes_most):
                write_durably(self.path / name / "note.txt", f"{note}\n".encode("utf-8", "backslashreplace"))

    def write_checkpoint(self, when: str, checkpoint: Checkpoint) -> None:
        """Keep what a checkpoint said, for every driver, in ``checkpoint-<when>/summary.json``."""
        with self._health.guard(f"checkpoint-{when}"):
            if self.path is not None:
                (self.path / f"checkpoint-{when}").mkdir(mode=0o700, exist_ok=True)
        self._write(f"checkpoint-{when}/summary.json", plain(checkpoint))

    def write_report(self, render: Callable[[Path], str]) -> Path | None:
        """Keep the page for people, rendered from what is recorded so far; None where it was not written."""
        with self._health.guard("report.html"):
            if self.path:
                page = self.path / "report.html"
                write_durably(page, render(self.path).encode("utf-8", "backslashreplace"))
                return page
        return None

    def finish(self, result: RunResult) -> None:
        """Write the result: from now on the run is not unfinished any more."""
        for sink in (self.events, self.stdout, self.stderr):
            sink.close()
        self._write("result.json", result.to_json())

    def close(self) -> None:
        """Let go of the directory: whoever looks now and finds no result takes the run for dead."""
        for sink in (self.events, self.stdout, self.stderr):
            sink.close()
        for journal in (self._phases, self._steps, self._verdicts):
            if journal:
                journal.close()
        self._phases = self._steps = self._verdicts = None
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None

    def _journal(self, name: str) -> Journal | None:
        with self._health.guard(name):
            return Journal(self.path / name) if self.path else None
        return None

    def _append(self, journal: Journal | None, what: str, entry: Mapping[str, object]) -> None:
        with self._health.guard(what):
            if journal:
                journal.append(entry)

    def _write(self, name: str, document: object) -> None:
        with self._health.guard(name):
            if self.path:
                write_durably(self.path / name, to_bytes(document, indent=1) + b"\n")

    def _bounded(self, name: str, head_bytes: int, tail_bytes: int, note: Callable[[int], bytes]) -> Sink:
        return BoundedFile(self.path / name, head_bytes, tail_bytes, note, self._health) if self.path else NoSink()

    def _stream(self, name: str) -> Sink:
        target = self._bounded(name, STREAM_HEAD_BYTES, STREAM_TAIL_BYTES, _stream_note)
        return StreamCopy(target, redact) if isinstance(target, BoundedFile) else target


def _events_note(count: int) -> bytes:
    return to_bytes({"event": "events-left-out", "bytes": count}) + b"\n"


def _stream_note(count: int) -> bytes:
    return f"\n[safe-lightning: {count} bytes left out here]\n".encode()
