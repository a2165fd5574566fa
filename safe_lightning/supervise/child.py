"""The supervised child: started in a session of its own, stopped once and gently, killed whole if it must be."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.supervise.pdeathsig import death_bond
from safe_lightning.supervise.signals import StopControl, keep_exit_statuses
from safe_lightning.supervise.streams import Pump, Tap
from safe_lightning.supervise.tree import kill_tree, marked, send_signal, wait_for_end

#: Before its handler is installed a signal ends Lightning by default action (measured: 50 to 120 ms).
_SIGNAL_SAFE_SECONDS = 0.15
_POLL_SECONDS = 0.05
_DRAIN_SECONDS = 5.0
_DESCENDANTS_POLL_SECONDS = 0.2
_MARKER = "SAFE_LIGHTNING_CHILD_ID"


class ChildNotStarted(Exception):
    """The binary could not be started; ``exit_code`` is the shell's code for that (126 or 127)."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class ChildEnd:
    """How the child ended, and what had to be done to it.

    ``is_never_started``: a stop was asked for before there was a child. Both ``exit_code`` and ``signal`` are
    None only then.
    """

    pid: int | None
    exit_code: int | None
    signal: int | None
    started_at: float
    ended_at: float
    duration_seconds: float
    stop_reason: str = ""
    signal_sent: int | None = None
    killed_by_us: bool = False
    tail_stdout: bytes = b""
    tail_stderr: bytes = b""
    max_rss_bytes: int = 0
    cpu_seconds: float = 0.0
    is_oom_suspected: bool = False
    is_never_started: bool = False


@dataclass(frozen=True)
class Watchers:
    """Who is told what while the child runs; every callback must return quickly."""

    on_stdout: Tap | None = None
    on_stderr: Tap | None = None
    on_started: Callable[[int], None] | None = None
    on_event: Callable[..., None] = lambda name, **fields: None
    #: Told what is about to be written to a terminal, so that a progress bar there makes way.
    before_output: Tap | None = None


class Drain(Protocol):
    """What is done between a stop request and the signal: begun once, then asked until it is over."""

    def begin(self, pid: int) -> None: ...  # noqa: D102
    def is_over(self) -> bool: ...  # noqa: D102
    def skip(self) -> None: ...  # noqa: D102


def supervise(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    grace_seconds: float,
    die_with_parent: bool,
    control: StopControl,
    watchers: Watchers,
    drain: Drain | None = None,
) -> ChildEnd:
    """Run a child to its end and return how it ended. Raises ChildNotStarted.

    Its stdout and stderr reach ours byte for byte; stdin is ours. A stop request is passed on as one signal to
    its process group; after ``grace_seconds`` the whole tree is killed, which an environment marker finds
    wherever it hides. With ``drain`` the signal waits for that, unless a further one comes. Must be called by the
    main thread (see pdeathsig).
    """
    now = time.time()
    if control.request is not None:
        return ChildEnd(None, None, None, now, now, 0.0, control.request.reason, is_never_started=True)
    keep_exit_statuses()
    marker = os.urandom(8).hex()
    oom_kills = _oom_kills()
    process = _start(argv, {**env, _MARKER: marker}, cwd, death_bond() if die_with_parent else None)
    supervision = _Supervision(process, f"{_MARKER}={marker}", grace_seconds, control, watchers, drain)
    return supervision.run(now, oom_kills)


