"""Following a log file from a given offset: through rotation, truncation, deletion and late creation."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.lines import LINE_BYTES_MOST, LineBuffer

_READ_BYTES = 256 << 10
_FAST_SECONDS = 0.05
_SLOW_SECONDS = 0.1
_JOIN_SECONDS = 5.0
_STAMP = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}"

OnLines = Callable[[list[bytes]], None]
OnEvent = Callable[..., None]
_FileId = tuple[int, int]


@dataclass(frozen=True)
class LogMark:
    """Where a log ended before the child could write to it; ``file_id`` is None where there was no file.

    ``last_backup`` names the newest of the files that earlier runs had rotated away; empty where there was none.
    """

    path: Path
    offset: int = 0
    file_id: _FileId | None = None
    last_backup: str = ""


def mark_end(path: Path) -> LogMark:
    """Remember where a log file ends now, so that only what is added later is taken for ours."""
    backups = _backups(path)
    last_backup = backups[-1].name if backups else ""
    try:
        status = path.stat()
    except OSError:
        return LogMark(path, last_backup=last_backup)
    return LogMark(path, status.st_size, (status.st_dev, status.st_ino), last_backup)


class LogFollower:
    """Delivers a growing file's complete lines in batches, from a thread of its own.

    The path may become known only later. ``stop`` reads everything that is left before it returns, so that what
    the child wrote last is not lost; a last line without its end is delivered then (``ended_in_line``).
    Oddities are told to ``on_event``: log-rotated, log-replaced, log-truncated, log-gone, log-unreadable,
    log-line-cut, log-not-drained.
    """

    def __init__(self, on_lines: OnLines, on_event: OnEvent) -> None:
        self.byte_count = 0
        self.ended_in_line = False
        self.path: Path | None = None
        self._on_lines = on_lines
        self._on_event = on_event
        self._mark = LogMark(Path())
        self._fd = -1
        self._file_id: _FileId | None = None
        self._offset = 0
        self._lines = LineBuffer()
        self._said: set[str] = set()
        self._failure: Exception | None = None
        self._deadline = float("inf")
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="follow log", daemon=True)

    def set_path(self, mark: LogMark) -> None:
        """Follow the marked file from its mark on; a second call with the same path changes nothing."""
        with self._lock:
            if self.path == mark.path:
                return
            self._finish()
            self._close()
            self.path, self._mark, self._file_id, self._offset = mark.path, mark, mark.file_id, mark.offset

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self, drain_seconds: float = 60.0) -> None:
        """Read to the end and stop; to be called after the child has ended.

        Where the end is not reached within ``drain_seconds``, log-not-drained tells how much is left. Raises
        what ``on_lines`` raised: lines that nobody took cannot be judged.
        """
        self._deadline = time.monotonic() + drain_seconds
        self._stopping.set()
        if self._thread.ident is None:
            self._run()
        else:
            self._thread.join(drain_seconds + _JOIN_SECONDS)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._follow()
            self._drain()
        except Exception as error:  # noqa: BLE001 - raised again by stop()
            self._failure = error

    def _follow(self) -> None:
        wait_seconds = 0.0
        while not self._stopping.wait(wait_seconds):
            had_news = self._poll_locked()
            wait_seconds = 0.0 if had_news else min(max(wait_seconds * 1.2, _FAST_SECONDS), _SLOW_SECONDS)

    def _poll_locked(self) -> bool:
        with self._lock:
            return self._poll()

    def _drain(self) -> None:
        while self._poll_locked():
            if time.monotonic() > self._deadline:
                left_bytes = os.fstat(self._fd).st_size - self._offset if self._fd >= 0 else 0
                self._say("log-not-drained", left_bytes=left_bytes)
                break
        with self._lock:
            self._finish()
            self._close()

    def _poll(self) -> bool:
        """Read one piece, or go on to the next file; False where there is nothing new."""
        if self.path is None or (self._fd < 0 and not self._open_marked()):
            return False
        if self._read():
            return True
        successor = self._successor()
        if successor is None:
            return False
        # The writer left the file we hold before it made the new one: whatever is in it is there now.
        while self._read():
            pass
        return self._fd >= 0 and self._move_on(successor)

    def _open_marked(self) -> bool:
        assert self.path is not None
        here = _file_id(self.path)
        if here is None or here == self._file_id:
            return self._open(self.path, self._offset if here else 0)
        if backup := self._backup_of(self._file_id):
            # Renamed before we came to look: our part of it begins at the mark.
            return self._open(backup, self._offset)
        ours = [path for path in _backups(self.path) if path.name > self._mark.last_backup]
        # Made and rotated away before we came to look: all of it is ours.
        return self._open(ours[0] if ours else self.path, 0)

    def _open(self, path: Path, offset: int) -> bool:
        try:
            # Without O_NONBLOCK a FIFO would keep us here for ever.
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._say("log-unreadable", error=error.strerror or str(error))
            return False
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            self._say("log-unreadable", error="not a regular file")
            return False
        self._close()
        self._fd, self._file_id, self._offset = fd, (status.st_dev, status.st_ino), offset
        return True

    def _read(self) -> bool:
        try:
            data = os.pread(self._fd, _READ_BYTES, self._offset)
            if not data and os.fstat(self._fd).st_size < self._offset:
                self._on_event("log-truncated", path=str(self.path), read_bytes=self._offset)
                self._finish()
                self._offset = 0
                data = os.pread(self._fd, _READ_BYTES, 0)
        except OSError as error:
            self._say("log-unreadable", error=error.strerror or str(error))
            self._close()
            return False
        if data:
            self._offset += len(data)
            self.byte_count += len(data)
            self._deliver(self._lines.feed(data))
        return bool(data)

    def _deliver(self, lines: list[bytes]) -> None:
        if self._lines.cut_count:
            self._lines.cut_count = 0
            self._on_event("log-line-cut", path=str(self.path), kept_bytes=LINE_BYTES_MOST)
        if lines:
            self._on_lines(lines)

    def _successor(self) -> Path | None:
        """Find the file that the child writes to after the one we hold; None while it still is that one."""
        assert self.path is not None
        here = _file_id(self.path)
        if here is None:
            self._say("log-gone")
            return None
        if here == self._file_id:
            return None
        return self._next_backup(self._file_id) or self.path

    def _move_on(self, path: Path) -> bool:
        held = self._file_id
        event = "log-rotated" if self._backup_of(held) else "log-replaced"
        self._finish()
        if not self._open(path, 0):
            return False
        # Rotated once more between our look and our opening: that file comes first.
        between = self._next_backup(held) if path == self.path else None
        if between is not None and _file_id(between) != self._file_id:
            self._open(between, 0)
        self._said.clear()
        self._on_event(event, path=str(self.path))
        return True

    def _backup_of(self, file_id: _FileId | None) -> Path | None:
        if self.path is None or file_id is None:
            return None
        return next((path for path in _backups(self.path) if _file_id(path) == file_id), None)

    def _next_backup(self, file_id: _FileId | None) -> Path | None:
        ours = self._backup_of(file_id)
        if self.path is None or ours is None:
            return None
        return next((path for path in _backups(self.path) if path > ours), None)

    def _say(self, event: str, **fields: object) -> None:
        if event not in self._said:
            self._said.add(event)
            self._on_event(event, path=str(self.path), **fields)

    def _finish(self) -> None:
        rest = self._lines.close()
        self.ended_in_line = bool(rest)
        if rest:
            self._on_lines(rest)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _backups(log: Path) -> list[Path]:
    """List what lumberjack has renamed from NAME.log to NAME-<time>.log, oldest first."""
    pattern = re.compile(rf"{re.escape(log.stem)}-{_STAMP}{re.escape(log.suffix)}")
    try:
        names = [entry.name for entry in os.scandir(log.parent) if pattern.fullmatch(entry.name)]
    except OSError:
        return []
    return [log.with_name(name) for name in sorted(names)]


def _file_id(path: Path) -> _FileId | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
