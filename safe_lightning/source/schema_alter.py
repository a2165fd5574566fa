"""ALTER TABLE, CREATE INDEX and DROP INDEX: what they make of a table's columns and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from safe_lightning.core.columns import BYTE_TYPES, CHARACTER_TYPES
from safe_lightning.source.schema_charset import CharsetRules, Collating
from safe_lightning.source.schema_columns import DraftColumn, read_column, read_default
from safe_lightning.source.schema_keys import (
    DraftKey,
    begins_key,
    name_keys,
    read_table_key,
    settle_key,
    skip_item,
)
from safe_lightning.source.schema_model import (
    PRIMARY,
    ColumnDefinition,
    Default,
    KeyDefinition,
    TableDefinition,
)
from safe_lightning.source.schema_table import primary_column, read_charset_option, read_collation_option
from safe_lightning.source.schema_tokens import SchemaError, TokenStream

# Actions and options that touch neither a column nor a unique key.
_IDLE = {"attributes", "auto_id_cache", "auto_increment", "auto_random_base", "cache", "checksum", "comment"}
_IDLE |= {"compact", "connection", "disable", "enable", "engine", "force", "lock", "max_rows", "min_rows", "nocache"}
_IDLE |= {"order", "placement", "row_format", "set", "shard_row_id_bits", "stats_persistent", "ttl", "ttl_enable"}
_IDLE |= {"ttl_job_interval", "with", "without"}


class Alteration:
    """One ALTER TABLE being carried out on a table: every action sees the columns as they were before it.

    TiDB checks the actions of a statement against the table before it, so a key on a column that the same
    statement adds is refused.
    """

    def __init__(self, table: TableDefinition, rules: CharsetRules) -> None:
        self.before = table
        self.table = table
        self.renamed_to: str | None = None
        self._rules = rules

    def carry_out(self, stream: TokenStream) -> TableDefinition:
        """Carry out the actions of a statement, from behind the table's name. Raises SchemaError."""
        while not stream.is_at_end:
            self._act(stream)
            if not stream.takes(",") and not stream.is_at_end:
                self._option_or_fail(stream)
        return self.table

    def _act(self, stream: TokenStream) -> None:
        actions: dict[str, Callable[[TokenStream], None]] = {
            "add": self._add,
            "alter": self._alter,
            "drop": self._drop,
            "modify": self._modify,
            "change": self._change,
            "rename": self._rename,
            "convert": self._convert,
        }
        word = stream.takes_any(*actions)
        if word is not None:
            actions[word](stream)
        else:
            self._option_or_fail(stream)

    def _option_or_fail(self, stream: TokenStream) -> None:
        charset, collation = read_charset_option(stream), read_collation_option(stream)
        charset = charset or read_charset_option(stream)
        if charset is not None or collation is not None:
            self._inherit(self._rules.resolve(charset, collation, self._collating))
        elif stream.peek().is_word(*_IDLE):
            skip_item(stream)
        elif not stream.takes(","):
            stream.fail("unknown ALTER TABLE action")

    @property
    def _collating(self) -> Collating:
        return Collating(self.table.charset, self.table.collation)

    def _inherit(self, collating: Collating) -> None:
        self.table = replace(self.table, charset=collating.charset, collation=collating.collation)

    def _add(self, stream: TokenStream) -> None:
        if stream.peek().is_word("partition"):
            skip_item(stream)
        elif begins_key(stream):
            key = read_table_key(stream)
            if key is not None:
                self.add_key(key)
        else:
            stream.takes("column")
            stream.takes("if", "not", "exists")
            if stream.takes("("):
                self._add_column(read_column(stream, self._collating, self._rules), stream)
                while stream.takes(","):
                    self._add_column(read_column(stream, self._collating, self._rules), stream)
                stream.expect(")")
            else:
                self._add_column(read_column(stream, self._collating, self._rules), stream)

    def add_key(self, draft: DraftKey) -> None:
        """Add a key to the table. Raises SchemaError where the server refuses."""
        if draft.is_primary:
            if any(key.is_primary for key in self.table.indexes):
                raise SchemaError("multiple primary key defined")
            if draft.is_clustered:
                raise SchemaError("a clustered primary key cannot be added")
            self._make_primary(draft)
        name_keys([draft], [key.name for key in self.table.indexes])
        settle_key(draft, self.before.columns, clusters=False)
        key = settle_key(draft, self.table.columns, clusters=False)
        self.table = replace(self.table, indexes=(*self.table.indexes, key))

    def _make_primary(self, draft: DraftKey) -> None:
        named = {part.column.lower() for part in draft.parts if part.column is not None}
        self._set_columns(
            primary_column(column, False) if column.name.lower() in named else column for column in self.table.columns
        )

    def _set_columns(self, columns: Iterable[ColumnDefinition]) -> None:
        self.table = replace(self.table, columns=tuple(columns))

    def _add_column(self, column: DraftColumn, stream: TokenStream) -> None:
        if column.keys:
            raise SchemaError(f"a column cannot be added together with a key: {column.definition.name}")
        if self.table.position(column.definition.name) is not None:
            raise SchemaError(f"duplicate column name {column.definition.name!r}")
        columns = list(self.table.columns)
        columns.insert(self._place(stream, len(columns)), column.definition)
        self._set_columns(columns)

    def _place(self, stream: TokenStream, default: int) -> int:
        if stream.takes("first"):
            return 0
        if not stream.takes("after"):
            return default
        return self._existing(stream.name()) + 1

    def _existing(self, name: str) -> int:
        place = self.table.position(name)
        if place is None:
            raise SchemaError(f"column {name!r} does not exist")
        return place

    def _drop(self, stream: TokenStream) -> None:
        if stream.takes("primary", "key"):
            self._drop_primary()
        elif stream.takes_any("index", "key"):
            is_optional = stream.takes("if", "exists")
            self.drop_index(stream.name(), is_optional)
        elif stream.peek().is_word("foreign", "check", "constraint", "partition"):
            skip_item(stream)
        else:
            stream.takes("column")
            is_optional = stream.takes("if", "exists")
            self._drop_column(stream.name(), is_optional)
            stream.takes_any("restrict", "cascade")

    def _drop_primary(self) -> None:
        primary = [key for key in self.table.indexes if key.is_primary]
        if not primary or primary[0].is_clustered:
            raise SchemaError("there is no primary key that can be dropped")
        self.drop_index(PRIMARY, False)

    def drop_index(self, name: str, is_optional: bool) -> None:
        """Drop an index. Raises SchemaError where it does not exist, unless that is allowed."""
        kept = tuple(key for key in self.table.indexes if key.name.lower() != name.lower())
        if len(kept) == len(self.table.indexes) and not is_optional:
            raise SchemaError(f"index {name!r} does not exist")
        self.table = replace(self.table, indexes=kept)

    def _drop_column(self, name: str, is_optional: bool) -> None:
        place = self.table.position(name)
        if place is None:
            if is_optional:
                return
            raise SchemaError(f"column {name!r} does not exist")
        using = [key for key in self.table.indexes if key.uses(name)]
        if any(len(key.parts) > 1 or key.is_primary for key in using):
            raise SchemaError(f"the column {name!r} is part of a key and cannot be dropped")
        indexes = tuple(key for key in self.table.indexes if key not in using)
        columns = self.table.columns
        self.table = replace(self.table, columns=columns[:place] + columns[place + 1 :], indexes=indexes)

    def _modify(self, stream: TokenStream) -> None:
        stream.takes("column")
        self._replace_column(stream, stream.peek().text)

    def _change(self, stream: TokenStream) -> None:
        stream.takes("column")
        self._replace_column(stream, stream.name())

    def _replace_column(self, stream: TokenStream, old_name: str) -> None:
        place = self._existing(old_name)
        column = read_column(stream, self._collating, self._rules)
        if column.keys:
            raise SchemaError(f"a column cannot be changed together with a key: {old_name}")
        old, new = self.table.columns[place], column.definition
        using = [key for key in self.table.indexes if key.uses(old_name)]
        if using and self._rules.new_collation and _is_string(old) and old.type.collation != new.type.collation:
            raise SchemaError(f"the collation of {old_name} cannot be changed while it is part of a key")
        if any(key.is_primary for key in using):
            new = primary_column(new, column.is_nullable_by_word)
        columns = list(self.table.columns)
        del columns[place]
        columns.insert(self._place(stream, place), new)
        self._set_columns(columns)
        self._rename_in_keys(old_name, new.name)

    def _rename_in_keys(self, old_name: str, new_name: str) -> None:
        indexes = tuple(key.renamed(old_name, new_name) for key in self.table.indexes)
        drafts = [DraftKey(key.name, key.parts, key.is_unique) for key in indexes if key.uses(new_name)]
        for draft in drafts:
            settle_key(draft, self.table.columns, clusters=False)
        self.table = replace(self.table, indexes=indexes)

    def _rename(self, stream: TokenStream) -> None:
        if stream.takes("column"):
            old_name = stream.name()
            stream.expect("to")
            place, new_name = self._existing(old_name), stream.name()
            columns = list(self.table.columns)
            columns[place] = replace(columns[place], name=new_name)
            self._set_columns(columns)
            self._rename_in_keys(old_name, new_name)
        elif stream.takes_any("index", "key"):
            self._rename_index(stream)
        else:
            stream.takes_any("to", "as", "=")
            self.renamed_to = stream.table_name()[1]

    def _rename_index(self, stream: TokenStream) -> None:
        old_name = stream.name()
        stream.expect("to")
        new_name = stream.name()
        if new_name.lower() != old_name.lower() and new_name.lower() in {k.name.lower() for k in self.table.indexes}:
            raise SchemaError(f"index {old_name!r} cannot be renamed to {new_name!r}")
        self._change_index(old_name, lambda key: replace(key, name=new_name))

    def _alter(self, stream: TokenStream) -> None:
        if stream.takes("index"):
            name = stream.name()
            is_visible = stream.takes_any("visible", "invisible") == "visible"
            self._change_index(name, lambda key: replace(key, is_visible=is_visible))
        elif stream.peek().is_word("check", "constraint"):
            skip_item(stream)
        else:
            stream.takes("column")
            place = self._existing(stream.name())
            is_set = stream.takes("set", "default")
            if not is_set:
                stream.expect("drop", "default")
            default = read_default(stream) if is_set else Default()
            columns = list(self.table.columns)
            columns[place] = replace(columns[place], default=default)
            self._set_columns(columns)

    def _change_index(self, name: str, change: Callable[[KeyDefinition], KeyDefinition]) -> None:
        if name.lower() not in {key.name.lower() for key in self.table.indexes}:
            raise SchemaError(f"index {name!r} does not exist")
        indexes = [change(key) if key.name.lower() == name.lower() else key for key in self.table.indexes]
        self.table = replace(self.table, indexes=tuple(indexes))

    def _convert(self, stream: TokenStream) -> None:
        stream.expect("to")
        charset, collation = read_charset_option(stream), read_collation_option(stream)
        collating = self._rules.resolve(charset, collation, self._collating)
        strings = [column for column in self.table.columns if _is_string(column)]
        if any(key.uses(column.name) for key in self.table.indexes for column in strings):
            raise SchemaError("the collation of columns that are part of a key cannot be converted")
        self._inherit(collating)
        kept = [_converted(column, collating) for column in self.table.columns]
        self._set_columns(kept)


def _converted(column: ColumnDefinition, collating: Collating) -> ColumnDefinition:
    if not _is_string(column) or column.type.name in BYTE_TYPES:
        return column
    return replace(column, type=replace(column.type, charset=collating.charset, collation=collating.collation))


def _is_string(column: ColumnDefinition) -> bool:
    return column.type.name in CHARACTER_TYPES | BYTE_TYPES | {"enum", "set"}
