"""Which file is what: Lightning's default naming rules and `[[mydumper.files]]`.

Source: pkg/lightning/mydump/router.go (defaultFileRouteRules, regexRouterParser) and config.go.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote_to_bytes

from safe_lightning.core.go_regex import GoRegexError, compile_go_regex
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task_file import flag_of, section, text_of
from safe_lightning.source.findings import ConfigProblem

NEWEST = (8, 5)
_COMPRESSED_SINCE = (7, 1)
_UNESCAPED_SINCE = (6, 1)


class FileType(StrEnum):
    """What a file holds, in Lightning's words."""

    DATABASE_SCHEMA = "schema-schema"
    TABLE_SCHEMA = "table-schema"
    VIEW_SCHEMA = "view-schema"
    SQL = "sql"
    CSV = "csv"
    PARQUET = "parquet"
    IGNORE = "ignore"

    @property
    def is_data(self) -> bool:
        """Whether it holds rows."""
        return self in (FileType.SQL, FileType.CSV, FileType.PARQUET)


class Compression(StrEnum):
    """How a file is compressed; the last three are recognised, and then Lightning fails to open the file."""

    NONE = ""
    GZIP = "gzip"
    ZSTD = "zstd"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    XZ = "xz"
    LZO = "lzo"

    @property
    def is_readable(self) -> bool:
        """Whether Lightning can read it."""
        return self not in (Compression.LZ4, Compression.XZ, Compression.LZO)


_COMPRESSIONS = {kind.value: kind for kind in Compression} | {"gz": Compression.GZIP, "zst": Compression.ZSTD}


class RouteError(ValueError):
    """A file matches a rule, yet its type or compression is none: Lightning gives up the whole run."""


@dataclass(frozen=True)
class Route:
    """What a rule makes of a file name."""

    type: FileType
    schema: str = ""
    table: str = ""
    sort_key: str = ""
    compression: Compression = Compression.NONE


@dataclass(frozen=True)
class FileRule:
    """A pattern, and the templates that its groups are put into."""

    pattern: re.Pattern[str]
    type: str
    schema: str = ""
    table: str = ""
    key: str = ""
    compression: str = ""
    has_escapes: bool = False

    def route(self, name: str) -> Route | None:
        """Apply the rule to a relative path with `/`; None where it does not match. Raises RouteError."""
        found = self.pattern.search(name)
        if found is None:
            return None
        kind = _type_named(expand(self.type, found))
        if self.type == FileType.IGNORE:
            return Route(FileType.IGNORE)
        table = "" if self.type == FileType.DATABASE_SCHEMA else self._name(self.table, found)
        compression = _compression_named(expand(self.compression, found))
        if kind is FileType.PARQUET and compression is not Compression.NONE:
            raise RouteError("can't support whole compressed parquet file")
        return Route(kind, self._name(self.schema, found), table, expand(self.key, found), compression)

    def _name(self, template: str, found: re.Match[str]) -> str:
        text = expand(template, found)
        return path_unescape(text) if self.has_escapes else text


def _type_named(text: str) -> FileType:
    try:
        return FileType(text.strip().lower())
    except ValueError:
        raise RouteError(f"unknown source type '{text}'") from None


def _compression_named(text: str) -> Compression:
    compression = _COMPRESSIONS.get(text.strip().lower())
    if compression is None:
        raise RouteError(f"invalid compression type '{text}'")
    return compression


_TEMPLATES = ("type", "schema", "table", "key", "compression")  # in the order of FileRule
_VARIABLE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")


def expand(template: str, found: re.Match[str]) -> str:
    """Put groups into a template as Go's Expand does: `$1`, `${1}`, `$name`, `$$`; an unmatched group is empty."""

    def value(variable: re.Match[str]) -> str:
        name = variable[1] or variable[2]
        if name is None:
            return "$"
        if name.isdigit():
            return (found[int(name)] or "") if int(name) <= found.re.groups else ""
        return (found[name] or "") if name in found.re.groupindex else ""

    return _VARIABLE.sub(value, template)


def path_unescape(text: str) -> str:
    """Undo percent-encoding as Go's url.PathUnescape does; a text with a broken escape stays as it is."""
    if re.search(r"%(?![0-9a-fA-F]{2})", text):
        return text
    return os.fsdecode(unquote_to_bytes(os.fsencode(text)))


