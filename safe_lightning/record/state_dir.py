"""Where runs, ledger, locks, baselines and fingerprints live."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: The place for imports that root or a service account runs.
SYSTEM = Path("/var/lib/safe-lightning")


class StateUnavailable(Exception):
    """There is no folder to record in; the sentence says where and why. Destructive steps are forbidden then."""


def find_state_dir(setting: str, environ: Mapping[str, str], system: Path = SYSTEM) -> Path:
    """Name the state folder without making it.

    The policy's ``state_dir``, else ``$XDG_STATE_HOME/safe-lightning``, else ``/var/lib/safe-lightning`` for root
    or where it stands and is writable, else ``~/.local/state/safe-lightning``. Raises StateUnavailable where none
    of them can be named.
    """
    home = environ.get("HOME", "")
    if setting:
        return _absolute(setting, home)
    base = environ.get("XDG_STATE_HOME", "")
    if base.startswith("/"):  # a relative one is to be ignored (XDG Base Directory Specification)
        return Path(base) / "safe-lightning"
    if os.geteuid() == 0 or (system.is_dir() and os.access(system, os.W_OK | os.X_OK)):
        return system
    if not home:
        raise StateUnavailable("no folder for the record: neither state_dir nor $XDG_STATE_HOME nor $HOME is set")
    return Path(home) / ".local" / "state" / "safe-lightning"


def _absolute(setting: str, home: str) -> Path:
    if setting == "~" or setting.startswith("~/"):
        if not home:
            raise StateUnavailable(f"no folder for the record: state_dir is {setting} and $HOME is not set")
        return Path(home) / setting[2:]
    return Path(os.path.abspath(setting))  # noqa: PTH100 - resolve() would raise on a cycle of links


def state_dir(setting: str, environ: Mapping[str, str], system: Path = SYSTEM) -> Path:
    """Return the state folder with its rooms made, for nobody but us to read. Raises StateUnavailable."""
    path = find_state_dir(setting, environ, system)
    try:
        for folder in (path, path / "runs", path / "locks", path / "baselines", path / "fingerprints"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise StateUnavailable(f"{folder} is not writable")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise StateUnavailable(f"{path} cannot be made: {reason}") from error
    return path
