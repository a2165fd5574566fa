"""Config file and flags merged into one set of values, as Lightning lets the flags override the file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Any

from safe_lightning.core.goflags import GoFlags
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.redact import MASK, is_secret_name, redact_data
from safe_lightning.lightning.dsn import is_storage_url, without_query

_TEXT_FLAGS = {
    "L": "lightning.level",
    "log-file": "lightning.file",
    "status-addr": "lightning.status-addr",
    "tidb-host": "tidb.host",
    "tidb-user": "tidb.user",
    "tidb-password": "tidb.password",
    "pd-urls": "tidb.pd-addr",
    "d": "mydumper.data-source-dir",
    "backend": "tikv-importer.backend",
    "importer": "tikv-importer.addr",
    "sorted-kv-dir": "tikv-importer.sorted-kv-dir",
    "checksum": "post-restore.checksum",
    "analyze": "post-restore.analyze",
    "ca": "security.ca-path",
    "cert": "security.cert-path",
    "key": "security.key-path",
}
_NUMBER_FLAGS = {"tidb-port": "tidb.port", "tidb-status": "tidb.status-port"}
#: Booleans that have an effect with one of their values only.
_SETTING_FLAGS = {
    "no-schema": "mydumper.no-schema",
    "redact-info-log": "security.redact-info-log",
    "server-mode": "lightning.server-mode",
}
_CLEARING_FLAGS = {"enable-checkpoint": "checkpoint.enable", "check-requirements": "lightning.check-requirements"}


@dataclass(frozen=True)
class Values:
    """The file with the flags laid over it; a value of a wrong type reads as if it were not there."""

    data: Mapping[str, Any]

    def get(self, key: str) -> Any:  # noqa: ANN401 - whatever the file holds
        """Return what stands under a dotted key; None where nothing does."""
        found: Any = self.data
        for name in key.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def text(self, key: str, default: str = "") -> str:
        """Return a string."""
        value = self.get(key)
        return value if isinstance(value, str) else default

    def number(self, key: str, default: int = 0) -> int:
        """Return an integer."""
        value = self.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.get(key)
        return value if isinstance(value, bool) else default

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        """Return a list of tables."""
        value = self.get(key)
        return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []

    def word(self, key: str, words: Mapping[str, str], default: str = "") -> str:
        """Return what a word or a boolean stands for."""
        value = self.get(key)
        return words.get(str(value).lower(), default) if isinstance(value, bool | str) else default


def merge(data: Mapping[str, Any], flags: GoFlags) -> Values:
    """Lay the flags over the file. An empty text and a zero change nothing; ``-f`` replaces the file's filter."""
    merged = {name: dict(value) if isinstance(value, Mapping) else value for name, value in data.items()}
    for key, value in _overrides(flags).items():
        section, _, name = key.partition(".")
        if not isinstance(merged.get(section), dict):
            merged[section] = {}
        merged[section][name] = value
    return Values(merged)


def _overrides(flags: GoFlags) -> dict[str, object]:
    found: dict[str, object] = {key: flags.text(name) for name, key in _TEXT_FLAGS.items() if flags.text(name)}
    found |= {key: flags.number(name) for name, key in _NUMBER_FLAGS.items() if flags.number(name)}
    found |= {key: True for name, key in _SETTING_FLAGS.items() if flags.is_set(name)}
    found |= {key: False for name, key in _CLEARING_FLAGS.items() if flags.is_off(name)}
    if flags.filters:
        found["mydumper.filter"] = list(flags.filters)
    return found


def flatten(values: Values) -> dict[str, object]:
    """Return every dotted key with its value as plain JSON can hold it, secrets masked."""
    return {key: _shown(key, value) for key, value in _leaves(values.data, "")}


def _leaves(data: Mapping[str, Any], prefix: str) -> list[tuple[str, object]]:
    leaves: list[tuple[str, object]] = []
    for name, value in data.items():
        key = f"{prefix}{name}"
        leaves += _leaves(value, f"{key}.") if isinstance(value, Mapping) else [(key, value)]
    return leaves


def _shown(key: str, value: object) -> object:
    if value and is_secret_name(key):
        return MASK
    plain = _plain(value)
    return _shown_dsn(plain) if key == "checkpoint.dsn" and isinstance(plain, str) else redact_data(plain)


def _shown_dsn(dsn: str) -> str:
    if is_storage_url(dsn):
        return without_query(dsn)
    login, at, place = dsn.rpartition("@")
    user, colon, password = login.partition(":")
    return f"{user}:{MASK}@{place}" if at and colon and password else dsn


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):  # bytes of the command line that are no UTF-8 must not reach a JSON file
        return value.encode("utf-8", "replace").decode()
    return str(value) if isinstance(value, date | time) else value
