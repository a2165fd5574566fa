"""CREATE TABLE as TiDB reads it, and what ALTER TABLE and CREATE INDEX do to the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.schema_charset import CharsetRules, Collating, canonical
from safe_lightning.source.schema_columns import DraftColumn, read_column
from safe_lightning.source.schema_keys import DraftKey, begins_key, name_keys, read_table_key, settle_key
from safe_lightning.source.schema_model import ColumnDefinition, KeyDefinition, TableDefinition
from safe_lightning.source.schema_tokens import SchemaError, TokenStream


@dataclass
class _Body:
    """The list between the parentheses, and what stands behind it."""

    columns: list[DraftColumn]
    table_keys: list[DraftKey]
    collating: Collating
    partition_columns: tuple[str, ...] = ()


def read_create_table(stream: TokenStream, name: str, inherited: Collating, rules: CharsetRules) -> TableDefinition:
    """Read a table from behind its name. Raises SchemaError where the server refuses or where it is not understood."""
    body_start = stream.mark()
    if not stream.peek().is_sign("("):
        stream.fail("only CREATE TABLE with a list of columns can be read")
    stream.in_parentheses()
    # What stands behind the list decides about the columns in it, so it is read first.
    collating, partition_columns = _read_table_options(stream, inherited, rules)
    stream.back_to(body_start)
    body = _Body([], [], collating, partition_columns)
    _read_list(stream, body, rules)
    return _assemble(name, body)


def _read_list(stream: TokenStream, body: _Body, rules: CharsetRules) -> None:
    stream.expect("(")
    while True:
        if begins_key(stream):
            key = read_table_key(stream)
            body.table_keys += [key] if key is not None else []
        else:
            body.columns.append(read_column(stream, body.collating, rules))
        if stream.takes(")"):
            return
        stream.expect(",")


def _assemble(name: str, body: _Body) -> TableDefinition:
    if not body.columns:
        raise SchemaError("a table must have at least one column")
    # Keys declared by columns come after those of the table when names are given.
    drafts = body.table_keys + [key for column in body.columns for key in column.keys]
    names = [column.definition.name.lower() for column in body.columns]
    if len(set(names)) != len(names):
        raise SchemaError("duplicate column name")
    columns = _with_primary(body.columns, drafts)
    name_keys(drafts, ())
    indexes = tuple(settle_key(draft, columns, clusters=True) for draft in drafts)
    check_partition(indexes, body.partition_columns, names)
    return TableDefinition(name, tuple(columns), indexes, body.collating.charset, body.collating.collation)


def _with_primary(columns: Sequence[DraftColumn], drafts: Sequence[DraftKey]) -> list[ColumnDefinition]:
    """Make the columns of the primary key NOT NULL. Raises SchemaError where they cannot be."""
    primaries = [draft for draft in drafts if draft.is_primary]
    if len(primaries) > 1:
        raise SchemaError("multiple primary key defined")
    named = {part.column.lower() for draft in primaries for part in draft.parts if part.column is not None}
    if any(part.column is None for draft in primaries for part in draft.parts):
        raise SchemaError("the primary key cannot be an expression index")
    return [
        primary_column(column.definition, column.is_nullable_by_word)
        if column.definition.name.lower() in named
        else column.definition
        for column in columns
    ]


def primary_column(column: ColumnDefinition, is_nullable_by_word: bool) -> ColumnDefinition:
    """Make a column part of the primary key. Raises SchemaError where it may be NULL or is virtual."""
    if is_nullable_by_word:
        raise SchemaError(f"all parts of a PRIMARY KEY must be NOT NULL: {column.name}")
    if column.generated == "virtual":
        raise SchemaError(f"a virtual generated column cannot be the primary key: {column.name}")
    return replace(column, is_nullable=False)


def check_partition(indexes: Sequence[KeyDefinition], partition_columns: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a unique key that is neither global nor holds all partitioning columns."""
    wanted = {name.lower() for name in partition_columns} & set(names)
    for key in indexes:
        held = {part.column.lower() for part in key.parts if part.column is not None}
        if key.is_unique and not key.is_global and not wanted <= held:
            raise SchemaError(f"key {key.name} does not hold all partitioning columns, and GLOBAL is not given")


def _read_table_options(
    stream: TokenStream, inherited: Collating, rules: CharsetRules
) -> tuple[Collating, tuple[str, ...]]:
    charset: str | None = None
    collation: str | None = None
    partition_columns: tuple[str, ...] = ()
    while not stream.is_at_end:
        named = read_charset_option(stream)
        if named is not None:
            if charset is not None and canonical(charset) != canonical(named):
                raise SchemaError(f"conflicting declarations: character sets {charset} and {named}")
            charset = named
        elif (named := read_collation_option(stream)) is not None:
            collation = named
        elif stream.takes("partition", "by"):
            partition_columns = _read_partition_columns(stream)
        elif stream.peek().is_word("select", "like", "as", "ignore", "replace"):
            stream.fail("CREATE TABLE from another table cannot be read")
        else:
            _skip_option(stream)
    return rules.resolve(charset, collation, inherited), partition_columns


def _skip_option(stream: TokenStream) -> None:
    if stream.peek().is_sign("("):
        stream.in_parentheses()
    elif stream.take().is_sign(")"):
        raise SchemaError("a parenthesis too many")


def read_charset_option(stream: TokenStream) -> str | None:
    """Take `[DEFAULT] CHARACTER SET [=] name`; None with nothing taken where something else comes."""
    start = stream.mark()
    stream.takes("default")
    if stream.takes("character", "set") or stream.takes("charset") or stream.takes("char", "set"):
        stream.takes("=")
        return stream.word_or_text()
    stream.back_to(start)
    return None


def read_collation_option(stream: TokenStream) -> str | None:
    """Take `[DEFAULT] COLLATE [=] name`; None with nothing taken where something else comes."""
    start = stream.mark()
    stream.takes("default")
    if stream.takes("collate"):
        stream.takes("=")
        return stream.word_or_text()
    stream.back_to(start)
    return None


def _read_partition_columns(stream: TokenStream) -> tuple[str, ...]:
    """Return every name in the partitioning expression; those that are no columns are sorted out later."""
    stream.takes("linear")
    while not stream.is_at_end and not stream.peek().is_sign("("):
        stream.take()
    return tuple(token.text for token in stream.in_parentheses() if token.kind in ("word", "name"))
