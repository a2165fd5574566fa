"""Is it still the same process? A process id alone is given out again."""

from __future__ import annotations

from pathlib import Path


def process_identity(pid: int) -> str | None:
    """Return what tells a process from a later one with the same id; None if there is none (or only a zombie).

    On Linux the boot id and the start time in clock ticks, which no change of the clock moves; elsewhere the
    creation time. Raises OSError where it cannot be looked at.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return _creation_time(pid)
    # The name in brackets may hold blanks and brackets itself; state is field 3, start time field 22.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def is_same_process(pid: int, identity: str) -> bool | None:
    """Say whether the process that had this identity still runs; None: could not look."""
    try:
        return process_identity(pid) == identity
    except OSError:
        return None


def _creation_time(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"created:{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as error:
        raise PermissionError(f"process {pid} may not be looked at") from error
