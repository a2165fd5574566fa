"""Where events go in a test: what is shown to a pipe, what is kept to a list."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from typing import Any

from safe_lightning import logs
from safe_lightning.policy.model import LogPolicy


@dataclass
class Ends:
    """The two ends of what is logged: what was shown and what was kept."""

    read_fd: int
    write_fd: int
    kept_lines: list[bytes] = field(default_factory=list)
    _shown: bytearray = field(default_factory=bytearray)
    _reader: threading.Thread | None = None

    def configure(self, policy: LogPolicy, *, is_terminal: bool = False) -> logs.Output:
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
        return logs.configure(
            policy, stderr_is_terminal=is_terminal, extra_sinks=[self.kept_lines.append], stderr_fd=self.write_fd
        )

    def _read(self) -> None:
        while data := os.read(self.read_fd, 1 << 20):
            self._shown += data

    def close_writer(self) -> None:
        if self.write_fd >= 0:
            logs.flush()
            os.close(self.write_fd)
            self.write_fd = -1
            if self._reader is not None:
                self._reader.join(10)

    @property
    def shown(self) -> bytes:
        """Everything shown; nothing can be shown afterwards."""
        self.close_writer()
        return bytes(self._shown)

    @property
    def kept(self) -> bytes:
        return b"".join(self.kept_lines)

    @property
    def kept_events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.kept.splitlines()]
