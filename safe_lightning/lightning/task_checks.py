"""What Lightning rejects in a task whose types are right, in the order in which it looks.

A problem is certain where the text of file and flags decides it in every release. It is not where releases
differ, and where the disk decides: a hook that runs before the import may still change that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from safe_lightning.core.tablefilter import FilterError, parse_filter
from safe_lightning.lightning.dsn import read_mysql_dsn, without_query
from safe_lightning.lightning.task import Problem
from safe_lightning.lightning.task_disk import fault_of_file, fault_of_folder, read_lines
from safe_lightning.lightning.task_values import Values

Check = Callable[[Values, Path], Iterator[Problem]]

_BACKENDS = {"local", "tidb"}
_SCHEMES = ("file", "local", "s3", "noop", "gcs", "gs", "azure", "azblob")
_CHARSETS = {"", "binary", "utf8", "utf8mb4", "gb18030", "gbk", "latin1", "ascii"}
_TLS = {"", "false", "cluster", "skip-verify", "preferred"}
_SQL_MODES = {
    "REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE", "NOT_USED", "ONLY_FULL_GROUP_BY",
    "NO_UNSIGNED_SUBTRACTION", "NO_DIR_IN_CREATE", "POSTGRESQL", "ORACLE", "MSSQL", "DB2", "MAXDB", "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS", "NO_FIELD_OPTIONS", "MYSQL323", "MYSQL40", "ANSI", "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES", "STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE",
    "INVALID_DATES", "ALLOW_INVALID_DATES", "ERROR_FOR_DIVISION_BY_ZERO", "TRADITIONAL", "NO_AUTO_CREATE_USER",
    "HIGH_NOT_PRECEDENCE", "NO_ENGINE_SUBSTITUTION", "PAD_CHAR_TO_FULL_LENGTH",
}  # fmt: skip
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_AT_LEAST_ONE = {
    "local": ("region-split-batch-size", "region-split-concurrency"),
    "tidb": ("logical-import-batch-size", "logical-import-batch-rows"),
}


def backend_of(values: Values) -> str:
    """Return the backend in lower case, as Lightning compares it."""
    return values.text("tikv-importer.backend").lower()


def check_backend(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield what is wrong in [tikv-importer]."""
    key, backend = "tikv-importer.backend", backend_of(values)
    if not backend:
        # 4.0 falls back to the backend "importer", which is of no use without an address.
        has_importer = bool(values.text("tikv-importer.addr"))
        yield Problem(key, "tikv-importer.backend must not be empty!", not has_importer)
    elif backend not in _BACKENDS:
        yield Problem(key, f"unsupported `tikv-importer.backend` ({backend})", is_certain=False)
    for name in _AT_LEAST_ONE.get(backend, ()):
        if (number := values.number(f"tikv-importer.{name}", 1)) <= 0:
            yield Problem(f"tikv-importer.{name}", f"`tikv-importer.{name}` got {number}, should be larger than 0")
    if backend == "local":
        yield from _check_local(values, cwd)
    scope = values.text("tikv-importer.pause-pd-scheduler-scope", "table")
    if backend in _BACKENDS and scope.lower() not in ("table", "global"):
        message = "pause-pd-scheduler-scope is invalid, allowed value include: table, global"
        yield Problem("tikv-importer.pause-pd-scheduler-scope", message)


def _check_local(values: Values, cwd: Path) -> Iterator[Problem]:
    if is_parallel(values) and values.flag("tikv-importer.add-index-by-sql"):
        message = "tikv-importer.add-index-using-ddl cannot be used with tikv-importer.parallel-import"
        yield Problem("tikv-importer.add-index-by-sql", message, is_certain=False)
    folder, key = values.text("tikv-importer.sorted-kv-dir"), "tikv-importer.sorted-kv-dir"
    if not folder:
        yield Problem(key, "tikv-importer.sorted-kv-dir must not be empty!")
    elif (fault := fault_of_folder(cwd / folder)) and fault != "does not exist":
        yield Problem(key, f"tikv-importer.sorted-kv-dir ('{folder}') {fault}", is_certain=False)


def is_parallel(values: Values) -> bool:
    """Whether several Lightnings may fill one table, under the key's new or its old name."""
    return values.flag("tikv-importer.parallel-import") or values.flag("tikv-importer.incremental-import")


