"""What a failed import left on this machine's disks: engine folders, and files that were being written."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from safe_lightning.core.cleaning import Kind, Leaving
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.engine_folders import engine_folder
from safe_lightning.lightning.task import Task

_FOLDER = re.compile(
    r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(\.sst|\.dupdetect|\.dupresult)?(\.safe-lightning)?"
)
#: A folder is renamed before it is emptied, so that nobody opens half of an engine.
_GOING = ".safe-lightning"
#: Engine numbers that are tried to tell whose a folder is that no checkpoint tells of: the index engine is -1.
_NUMBERS = range(-1, 64)
#: ``struct flock`` of 64-bit Linux.
_FLOCK = "hhqqi4x"
_TEMPORARY_SUFFIXES = (".tmp.*", ".safe-lightning.????????")


def look_at_engines(
    task: Task, engines: Mapping[TableName, Iterable[int]], *, is_told_of: bool = True
) -> list[Leaving]:
    """Look for engine folders in the sorted-kv-dir, table by table. Raises CouldNotLook.

    ``engines`` names the tables of the import and the engines that its checkpoint knows. A folder's name is a hash of
    table and engine, so whose it is can be told of those tables only. ``is_told_of``: there is a checkpoint of this
    import. Without one a folder may belong to a checkpoint elsewhere, which could still be resumed.
    """
    if task.backend != "local" or not task.sorted_kv_dir:
        return [Leaving(Kind.ENGINES, "engine folders", False, "only the local backend has them")]
    place = task.cwd / task.sorted_kv_dir
    owners = {engine_folder(place, table, number).name: table for table in engines
              for number in {*engines[table], *_NUMBERS}}  # fmt: skip
    found: dict[TableName | None, list[str]] = defaultdict(list)
    for name in _folders(place):
        match = _FOLDER.fullmatch(name)
        if match:
            found[owners.get(match[1])].append(name)
    leavings = [_of_table(place, table, sorted(names), is_told_of=is_told_of) for table, names in found.items()]
    return leavings or [Leaving(Kind.ENGINES, str(place), False, "it holds no engine folder")]


def _folders(place: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CouldNotLook(f"{place} cannot be looked at: {error.strerror}") from error


def _of_table(place: Path, table: TableName | None, names: list[str], *, is_told_of: bool) -> Leaving:
    folders = [place / name for name in names]
    facts = {"folders": [str(folder) for folder in folders]}
    said = f"{len(names)} folder(s) in {place}, {_words(sum(map(_size, folders)))}"
    if table is None:
        return Leaving(
            Kind.ENGINES, f"{place}, others", True, f"{said}, of tables that are not this import's", facts=facts
        )
    is_ours = True if is_told_of else None
    said += "" if is_told_of else ", which no checkpoint tells of: --give-up takes them for this import's"
    return Leaving(Kind.ENGINES, str(table), True, said, is_ours, _held_by(folders), table, facts)


def _size(folder: Path) -> int:
    """Sum up the files of a folder as far as they can be seen: one may go while it is looked at."""
    sizes = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                sizes += os.lstat(Path(place) / name).st_size
            except OSError:
                continue
    return sizes


def _words(size_bytes: int) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes} {unit}"
        size_bytes //= 1024
    return f"{size_bytes} TiB"


def _held_by(folders: Iterable[Path]) -> str:
    for folder in folders:
        try:
            if pid := lock_holder(folder / "LOCK"):
                return f"process {pid} holds the lock of {folder}"
        except OSError as error:
            return f"whether {folder} is in use is not known: {error.strerror}"
    return ""


def lock_holder(path: Path) -> int:
    """Return the process that holds the lock of an engine's store (pebble's ``LOCK``); 0 where none does.

    The lock is only asked for, never taken: a Lightning that starts meanwhile must not meet it. Raises OSError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return 0 if kind == fcntl.F_UNLCK else int(pid) or -1


def delete_folders(leaving: Leaving) -> list[Path]:
    """Delete the folders of a leaving, each renamed before, and return them.

    Raises OSError, and CouldNotLook for one that is in use.
    """
    names = leaving.facts["folders"]
    folders = [Path(str(name)) for name in names] if isinstance(names, list) else []
    if held := _held_by(folders):
        raise CouldNotLook(held)
    for folder in folders:
        going = folder if folder.name.endswith(_GOING) else folder.with_name(folder.name + _GOING)
        if folder != going and folder.is_dir():
            folder.rename(going)
        if going.is_dir() and not going.is_symlink():
            shutil.rmtree(going)
    return folders


def look_at_temporary_files(task: Task) -> list[Leaving]:
    """Look for what a full disk or a kill left beside the checkpoint file. Raises CouldNotLook."""
    path = task.checkpoint.path
    if path is None or not task.checkpoint.enabled:
        return [Leaving(Kind.TEMPORARY, "beside the checkpoint", False, "the checkpoint is no local file")]
    try:
        found = sorted({file for suffix in _TEMPORARY_SUFFIXES for file in _matching(path, suffix)})
    except OSError as error:
        raise CouldNotLook(f"{path.parent} cannot be looked at: {error.strerror}") from error
    return [file_leaving(Kind.TEMPORARY, file) for file in found] or [
        Leaving(Kind.TEMPORARY, "beside the checkpoint", False, "there is none")
    ]


def _matching(path: Path, suffix: str) -> Iterator[Path]:
    pattern = re.escape(path.name) + re.escape(suffix).replace(r"\*", r"[0-9A-Za-z-]+").replace(r"\?", "[0-9a-f]")
    try:
        files = list(path.parent.iterdir())
    except FileNotFoundError:
        return
    for file in files:
        if re.fullmatch(pattern, file.name) and file.is_file() and not file.is_symlink():
            yield file


def file_leaving(kind: Kind, path: Path, *, is_ours: bool | None = True, about: str = "") -> Leaving:
    """Describe a file. Raises OSError."""
    state = path.stat()
    facts = {"path": str(path), "inode": state.st_ino, "size_bytes": state.st_size}
    return Leaving(kind, str(path), True, f"{_words(state.st_size)}{about}", is_ours, facts=facts)
