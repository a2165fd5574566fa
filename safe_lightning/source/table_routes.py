"""`[[routes]]`: source tables that are imported under another name, several into one.

Source: pkg/util/regexpr-router, pkg/util/table-router, pkg/util/table-rule-selector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from safe_lightning.core.go_regex import GoRegexError, compile_go_regex
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task_file import flag_of, section, text_of
from safe_lightning.source.findings import ConfigProblem

_Matcher = Callable[[str], bool]
# Key of the section, key of the column, key of the expression; in the order in which the columns are appended.
_EXTRACTORS = (
    ("extract-table", "table-regexp"),
    ("extract-schema", "schema-regexp"),
    ("extract-source", "source-regexp"),
)


class RouteConflict(ValueError):
    """A table matches more than one route of a level: Lightning gives up the whole run."""


@dataclass(frozen=True)
class _Extractor:
    column: str
    pattern: re.Pattern[str]
    takes: str

    def value(self, source: TableName, source_id: str) -> str:
        text = {"extract-table": source.table, "extract-schema": source.schema}.get(self.takes, source_id)
        found = self.pattern.search(text)
        return "".join(group or "" for group in found.groups()) if found else ""


@dataclass(frozen=True)
class _RouteRule:
    schema: _Matcher
    table: _Matcher | None
    target_schema: str
    target_table: str
    extractors: tuple[_Extractor, ...]

    def matches(self, name: TableName) -> bool:
        if not self.schema(name.schema):
            return False
        return self.table is None or not name.table or self.table(name.table)


@dataclass(frozen=True)
class TableRoutes:
    """The routes of a run. Names are compared without regard to case unless the run says otherwise."""

    rules: tuple[_RouteRule, ...] = ()
    is_case_sensitive: bool = False
    source_id: str = ""

    def target(self, source: TableName) -> TableName:
        """Tell where a source table goes; a table name "" stands for the schema itself. Raises RouteConflict."""
        matching = self._matching(source)
        chosen = [rule for rule in matching if rule.table is not None] if source.table else []
        chosen = chosen or [rule for rule in matching if rule.table is None]
        if len(chosen) > 1:
            raise RouteConflict(f"table {source.schema}.{source.table} matches more than one rule")
        if not chosen:
            return source
        return TableName(chosen[0].target_schema or source.schema, chosen[0].target_table or source.table)

    def constants(self, source: TableName) -> tuple[tuple[str, str], ...]:
        """List the columns, with their values, that routes append to every row of a source table."""
        matching = self._matching(source)
        chosen = [rule for rule in matching if rule.table is not None] or matching
        extractors = chosen[0].extractors if chosen else ()
        return tuple((one.column, one.value(source, self.source_id)) for one in extractors)

    def _matching(self, source: TableName) -> list[_RouteRule]:
        name = source if self.is_case_sensitive else TableName(source.schema.lower(), source.table.lower())
        return [rule for rule in self.rules if rule.matches(name)]


def read_table_routes(config: Mapping[str, Any]) -> TableRoutes:
    """Read `[[routes]]`. Raises ConfigProblem where Lightning refuses, CouldNotLook for what cannot be reproduced."""
    written = config.get("routes", [])
    if not isinstance(written, list) or not all(isinstance(rule, dict) for rule in written):
        raise ConfigProblem("`routes` must be a list of tables")
    mydumper = section(config, "mydumper")
    if written and mydumper.get("files"):
        raise ConfigProblem("table route is deprecated, can't config both [routes] and [mydumper.files]")
    is_case_sensitive = flag_of(mydumper, "case-sensitive", False)
    rules = tuple(_read_rule(rule, is_case_sensitive) for rule in written)
    return TableRoutes(rules, is_case_sensitive, text_of(mydumper, "source-id"))


def _read_rule(rule: Mapping[str, Any], is_case_sensitive: bool) -> _RouteRule:
    schema, table = text_of(rule, "schema-pattern"), text_of(rule, "table-pattern")
    target_schema = text_of(rule, "target-schema")
    if not schema or not target_schema:
        raise ConfigProblem("`schema-pattern` and `target-schema` must be set in [[routes]]")
    if not is_case_sensitive:
        schema, table = schema.lower(), table.lower()
    extractors = tuple(
        _Extractor(text_of(found, "target-column"), _compiled(text_of(found, expression)), name)
        for name, expression in _EXTRACTORS
        if (found := section(rule, name))
    )
    table_matcher = _matcher(table, is_case_sensitive) if table else None
    target_table = text_of(rule, "target-table")
    return _RouteRule(_matcher(schema, is_case_sensitive), table_matcher, target_schema, target_table, extractors)


def _compiled(pattern: str, ignore_case: bool = False) -> re.Pattern[str]:
    try:
        return compile_go_regex(pattern, ignore_case=ignore_case)
    except GoRegexError as error:
        if error.is_certain:
            raise ConfigProblem(f"invalid table route rule: {error}") from error
        raise CouldNotLook(f"the pattern `{pattern}` of [[routes]] cannot be reproduced: {error}") from error


def _matcher(pattern: str, is_case_sensitive: bool) -> _Matcher:
    if pattern.startswith("~"):
        compiled = _compiled(pattern[1:], ignore_case=not is_case_sensitive)
        return lambda name: compiled.search(name) is not None
    wildcards = re.compile(_wildcards(pattern), re.DOTALL)
    return lambda name: wildcards.fullmatch(name) is not None


def _wildcards(pattern: str) -> str:
    """Translate `*` (only at the end), `?` and `[a-z]`, `[!a-z]`."""
    parts, at = list[str](), 0
    while at < len(pattern):
        sign = pattern[at]
        close = pattern.find("]", at)
        if sign == "*":
            if at + 1 < len(pattern):
                raise ConfigProblem(f"invalid table route rule: pattern {pattern} not valid")
            parts.append(".*")
        elif sign == "?":
            parts.append(".")
        elif sign == "[" and close > at:
            parts.append(_character_class(pattern[at + 1 : close]))
            at = close
        else:
            parts.append(re.escape(sign))
        at += 1
    return "".join(parts)


def _character_class(inner: str) -> str:
    is_negated = inner.startswith("!") and inner != "!"
    signs = inner[1:] if is_negated else inner
    ranges, at = list[str](), 0
    while at < len(signs):
        if signs[at + 1 : at + 2] == "-" and at + 2 < len(signs):
            first, last = signs[at], signs[at + 2]
            ranges += [f"{re.escape(first)}-{re.escape(last)}"] if first <= last else []
            at += 3
        else:
            ranges.append(re.escape(signs[at]))
            at += 1
    if not ranges:
        return "." if is_negated else r"(?!)"
    return f"[{'^' if is_negated else ''}{''.join(ranges)}]"


def routed(names: Sequence[TableName], routes: TableRoutes) -> dict[TableName, list[TableName]]:
    """Group source tables by the table they are imported into. Raises RouteConflict."""
    groups: dict[TableName, list[TableName]] = {}
    for name in names:
        groups.setdefault(routes.target(name), []).append(name)
    return groups