def check_csv(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield what is wrong in [mydumper.csv]."""
    separator = values.text("mydumper.csv.separator", ",")
    delimiter = values.text("mydumper.csv.delimiter", '"')
    escaped_by = values.text("mydumper.csv.escaped-by", "\\")
    if not separator:
        yield Problem("mydumper.csv.separator", "`mydumper.csv.separator` must not be empty")
    elif delimiter and (separator.startswith(delimiter) or delimiter.startswith(separator)):
        message = "`mydumper.csv.separator` and `mydumper.csv.delimiter` must not be prefix of each other"
        yield Problem("mydumper.csv.separator", message)
    if len(escaped_by.encode("utf-8", "replace")) > 1:
        yield Problem("mydumper.csv.escaped-by", "`mydumper.csv.escaped-by` must be empty or a single character")
        return
    if values.flag("mydumper.csv.backslash-escape", True):
        escaped_by = escaped_by or "\\"
    elif escaped_by == "\\":
        escaped_by = ""
    used = {"separator": separator, "delimiter": delimiter, "terminator": values.text("mydumper.csv.terminator")}
    for name, text in used.items():
        if escaped_by and text == escaped_by:
            message = f"cannot use '{text}' both as CSV {name} and `mydumper.csv.escaped-by`"
            yield Problem(f"mydumper.csv.{name}", message, is_certain=name != "terminator")


def check_source(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield what is wrong in the rest of [mydumper]."""
    if values.flag("mydumper.strict-format") and not values.text("mydumper.csv.terminator"):
        message = "mydumper.strict-format can not be used with empty mydumper.csv.terminator"
        yield Problem("mydumper.strict-format", message, is_certain=False)
    charset = values.text("mydumper.data-character-set")
    if charset.lower() not in _CHARSETS:
        yield Problem("mydumper.data-character-set", f"found unsupported data-character-set: {charset}")
    if values.get("black-white-list") and values.get("mydumper.filter") is not None:
        yield Problem(
            "black-white-list",
            "`mydumper.filter` and `black-white-list` cannot be simultaneously defined (and 7.2 and newer do not know "
            "[black-white-list])",
        )
    yield from _check_folder(values.text("mydumper.data-source-dir"), values, cwd)


def _check_folder(text: str, values: Values, cwd: Path) -> Iterator[Problem]:
    key = "mydumper.data-source-dir"
    if not text:
        yield Problem(key, "`mydumper.data-source-dir` is not set")
    elif found := _SCHEME.match(text):
        if found[1].lower() not in _SCHEMES:
            place = without_query(text)
            yield Problem(
                key,
                f"unsupported data-source-dir url '{place}', supported storage types are {','.join(_SCHEMES)}",
                is_certain=False,
            )
    elif _BAD_ESCAPE.search(text):
        yield Problem(key, f"cannot parse `mydumper.data-source-dir` {text}: invalid URL escape", is_certain=False)
    elif fault := fault_of_folder(cwd / text):
        yield Problem(key, f"'{text}': `mydumper.data-source-dir` {fault}", is_certain=False)


def check_security(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield the TLS files that Lightning would read and could not."""
    for section in ("security", "tidb.security"):
        if section == "tidb.security" and values.text("tidb.tls") == "false":
            continue
        named = {name: values.text(f"{section}.{name}-path") for name in ("ca", "cert", "key")}
        is_pair = bool(named["cert"] and named["key"])
        for name, path in named.items():
            if path and (name == "ca" or is_pair) and (fault := fault_of_file(cwd / path)):
                message = f"could not read {name} certificate: open {path}: {fault}"
                yield Problem(f"{section}.{name}-path", message, is_certain=False)


def check_tidb(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield what is wrong in [tidb]."""
    for mode in filter(None, values.text("tidb.sql-mode").split(",")):
        if mode not in _SQL_MODES:
            message = f"`mydumper.tidb.sql_mode` must be a valid SQL_MODE: '{mode}' is none"
            yield Problem("tidb.sql-mode", message, is_certain=mode.strip().upper() not in _SQL_MODES)
    tls = values.text("tidb.tls")
    if tls not in _TLS:
        yield Problem("tidb.tls", f"unsupported `tidb.tls` config {tls}")
    elif tls == "cluster" and not values.text("security.ca-path"):
        yield Problem("tidb.tls", "cannot set `tidb.tls` to 'cluster' without a [security] section")
    # With the local backend the port is fetched from the status port; a backend of another release may do either.
    if backend_of(values) == "tidb" and values.number("tidb.port") <= 0:
        yield Problem("tidb.port", "invalid `tidb.port` setting")


def check_checkpoint(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield what is wrong in [checkpoint]; of a store that is turned off nothing is looked at."""
    if not values.flag("checkpoint.enable", True):
        return
    driver, dsn, key = values.text("checkpoint.driver") or "file", values.text("checkpoint.dsn"), "checkpoint.dsn"
    if driver not in ("file", "mysql"):
        yield Problem("checkpoint.driver", f"unknown checkpoint driver '{driver}'")
    elif driver == "mysql" and dsn and read_mysql_dsn(dsn) is None:
        # The finer points of a DSN are left to Go's driver.
        message = "open checkpoint error: invalid DSN"
        yield Problem(key, message if "/" in dsn else f"{message}: missing the slash separating the database name",
                      is_certain="/" not in dsn)  # fmt: skip
    elif driver == "file" and dsn and read_mysql_dsn(dsn) is not None:
        yield Problem(
            key,
            f"open checkpoint error: releases since 6.6 take '{dsn}' for a MySQL address, as it has a single slash; "
            "a path of two or more folders is not mistaken",
            is_certain=False,
        )
    elif driver == "file" and dsn and "://" not in dsn and fault_of_folder(cwd / dsn) == "":
        yield Problem(key, f"open checkpoint error: read {dsn}: is a directory", is_certain=False)


def check_routes(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield routes without a pattern or without a target."""
    for route in values.tables("routes"):
        if not route.get("schema-pattern"):
            yield Problem("routes.schema-pattern", "schema pattern of table route rule should not be empty")
        elif not route.get("target-schema"):
            yield Problem("routes.target-schema", "target schema of table route rule should not be empty")


def check_filter(values: Values, cwd: Path) -> Iterator[Problem]:
    """Yield a table filter that cannot be read."""
    patterns = values.get("mydumper.filter")
    if not isinstance(patterns, list):
        return
    try:
        parse_filter([str(pattern) for pattern in patterns], read_file=lambda name: read_lines(cwd / name))
    except FilterError as error:
        yield Problem("mydumper.filter", f"parse filter failed: {error}", error.is_certain)
