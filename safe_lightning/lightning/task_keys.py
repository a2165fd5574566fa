"""Every key of Lightning's config file from 4.0 to 8.5, its type, and what of a file Lightning would refuse for them.

A key that no release up to 8.5 knows is left to the child: a later one may. A value of a wrong type is refused by
all of them while decoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from enum import Enum

from safe_lightning.lightning.task import Problem

_INT64 = range(-(1 << 63), 1 << 63)
#: time.ParseDuration of Go.
_DURATION = re.compile(r"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_SIZE = re.compile(r"[0-9]+(?:\.[0-9]*)? ?(?:[kmgtp]?i?b?)", re.IGNORECASE)
_PROBLEMS_MOST = 20


class Kind(Enum):
    """The type of a key in Lightning's own structures."""

    TEXT = "string"
    INTEGER = "integer"
    FLOAT = "float"
    BOOL = "boolean"
    SIZE = "size"
    DURATION = "duration"
    TEXTS = "list of strings"
    TEXT_OR_TEXTS = "string or list of strings"
    TEXT_MAP = "table of strings"
    LEVEL = "off, optional or required"
    KEEP = "remove, rename or origin"
    STRATEGY = "strategy"
    MAX_ERROR = "integer or table"
    TABLE = "table"
    TABLES = "list of tables"
    ANY = "anything"


_SECTIONS: Mapping[str, Mapping[Kind, str]] = {
    "lightning": {
        Kind.INTEGER: "table-concurrency index-concurrency region-concurrency io-concurrency max-error-records "
        "max-size max-days max-backups pprof-port",
        Kind.BOOL: "check-requirements server-mode enable-diagnose-logs",
        Kind.TEXT: "meta-schema-name task-info-schema-name level file status-addr",
        Kind.MAX_ERROR: "max-error",
    },
    "security": {Kind.TEXT: "ca-path cert-path key-path", Kind.BOOL: "redact-info-log"},
    "checkpoint": {Kind.BOOL: "enable", Kind.TEXT: "driver schema dsn", Kind.KEEP: "keep-after-success"},
    "conflict": {
        Kind.STRATEGY: "strategy",
        Kind.BOOL: "precheck-conflict-before-import",
        Kind.INTEGER: "threshold max-record-rows",
    },
    "tikv-importer": {
        Kind.TEXT: "backend addr sorted-kv-dir keyspace-name compress-kv-pairs pause-pd-scheduler-scope",
        Kind.STRATEGY: "on-duplicate duplicate-resolution",
        Kind.INTEGER: "max-kv-pairs send-kv-pairs region-split-keys region-split-batch-size "
        "region-split-concurrency region-check-backoff-limit range-concurrency logical-import-batch-rows",
        Kind.SIZE: "send-kv-size region-split-size disk-quota engine-mem-cache-size local-writer-mem-cache-size "
        "store-write-bwlimit logical-import-batch-size block-size",
        Kind.BOOL: "incremental-import parallel-import add-index-by-sql logical-import-prep-stmt duplicate-detection",
    },
    "mydumper": {
        Kind.SIZE: "read-block-size batch-size max-region-size",
        Kind.FLOAT: "batch-import-ratio",
        Kind.TEXT: "source-id data-source-dir character-set data-character-set data-invalid-char-replace",
        Kind.TEXTS: "filter",
        Kind.BOOL: "no-schema case-sensitive strict-format default-file-rules",
        Kind.TABLES: "files ignore-columns ignore-data-columns",
        Kind.TABLE: "csv",
    },
    "mydumper.csv": {
        Kind.TEXT: "separator delimiter terminator escaped-by",
        Kind.BOOL: "header header-schema-match trim-last-separator not-null backslash-escape",
        Kind.TEXT_OR_TEXTS: "null",
        Kind.INTEGER: "max-region-size",
    },
    "mydumper.files": {Kind.TEXT: "pattern path schema table type key compression"},
    "mydumper.ignore-columns": {Kind.TEXT: "db table", Kind.TEXTS: "table-filter columns"},
    "mydumper.ignore-data-columns": {Kind.TEXT: "db table", Kind.TEXTS: "table-filter columns"},
    "tidb": {
        Kind.TEXT: "host user password pd-addr sql-mode tls log-level",
        Kind.INTEGER: "port status-port max-allowed-packet distsql-scan-concurrency build-stats-concurrency "
        "index-serial-scan-concurrency checksum-table-concurrency",
        Kind.TEXT_MAP: "session-vars",
        Kind.TABLE: "security",
    },
    "tidb.security": {Kind.TEXT: "ca-path cert-path key-path", Kind.BOOL: "redact-info-log"},
    "post-restore": {
        Kind.LEVEL: "checksum analyze",
        Kind.BOOL: "checksum-via-sql level-1-compact compact post-process-at-last",
    },
    "cron": {Kind.DURATION: "switch-mode log-progress check-disk-quota"},
    "routes": {
        Kind.TEXT: "schema-pattern table-pattern target-schema target-table",
        Kind.ANY: "extract-table extract-schema extract-source",
    },
    "black-white-list": {Kind.ANY: "do-tables do-dbs ignore-tables ignore-dbs"},
}

#: Dotted key → its type; sections themselves included.
KEYS: Mapping[str, Kind] = {
    **{name: Kind.TABLES if name == "routes" else Kind.TABLE for name in _SECTIONS if "." not in name},
    **{
        f"{name}.{key}": kind
        for name, kinds in _SECTIONS.items()
        for kind, keys in kinds.items()
        for key in keys.split()
    },
}
#: Keys that went away before 8.5, with the last release that knows them.
_GONE = {"black-white-list": "7.1", "tikv-importer.duplicate-detection": "5.2", "mydumper.csv.max-region-size": "4.0"}

