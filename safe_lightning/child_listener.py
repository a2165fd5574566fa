"""Everything the child says, heard once: its streams and its log become evidence, events and progress."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from safe_lightning.core.drain import WorkWatch
from safe_lightning.core.flood import Flood
from safe_lightning.core.lines import LineBuffer
from safe_lightning.core.log_digest import LogDigest
from safe_lightning.core.logline import LogRecord
from safe_lightning.core.progress import ProgressMeter
from safe_lightning.core.stream_digest import StreamDigest
from safe_lightning.log_events import ChildLog
from safe_lightning.report.progress_bar import ProgressBar, open_progress_bar
from safe_lightning.session import Session
from safe_lightning.supervise.follow import LogFollower, LogMark, mark_end

_DEFAULT_LOG_PREFIX = "lightning.log."


class ChildListener:
    """Hears one child.

    The log is where the task says; where it says nothing, Lightning makes a new file in the temporary folder and
    announces it on stdout; with ``-`` it is stdout itself. Only what is added from the start on is taken for ours.
    """

    def __init__(self, session: Session, on_progress: Callable[[], None]) -> None:
        self.digest = LogDigest(split_tasks=True)
        self.streams = StreamDigest()
        self.work = WorkWatch()
        self.log_path: Path | None = None
        self._session = session
        self._on_progress = on_progress
        self._meter = ProgressMeter()
        self._bar: ProgressBar | None = None
        self._log = ChildLog(session.policy.log, self._take_record, run=session.call.run, attempt=session.attempt)
        self._follower = LogFollower(self._log.take, self._on_event)
        self._stdout, self._stderr = Flood(self._hear_stdout), Flood(self._hear_stderr)
        self._stdout_lines = LineBuffer()
        self._lock = threading.Lock()
        self._log_on_stdout = session.task.log_file == "-"
        self._stdout_is_cut = False
        self._marks = self._mark()

    def _mark(self) -> dict[Path, LogMark]:
        """Remember where logs end before the child can write to them."""
        log_file = self._session.task.log_file
        if self._log_on_stdout:
            return {}
        if log_file:
            self.log_path = self._session.call.cwd / log_file
            return {self.log_path: mark_end(self.log_path)}
        folder = Path(self._session.call.environ.get("TMPDIR") or tempfile.gettempdir())
        try:
            names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(_DEFAULT_LOG_PREFIX)]
        except OSError:
            return {}
        return {folder / name: mark_end(folder / name) for name in names}

    def start(self) -> None:
        """Begin to follow the log; to be called once the child runs."""
        if self.log_path is not None:
            self._follow(self.log_path)
        self._follower.start()
        if self._session.is_import and self._session.is_console:
            self._bar = open_progress_bar(self._session.policy.log, self._meter)

    def take_stdout(self, data: bytes) -> None:
        """Take bytes of the child's stdout."""
        with self._lock:
            if self._log_on_stdout:
                self._stdout_is_cut = not data.endswith(b"\n")
                self._log.take(self._stdout_lines.feed(data))
            self._stdout.feed(data)

    def take_stderr(self, data: bytes) -> None:
        """Take bytes of the child's stderr."""
        with self._lock:
            self._stderr.feed(data)

    def make_way(self, data: bytes) -> None:
        """Take the progress bar away before these bytes are written to the terminal."""
        if self._bar is not None:
            self._bar.make_way(data)

    def _hear_stdout(self, data: bytes) -> None:
        self._session.record.stdout.write(data)
        self.streams.feed("stdout", data)
        if self.log_path is None and self.streams.evidence.banner_path:
            self.log_path = self._session.call.cwd / self.streams.evidence.banner_path
            self._follow(self.log_path)

    def _hear_stderr(self, data: bytes) -> None:
        self._session.record.stderr.write(data)
        self.streams.feed("stderr", data)

    def close(self) -> None:
        """Hear everything that is left. Raises what stopped the reading of the log: unread is not judged."""
        try:
            self._follower.stop()
        finally:
            with self._lock:
                self._stdout.close()
                self._stderr.close()
                self.streams.close()
                if self._log_on_stdout:
                    self._log.take(self._stdout_lines.close())
            if self._bar is not None:
                self._bar.close()
            self._close_log()

    @property
    def log_is_cut(self) -> bool:
        """Whether the log's last line has no end, as on a full disk."""
        return self._stdout_is_cut if self._log_on_stdout else self._follower.ended_in_line

    def _follow(self, path: Path) -> None:
        mark = self._marks.get(path) or LogMark(path)
        self._follower.set_path(mark)
        self._session.record.link_log(path, mark.offset)

    def _close_log(self) -> None:
        if self.log_path is None:
            return
        start = (self._marks.get(self.log_path) or LogMark(self.log_path)).offset
        self._session.record.close_log(self.log_path, start, start + self._follower.byte_count)

    def _take_record(self, record: LogRecord) -> None:
        self.digest.add(record)
        self.work.note(record)
        if self._meter.note(record):
            self._on_progress()

    def _on_event(self, name: str, **fields: object) -> None:
        self._session.log.warning(name, attempt=self._session.attempt, **fields)
