"""Events through structlog: to stderr for whoever looks, as JSON lines to whoever keeps them.

stdout belongs to the child. Nothing that happens to stderr or to a sink is raised into the run.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol, cast

import orjson

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.redact import redact_data
from safe_lightning.policy.model import LogPolicy
from safe_lightning.report.outlet import Outlet

if TYPE_CHECKING:
    import structlog
    from structlog.typing import EventDict, Processor, WrappedLogger
else:
    from safe_lightning.lean_import import import_structlog

    structlog = import_structlog()

Sink = Callable[[bytes], None]

#: The child's words for levels, and ours.
LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "error": "error",
    "dpanic": "critical",
    "panic": "critical",
    "fatal": "critical",
}
LEVEL_RANKS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
#: Keys that come first in every line; a bound logger carries them empty, which fixes their place.
FIRST_KEYS: dict[str, Any] = {"timestamp": "", "level": "", "event": ""}


class Logger(Protocol):
    """A bound structured logger."""

    def bind(self, **fields: Any) -> Logger: ...  # noqa: ANN401, D102
    def debug(self, event: str, /, **fields: Any) -> Any: ...  # noqa: ANN401, D102
    def info(self, event: str, /, **fields: Any) -> Any: ...  # noqa: ANN401, D102
    def warning(self, event: str, /, **fields: Any) -> Any: ...  # noqa: ANN401, D102
    def error(self, event: str, /, **fields: Any) -> Any: ...  # noqa: ANN401, D102


@dataclass
class Output:
    """Where events go: the outlet on stderr, shown as text or as JSON, and the sinks."""

    outlet: Outlet
    is_console: bool
    has_colors: bool = False
    rank_least: int = 20
    sinks: list[Sink] = field(default_factory=list)
    _dropped_told: int = 0

    def msg(self, shown: bytes, kept: bytes) -> None:
        """Take one rendered event, for people and for the record; what structlog calls at the end of its chain."""
        if shown:
            self.outlet.write(shown)
        self.keep(kept)

    debug = info = warning = error = critical = exception = msg

    def keep(self, lines: bytes) -> None:
        """Give JSON lines to the sinks; one that cannot take them is given no more, and that is said."""
        for sink in tuple(self.sinks):
            try:
                sink(lines)
            except OSError as error:
                self.sinks.remove(sink)
                get_logger().warning("events-not-kept", reason=error.strerror or str(error))

    def note_trouble(self, event: str, **fields: Any) -> None:  # noqa: ANN401
        """Record a trouble of the outlet itself, for which there is no place but the sinks."""
        self.keep(dump_json({"timestamp": now_text(), "level": "warning", "event": event, **fields}))

    def note_dropped(self) -> None:
        """Record how many lines were not shown because nobody took them, each only once."""
        dropped = self.outlet.dropped_lines
        if dropped > self._dropped_told:
            self.note_trouble("lines-not-shown", lines=dropped - self._dropped_told)
            self._dropped_told = dropped


_current: Output | None = None


def configure(
    policy: LogPolicy,
    *,
    stderr_is_terminal: bool | None = None,
    extra_sinks: Sequence[Sink] = (),
    stderr_fd: int = 2,
) -> Output:
    """Set structlog up for this process and return where events go.

    A sink takes whole JSON lines as bytes. A call replaces the set-up of an earlier one.
    """
    global _current
    is_terminal = _is_terminal(stderr_fd) if stderr_is_terminal is None else stderr_is_terminal
    is_console = policy.format == "console" or (policy.format == "auto" and is_terminal)
    if _current is not None:
        _current.outlet.flush()
    output = Output(
        outlet=Outlet(stderr_fd, lambda event, **fields: output.note_trouble(event, **fields)),
        is_console=is_console,
        has_colors=is_terminal and not os.environ.get("NO_COLOR"),
        rank_least=LEVEL_RANKS["debug" if policy.level == "debug" else "info"],
        sinks=list(extra_sinks),
    )
    structlog.configure(
        processors=_chain(output),
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=lambda *_: output,
        cache_logger_on_first_use=False,
    )
    _current = output
    return output


def get_logger(**bound: Any) -> Logger:  # noqa: ANN401
    """Return a logger that carries these fields: run, stage, hook, attempt."""
    if _current is None:
        configure(LogPolicy())
    return cast(Logger, structlog.get_logger(**FIRST_KEYS, **bound))


def current_output() -> Output:
    """Return where events go, for those who write many of them."""
    if _current is None:
        configure(LogPolicy())
    return cast(Output, _current)


def flush() -> None:
    """Wait until what was logged is written, unless nobody takes it; how much was not shown is recorded."""
    if _current is not None:
        _current.outlet.flush()
        _current.note_dropped()


atexit.register(flush)


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False


def _chain(output: Output) -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        _add_head,
        _mask_secrets,
        _Renderer(output),
    ]


def _add_head(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["timestamp"], event["level"] = now_text(), "warning" if method == "warn" else method
    return event


def _mask_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return cast("EventDict", redact_data(event))


class _Renderer:
    """The end of the chain: an event as people see it and as it is kept."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._console = console_renderer(output) if output.is_console else None

    def __call__(
        self, logger: WrappedLogger, method: str, event: EventDict
    ) -> tuple[tuple[bytes, bytes], dict[str, Any]]:
        kept = dump_json(event)
        if LEVEL_RANKS.get(event["level"], 50) < self._output.rank_least:
            return (b"", kept), {}
        return (self._console(event) if self._console else kept, kept), {}


def console_renderer(output: Output) -> Callable[[EventDict], bytes]:
    """Return the function that renders an event for a terminal."""
    from safe_lightning.report.console import ConsoleText

    return ConsoleText(has_colors=output.has_colors)


def now_text() -> str:
    """Tell the time as events carry it: UTC, ISO 8601, milliseconds."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dump_json(event: EventDict) -> bytes:
    """Render an event as one JSON line; integers beyond 64 bits stay exact, half surrogates stay escaped."""
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(event, default=str).encode() + b"\n"
