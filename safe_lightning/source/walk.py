"""The files of a source folder, in the order in which Lightning finds them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.findings import Level, SourceFinding

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")


@dataclass(frozen=True)
class FoundFile:
    """A file: its path relative to the folder with `/`, and its size. ``problem`` says why it cannot be read."""

    name: str
    size_bytes: int
    problem: str = ""


def local_folder(data_source_dir: str, cwd: Path) -> Path:
    """Resolve `data-source-dir`. Raises CouldNotLook for a folder that is not local, or is none."""
    if not data_source_dir:
        raise CouldNotLook("no data-source-dir is given")
    found = _SCHEME.match(data_source_dir)
    if found and found[1].lower() not in ("file", "local"):
        raise CouldNotLook(f"the source is in object storage ({found[1]}://), only local folders can be read")
    text = data_source_dir[found.end() :] if found else data_source_dir
    if re.search(r"[%?#]", text):
        raise CouldNotLook(f"Lightning reads '{data_source_dir}' as a URL, and %, ? and # are more than letters there")
    folder = Path(os.path.normpath(cwd / text))
    if not folder.is_dir():
        raise CouldNotLook(f"the data-source-dir {folder} is not a folder that can be read")
    return folder


def walk(folder: Path) -> tuple[list[FoundFile], list[SourceFinding]]:
    """List every file below a folder: depth first, names of a folder in byte order, files and folders mixed.

    Links to files are followed, links to folders are not entered, as Go's filepath.Walk does it. What cannot be
    listed is a finding. Source: br/pkg/storage/local.go, WalkDir.
    """
    findings: list[SourceFinding] = []
    if folder.is_symlink():
        # The walk looks at the link itself, and a link is no folder.
        message = f"{folder} is a symbolic link: Lightning finds no file in it and imports nothing"
        return [], [SourceFinding("linked-source-dir", message, Level.ERROR)]
    return list(_walk(folder, findings)), findings


def _walk(folder: Path, findings: list[SourceFinding]) -> Iterator[FoundFile]:
    # A stack rather than recursion: folders may be nested deeper than Python calls may.
    pending = [_names(folder, "", findings)]
    while pending:
        name = next(pending[-1], None)
        if name is None:
            pending.pop()
            continue
        path = folder / name
        try:
            is_folder = stat.S_ISDIR(path.lstat().st_mode)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield FoundFile(name, 0, f"cannot be looked at ({error.strerror})")
            continue
        if is_folder:
            pending.append(_names(folder, f"{name}/", findings))
        else:
            yield _look(path, name)


def _names(folder: Path, prefix: str, findings: list[SourceFinding]) -> Iterator[str]:
    try:
        names = sorted((path.name for path in (folder / prefix).iterdir()), key=os.fsencode)
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"the folder {prefix or '.'} cannot be listed ({error.strerror}): Lightning gives up here"
        findings.append(SourceFinding("unreadable-folder", message, Level.ERROR, prefix.rstrip("/") or None))
        return
    for name in names:
        yield prefix + name


def _look(path: Path, name: str) -> FoundFile:
    try:
        status = path.stat()
    except OSError as error:
        return FoundFile(name, 0, f"cannot be opened ({error.strerror})")
    if not stat.S_ISREG(status.st_mode):
        return FoundFile(name, status.st_size, "is not a regular file")
    readable = os.access(path, os.R_OK)
    return FoundFile(name, status.st_size, "" if readable else "cannot be opened (permission denied)")
