"""Is another Lightning at work? Looks at the processes of this machine; other machines are beyond its sight."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from safe_lightning.core.peer import Peer, Shared
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import CheckpointStore, Server, Task

if TYPE_CHECKING:
    import psutil

_NAME = "tidb-lightning"
_UNREADABLE = (Shared.UNKNOWN, "an unreadable command line")
_PATIENCE_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.2
_LOOPBACK = {"localhost", "127.0.0.1", "::1", "[::1]"}


def find_peers(task: Task, own_pids: frozenset[int] = frozenset()) -> tuple[Peer, ...]:
    """List the Lightnings on this machine that share the task's checkpoint, sorted-kv-dir, status port or target.

    One whose command line or config cannot be read counts as a peer: it may be one. What we descend from does
    not: it waits for us. Raises CouldNotLook where the processes cannot be listed.
    """
    from safe_lightning.lightning.task import resolve_task

    found: list[Peer] = []
    if not _is_any_named_so():
        return ()
    for pid, argv, cwd in _lightnings(own_pids | _lineage()):
        shared = (
            _shared(task, argv, cwd, resolve_task) if argv and cwd else (Shared.UNKNOWN, "an unreadable command line")
        )
        if shared is not None:
            found.append(Peer(pid, shared[1], shared[0]))
    return tuple(found)


def are_others_alive(task: Task, own_pids: frozenset[int] = frozenset()) -> bool | None:
    """Say whether another Lightning may be at work on the same checkpoint or target; None: could not look.

    One whose task cannot be read is looked at again for a moment: most often it is just ending with a complaint
    about that very task.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while peers := find_peers(task, own_pids):
            if any(peer.is_known for peer in peers) or time.monotonic() > deadline:
                return True
            time.sleep(_LOOK_AGAIN_SECONDS)
    except CouldNotLook:
        return None
    return False


Resolve = Callable[[Sequence[str], Path, Mapping[str, str]], Task]


def _shared(task: Task, argv: Sequence[str], cwd: Path, resolve: Resolve) -> tuple[Shared, str] | None:
    other = resolve(argv, cwd, {})
    if other.is_info_only:
        return None
    if any(problem.is_certain for problem in other.problems):
        # Its config may have been replaced since it started, so what it works on is not known.
        return Shared.UNKNOWN, "a task that cannot be read"
    if task.checkpoint.enabled and other.checkpoint.enabled and _place(other.checkpoint) == _place(task.checkpoint):
        return Shared.CHECKPOINT, f"the checkpoint {task.checkpoint.location}"
    if task.backend == other.backend == "local" and _folder(other) == _folder(task) != "":
        return Shared.SORTED_KV_DIR, f"the sorted-kv-dir {task.sorted_kv_dir}"
    if task.status_addr and _port(task.status_addr) == _port(other.status_addr) != "0":
        return Shared.STATUS_PORT, f"the status port {task.status_addr}"
    if _address(other.target) == _address(task.target):
        return Shared.TARGET, f"the target {task.target.host}:{task.target.port}"
    return None


def _folder(task: Task) -> str:
    return os.path.realpath(task.cwd / task.sorted_kv_dir) if task.sorted_kv_dir else ""


def _port(address: str) -> str:
    return address.rpartition(":")[2] or "0"


def _place(store: CheckpointStore) -> str:
    return os.path.realpath(store.path) if store.path is not None else store.location


def _address(server: Server) -> tuple[str, int]:
    return ("localhost" if server.host in _LOOPBACK else server.host.lower()), server.port


def _lineage() -> frozenset[int]:
    """Return our own process id and those of our ancestors."""
    import psutil

    try:
        return frozenset({os.getpid(), *(process.pid for process in psutil.Process().parents())})
    except (psutil.Error, OSError):
        return frozenset({os.getpid()})


def _is_any_named_so() -> bool:
    """Look at the names alone, where /proc tells them: most often there is none, and that is known ten times faster."""
    own = str(os.getpid())
    try:
        with os.scandir("/proc") as entries:
            numbers = [entry.name for entry in entries if entry.name.isdigit() and entry.name != own]
    except OSError:
        return True
    return not numbers or any(map(_may_be_named_so, numbers))


def _may_be_named_so(number: str) -> bool:
    try:
        return Path("/proc", number, "comm").read_bytes().startswith(_NAME.encode())
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True


def _lightnings(own_pids: frozenset[int]) -> Iterator[tuple[int, list[str], Path | None]]:
    import psutil

    try:
        processes = list(psutil.process_iter())
    except (psutil.Error, OSError) as error:
        raise CouldNotLook(f"the processes of this machine cannot be listed: {error}") from error
    for process in processes:
        try:
            if process.pid in own_pids or process.status() == psutil.STATUS_ZOMBIE or not _is_lightning(process):
                continue
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:  # not even its name: nothing hints at Lightning
            continue
        yield process.pid, *_call_of(process)


def _is_lightning(process: psutil.Process) -> bool:
    return process.name().startswith(_NAME)


def _call_of(process: psutil.Process) -> tuple[list[str], Path | None]:
    import psutil

    try:
        return _own_arguments(process.cmdline()), Path(process.cwd())
    except (psutil.Error, OSError):
        return [], None


def _own_arguments(argv: list[str]) -> list[str]:
    # Behind an interpreter (a wrapper script) the tool's own arguments begin after its path.
    at = next((i for i, word in enumerate(argv[:3]) if PurePath(word).name.startswith(_NAME)), 0)
    return argv[at + 1 :]