def default_rules(version: tuple[int, int] = NEWEST) -> tuple[FileRule, ...]:
    """Return the rules for default names, in the order in which they are tried."""
    has_suffix = version >= _COMPRESSED_SINCE
    suffix = r"(?:\.(\w*?))?" if has_suffix else "()"
    data_suffix = r"(?:\.(\w+))?" if has_suffix else "()"
    folders = r"^(?:[^/]*/)*([^/.]+)"

    def rule(pattern: str, **templates: str) -> FileRule:
        compiled = re.compile(pattern + r"\Z", re.IGNORECASE | re.ASCII)
        return FileRule(compiled, has_escapes=version >= _UNESCAPED_SINCE, **templates)

    schema = {"schema": "$1", "table": "$2", "compression": "$3"}
    backups = [rule(r"\.(sql|csv|parquet)(\.(\w+))?\.(bak)", type="ignore")] if has_suffix else []
    return (
        rule(r"(-schema-trigger|-schema-post)\.sql" + suffix, type="ignore"),
        *backups,
        rule(folders + r"-schema-create\.sql" + suffix, type="schema-schema", schema="$1", compression="$2"),
        rule(folders + r"\.(.*?)-schema\.sql" + suffix, type="table-schema", **schema),
        rule(folders + r"\.(.*?)-schema-view\.sql" + suffix, type="view-schema", **schema),
        rule(
            folders + r"\.(.*?)(?:\.([0-9]+))?\.(sql|csv|parquet)" + data_suffix,
            type="$4",
            schema="$1",
            table="$2",
            key="$3",
            compression="$5",
        ),
    )


def read_file_rules(
    config: Mapping[str, Any], folder: PurePath, version: tuple[int, int] = NEWEST
) -> tuple[FileRule, ...]:
    """Read `[[mydumper.files]]`, followed by the default rules where these apply.

    Raises ConfigProblem where Lightning refuses a rule, CouldNotLook for a pattern that cannot be reproduced.
    """
    mydumper = section(config, "mydumper")
    written = mydumper.get("files", [])
    if not isinstance(written, list) or not all(isinstance(rule, dict) for rule in written):
        raise ConfigProblem("`mydumper.files` must be a list of tables")
    rules = tuple(_user_rule(rule, folder) for rule in written)
    if rules and not flag_of(mydumper, "default-file-rules", False):
        return rules
    return (*rules, *default_rules(version))


def _user_rule(rule: Mapping[str, Any], folder: PurePath) -> FileRule:
    pattern, path = text_of(rule, "pattern"), text_of(rule, "path")
    if bool(pattern) == bool(path):
        raise ConfigProblem("exactly one of `path` and `pattern` must be set in [[mydumper.files]]")
    templates = {name: text_of(rule, name) for name in _TEMPLATES}
    if path:
        compiled = re.compile(re.escape(_inside(path, folder)))
        templates = {name: template.replace("$", "$$") for name, template in templates.items()}
    else:
        compiled = _compiled(pattern)
    _check_templates(templates, compiled)
    kind, schema, table, key, compression = (templates[name] for name in _TEMPLATES)
    return FileRule(compiled, kind, schema, table, key, compression)


def _inside(path: str, folder: PurePath) -> str:
    if not path.startswith("/"):
        return path
    relative = os.path.relpath(path, folder)
    if relative.startswith(".."):
        raise ConfigProblem(f"file route path '{path}' is not in source dir '{folder}'")
    return relative


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return compile_go_regex(pattern)
    except GoRegexError as error:
        if error.is_certain:
            raise ConfigProblem(f"`mydumper.files.pattern`: {error}") from error
        raise CouldNotLook(f"the pattern `{pattern}` of [[mydumper.files]] cannot be reproduced: {error}") from error


def _check_templates(templates: Mapping[str, str], compiled: re.Pattern[str]) -> None:
    kind = templates["type"]
    needed: Sequence[str] = ("type", "schema", "table")
    if kind in (FileType.IGNORE, FileType.DATABASE_SCHEMA):
        needed = ("type",) if kind == FileType.IGNORE else ("type", "schema")
    for name in needed:
        if not templates[name]:
            raise ConfigProblem(f"field '{name}' match pattern can't be empty in [[mydumper.files]]")
    for name, template in templates.items():
        for variable in _VARIABLE.finditer(template):
            group = variable[1] or variable[2]
            if group is not None and not _has_group(compiled, group):
                raise ConfigProblem(f"sub pattern capture '{variable[0]}' of field '{name}' does not exist")


def _has_group(compiled: re.Pattern[str], group: str) -> bool:
    return int(group) <= compiled.groups if group.isdigit() else group in compiled.groupindex