LEVELS = {"off": "off", "false": "off", "optional": "optional", "required": "required", "true": "required"}
KEEPS = {"remove": "remove", "false": "remove", "rename": "rename", "true": "rename", "origin": "origin"}
#: Spellings of all releases, and what 8.5 makes of them.
STRATEGIES = {"": "", "none": "", "replace": "replace", "ignore": "ignore", "error": "error"}
STRATEGIES |= {"remove": "replace", "record": "replace", "unsafe-none": ""}


def find_wrong_types(data: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what Lightning's decoder would refuse: values of a wrong type, and words that are none of the known."""
    for key, value in _entries(data, ""):
        if (kind := KEYS.get(key)) and (message := _fault(kind, key, value)):
            yield Problem(key, message, _is_settled(kind, key, value))


def find_unknown_keys(data: Mapping[str, object]) -> list[Problem]:
    """Return the keys that 8.5 does not know, the outermost name of each; never certain, as another release may."""
    unknown = list(dict.fromkeys(key for key, _ in _entries(data, "") if key not in KEYS or key in _GONE))
    problems = [_unknown(key) for key in unknown[:_PROBLEMS_MOST]]
    if left := len(unknown) - len(problems):
        problems.append(Problem("", f"config file contained unknown configuration options: {left} more", False))
    return problems


def _is_settled(kind: Kind, key: str, value: object) -> bool:
    """Whether all releases agree: sizes were plain numbers once, and the old names of the strategy plain texts."""
    is_old_strategy = kind is Kind.STRATEGY and key != "conflict.strategy"
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return not (is_plain and (kind is Kind.SIZE or is_old_strategy))


def _unknown(key: str) -> Problem:
    message = f"config file contained unknown configuration options: {key}"
    if key in _GONE:
        return Problem(key, f"{message} (only releases up to {_GONE[key]} know it)", is_certain=False)
    nearest = _nearest(key)
    hint = f"; the nearest known one is {nearest}" if nearest else ""
    return Problem(key, f"{message} (no release up to 8.5 knows it{hint})", is_certain=False)


def _nearest(key: str) -> str | None:
    from difflib import get_close_matches  # costs too much for a good file

    name = key.rpartition(".")[2]
    misplaced = [known for known in KEYS if known.rpartition(".")[2] == name]
    return next(iter(misplaced or get_close_matches(key[:80], KEYS, 1, 0.75)), None)


def _entries(data: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    """Yield every dotted key; tables inside a list go by the name of the list, as in Lightning's own messages."""
    for name, value in data.items():
        key = f"{prefix}{name}"
        yield key, value
        if KEYS.get(key) in (Kind.TABLE, Kind.TABLES):
            for table in value if isinstance(value, list) else [value]:
                if isinstance(table, dict):
                    yield from _entries(table, f"{key}.")


def _fault(kind: Kind, key: str, value: object) -> str:
    """Say what is wrong with a value; "" if nothing is."""
    if isinstance(value, str) and kind in _WORDS:
        choices = ", ".join(f"'{word}'" for word in dict.fromkeys(_WORDS[kind].values()))
        said = f"invalid {key} '{value}', please choose valid option between [{choices}]"
        return "" if value.lower() in _WORDS[kind] else said
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        return f"{key}: {value if abs(value) < 10**30 else 'the number'} is out of range"
    if isinstance(value, str | int | float) and kind in (Kind.SIZE, Kind.DURATION) and not isinstance(value, bool):
        return _unit_fault(kind, key, str(value))
    return "" if _ACCEPTS[kind](value) else _mismatch(key, value, kind)


def _unit_fault(kind: Kind, key: str, text: str) -> str:
    form = _SIZE if kind is Kind.SIZE else _DURATION
    return "" if form.fullmatch(text) else f"{key}: invalid {kind.value} '{text}'"


def _mismatch(key: str, value: object, kind: Kind) -> str:
    return f"{key}: incompatible types: TOML value has type {_toml_type(value)}; destination has type {kind.value}"


def _toml_type(value: object) -> str:
    names: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "boolean"), (int, "integer"), (float, "float"), (str, "string"), (dict, "table"), (list, "array"),
        ((date, time), "datetime"),
    ]  # fmt: skip
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_WORDS: Mapping[Kind, Mapping[str, str]] = {Kind.LEVEL: LEVELS, Kind.KEEP: KEEPS, Kind.STRATEGY: STRATEGIES}
_ACCEPTS: Mapping[Kind, Callable[[object], bool]] = {
    Kind.ANY: lambda value: True,
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.INTEGER: _is_integer,
    Kind.FLOAT: lambda value: _is_integer(value) or isinstance(value, float),
    Kind.BOOL: lambda value: isinstance(value, bool),
    Kind.SIZE: _is_integer,
    Kind.DURATION: lambda value: False,
    Kind.TEXTS: _are_texts,
    Kind.TEXT_OR_TEXTS: lambda value: isinstance(value, str) or _are_texts(value),
    Kind.TEXT_MAP: lambda value: isinstance(value, dict) and all(isinstance(item, str) for item in value.values()),
    Kind.LEVEL: lambda value: isinstance(value, bool),
    Kind.KEEP: lambda value: isinstance(value, bool),
    Kind.STRATEGY: lambda value: False,
    Kind.MAX_ERROR: lambda value: _is_integer(value) or isinstance(value, dict),
    Kind.TABLE: lambda value: isinstance(value, dict),
    Kind.TABLES: lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
}