def _start(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, bond: Callable[[], None] | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=bond,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        raise _not_started(argv[0], cwd, error) from error


def _not_started(name: str, cwd: Path, error: Exception) -> ChildNotStarted:
    why = getattr(error, "strerror", None) or str(error)
    if not cwd.is_dir():
        return ChildNotStarted(f"{name} cannot be executed in {cwd}: {why}", 126)
    if isinstance(error, FileNotFoundError):
        missing = f"the interpreter that {name} names" if Path(name).exists() else name
        return ChildNotStarted(f"{missing} was not found ({why})", 127)
    return ChildNotStarted(f"{name} cannot be executed: {why}", 126)


class _Supervision:
    """The loop beside one running child."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        marker: str,
        grace_seconds: float,
        control: StopControl,
        watchers: Watchers,
        drain: Drain | None,
    ) -> None:
        self._process = process
        self._marker = marker
        self._grace_seconds = grace_seconds
        self._control = control
        self._watchers = watchers
        self._drain_first = drain
        self._is_draining = False
        self._started = time.monotonic()
        self._usage: resource.struct_rusage | None = None
        self._signal_sent: int | None = None
        self._deadline = float("inf")
        self._killed = False
        self._late_signals_said = 0

    def run(self, started_at: float, oom_kills: int) -> ChildEnd:
        pumps = self._start_pumps()
        if self._watchers.on_started:
            self._watchers.on_started(self._process.pid)
        while not self._has_ended():
            self._look()
            wait_for_end(self._process.pid, _POLL_SECONDS)
        duration_seconds = time.monotonic() - self._started
        self._see_to_descendants()
        self._drain(pumps)
        return self._end(started_at, duration_seconds, pumps, _oom_kills() > oom_kills)

    def _start_pumps(self) -> tuple[Pump, Pump]:
        process, told = self._process, self._watchers
        assert process.stdout
        assert process.stderr
        pumps = (
            Pump("stdout", process.stdout, 1, told.on_stdout, told.on_event, told.before_output),
            Pump("stderr", process.stderr, 2, told.on_stderr, told.on_event, told.before_output),
        )
        for pump in pumps:
            pump.start()
        return pumps

    def _has_ended(self) -> bool:
        """Reap the child if it has ended; wait4 tells what it alone has used, hooks and helpers apart."""
        pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if pid:
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._usage = usage
        return bool(pid)

    def _look(self) -> None:
        request, now = self._control.request, time.monotonic()
        if request is None:
            return
        if self._signal_sent is None and now - self._started >= _SIGNAL_SAFE_SECONDS and self._is_drained():
            self._forward(request.signal, request.reason)
        if self._control.late_signals > self._late_signals_said:
            self._late_signals_said = self._control.late_signals
            self._watchers.on_event("signal-not-forwarded", pid=self._process.pid, count=self._late_signals_said)
        is_due = now >= self._deadline or self._control.is_impatient
        if self._signal_sent is not None and not self._killed and is_due:
            self._kill()

    def _is_drained(self) -> bool:
        """Whether the signal may go out; a second one does not wait for the drain."""
        drain = self._drain_first
        if drain is None:
            return True
        if not self._is_draining:
            self._is_draining = True
            drain.begin(self._process.pid)
        if self._control.late_signals:
            drain.skip()
        return drain.is_over()

    def _forward(self, number: signal.Signals, reason: str) -> None:
        self._watchers.on_event(
            "stop-forwarded",
            pid=self._process.pid,
            signal=number.name,
            reason=reason,
            grace_seconds=self._grace_seconds,
        )
        send_signal(self._process.pid, number)
        self._signal_sent = number
        self._deadline = time.monotonic() + self._grace_seconds

    def _kill(self) -> None:
        why = "a third signal came" if self._control.is_impatient else "the grace period is over"
        self._killed = True
        # Once it is reaped, its number may belong to a stranger.
        pid = self._process.pid if self._process.returncode is None else None
        count = kill_tree(pid, self._marker)
        self._watchers.on_event("child-killed", pid=self._process.pid, reason=why, processes=count)

    def _see_to_descendants(self) -> None:
        """Give what the child started the rest of the grace period after a stop; otherwise only name it."""
        while (left := marked(self._marker)) and self._signal_sent is not None and not self._killed:
            self._look()
            time.sleep(_DESCENDANTS_POLL_SECONDS)
        if left and not self._killed:
            self._watchers.on_event("processes-left", pids=[process.pid for process in left])

    def _drain(self, pumps: tuple[Pump, Pump]) -> None:
        for pump in pumps:
            deadline, before = time.monotonic() + _DRAIN_SECONDS, -1
            # A reader that is slow holds us back, as it would hold back the bare child; a pipe that nobody
            # writes to any more, held open by a grandchild, must not.
            while pump.is_alive():
                is_held_back = pump.is_writing and not self._control.stop_requested
                if is_held_back or pump.byte_count != before:
                    deadline, before = time.monotonic() + _DRAIN_SECONDS, pump.byte_count
                elif time.monotonic() >= deadline:
                    break
                pump.join(_POLL_SECONDS)
            if pump.is_alive():
                self._watchers.on_event("pipe-held-open", stream=pump.stream)

    def _end(self, started_at: float, duration_seconds: float, pumps: tuple[Pump, Pump], oom_seen: bool) -> ChildEnd:
        code = self._process.returncode
        request = self._control.request
        usage = self._usage
        number = -code if code < 0 else None
        return ChildEnd(
            pid=self._process.pid,
            exit_code=code if code >= 0 else None,
            signal=number,
            started_at=started_at,
            ended_at=time.time(),
            duration_seconds=duration_seconds,
            stop_reason=request.reason if request else "",
            signal_sent=self._signal_sent,
            killed_by_us=self._killed,
            tail_stdout=pumps[0].tail,
            tail_stderr=pumps[1].tail,
            max_rss_bytes=usage.ru_maxrss * 1024 if usage else 0,
            cpu_seconds=usage.ru_utime + usage.ru_stime if usage else 0.0,
            is_oom_suspected=number == signal.SIGKILL and not self._killed and oom_seen,
        )


def _oom_kills() -> int:
    """Count the kernel's out-of-memory kills in our control group, or on the host where there is none."""
    for path, key in (("/sys/fs/cgroup/memory.events", "oom_kill"), ("/proc/vmstat", "oom_kill")):
        try:
            lines = Path(path).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == key and value.strip().isdigit():
                return int(value)
    return 0
