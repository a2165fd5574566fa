"""Key definitions: reading them, naming them as TiDB does, and refusing what it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from safe_lightning.core.columns import BLOB_BYTES, BYTE_TYPES, CHARACTER_TYPES, TEXT_BYTES
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.schema_charset import CHARACTER_BYTES
from safe_lightning.source.schema_model import PRIMARY, ColumnDefinition, KeyDefinition, KeyPart
from safe_lightning.source.schema_tokens import SchemaError, TokenStream

_KEY_BYTES_MOST = 3072


@dataclass
class DraftKey:
    """A key as it is written, without a name where it has none."""

    name: str | None
    parts: tuple[KeyPart, ...]
    is_unique: bool = False
    is_primary: bool = False
    is_clustered: bool | None = None
    is_visible: bool = True
    is_global: bool = False
    has_condition: bool = False


_KEY_WORDS = ("constraint", "primary", "unique", "key", "index", "foreign", "check", "fulltext")


def begins_key(stream: TokenStream) -> bool:
    """Tell whether a key or constraint comes next rather than a column; some of the words may name a column too."""
    if stream.peek().is_word("vector", "columnar"):
        return stream.peek(1).is_word("index", "key")
    return stream.peek().is_word(*_KEY_WORDS)


def read_table_key(stream: TokenStream) -> DraftKey | None:
    """Read a key or constraint of CREATE TABLE or ALTER TABLE ADD; None for one without an index that matters."""
    symbol = None
    if stream.takes("constraint") and not stream.peek().is_word("primary", "unique", "foreign", "check"):
        symbol = stream.name()
    if stream.takes("primary", "key"):
        return _read_index(stream, DraftKey(PRIMARY, (), is_unique=True, is_primary=True))
    if stream.takes("unique"):
        stream.takes_any("key", "index")
        return _read_index(stream, DraftKey(symbol, (), is_unique=True))
    if symbol is None and stream.takes_any("key", "index"):
        return _read_index(stream, DraftKey(None, ()))
    if not stream.takes_any("foreign", "check", "fulltext", "vector", "columnar"):
        stream.fail("unexpected constraint")
    skip_item(stream)
    return None


def skip_item(stream: TokenStream) -> None:
    """Take everything up to the comma or the parenthesis that ends an item of the list."""
    while not stream.is_at_end and not stream.peek().is_sign(",") and not stream.peek().is_sign(")"):
        if stream.peek().is_sign("("):
            stream.in_parentheses()
        else:
            stream.take()


def _read_index(stream: TokenStream, key: DraftKey) -> DraftKey:
    _takes_index_kind(stream)
    if not stream.peek().is_sign("("):
        name = stream.name()
        key.name = key.name or name
        _takes_index_kind(stream)
    key.parts = read_parts(stream)
    read_key_options(stream, key)
    return key


def _takes_index_kind(stream: TokenStream) -> bool:
    kinds = ("btree", "hash", "rtree", "hypo", "inverted")
    if stream.peek().is_word("using", "type") and stream.peek(1).is_word(*kinds):
        stream.take()
        stream.take()
        return True
    return False


def read_parts(stream: TokenStream) -> tuple[KeyPart, ...]:
    """Read `(a, b(10) DESC, (expression))`."""
    stream.expect("(")
    parts = [_read_part(stream)]
    while stream.takes(","):
        parts.append(_read_part(stream))
    stream.expect(")")
    return tuple(parts)


def _read_part(stream: TokenStream) -> KeyPart:
    if stream.peek().is_sign("("):
        tokens = stream.in_parentheses()
        if len(tokens) == 1 and tokens[0].kind in ("word", "name"):
            raise SchemaError("an expression index on a plain column is not supported")
        part = KeyPart(None, expression=" ".join(token.raw for token in tokens))
    else:
        part = KeyPart(stream.name())
        if stream.takes("("):
            part = KeyPart(part.column, stream.integer())
            stream.expect(")")
    stream.takes_any("asc", "desc")
    return part


def read_key_options(stream: TokenStream, key: DraftKey) -> None:
    """Read what follows the parts of a key."""
    while True:
        if stream.takes("key_block_size"):
            stream.takes("=")
            stream.integer()
        elif stream.takes("comment"):
            stream.text()
        elif stream.takes("with", "parser"):
            stream.name()
        elif stream.takes("where"):
            key.has_condition = True
            skip_item(stream)
        elif stream.takes("pre_split_regions"):
            stream.takes("=")
            stream.in_parentheses() if stream.peek().is_sign("(") else stream.take()
        elif not (_takes_index_kind(stream) or _takes_key_word(stream, key)):
            return


def _takes_key_word(stream: TokenStream, key: DraftKey) -> bool:
    words = ("visible", "invisible", "global", "local", "clustered", "nonclustered")
    word = stream.takes_any(*words)
    if word in ("clustered", "nonclustered"):
        if not key.is_primary:
            raise SchemaError(f"{word} is for primary keys")
        key.is_clustered = word == "clustered"
    elif word in ("visible", "invisible"):
        key.is_visible = word == "visible"
    elif word:
        key.is_global = word == "global"
    return word is not None


def read_column_key_options(stream: TokenStream, key: DraftKey) -> None:
    """Read what may follow PRIMARY KEY or UNIQUE within a column definition."""
    while stream.peek().is_word("clustered", "nonclustered", "global", "local"):
        _takes_key_word(stream, key)


def read_create_index(stream: TokenStream, is_unique: bool) -> tuple[DraftKey, str]:
    """Read `[IF NOT EXISTS] name ON table (…)` of CREATE INDEX; return the key and the table."""
    stream.takes("if", "not", "exists")
    key = DraftKey(stream.name(), (), is_unique=is_unique)
    read_key_options(stream, key)
    stream.expect("on")
    table = stream.table_name()[1]
    key.parts = read_parts(stream)
    read_key_options(stream, key)
    return key, table


def name_keys(drafts: Sequence[DraftKey], taken: Iterable[str]) -> None:
    """Give names to the keys that have none, as TiDB does: explicit names first, then the rest in order.

    Raises SchemaError for a name that is used twice. Source: pkg/ddl, checkConstraintNames.
    """
    names = {name.lower() for name in taken}
    for key in drafts:
        if key.name is not None and not key.is_primary:
            if key.name.lower() in names or key.name.lower() == PRIMARY.lower():
                raise SchemaError(f"duplicate or wrong key name {key.name!r}")
            names.add(key.name.lower())
    for key in drafts:
        if key.is_primary:
            key.name = PRIMARY
        elif key.name is None:
            key.name = _free_name(key, names)
            names.add(key.name)


def _free_name(key: DraftKey, names: set[str]) -> str:
    has_expression = any(part.column is None for part in key.parts)
    stem = "expression_index" if has_expression else (key.parts[0].column or "").lower()
    number = 2
    name = stem
    while name in names or name == PRIMARY.lower():
        name = f"{stem}_{number}"
        number += 1
    return name


def settle_key(draft: DraftKey, columns: Sequence[ColumnDefinition], clusters: bool) -> KeyDefinition:
    """Check a key against the columns of its table. Raises SchemaError where the server refuses.

    ``clusters`` tells what a primary key that says neither CLUSTERED nor NONCLUSTERED becomes.
    """
    by_name = {column.name.lower(): column for column in columns}
    parts = tuple(_settle_part(part, by_name) for part in draft.parts)
    used = [part.column.lower() for part in parts if part.column is not None]
    if len(set(used)) != len(used):
        raise SchemaError(f"a column stands twice in key {draft.name}")
    if sum(_key_bytes(part, by_name) for part in parts) > _KEY_BYTES_MOST:
        raise SchemaError(f"key {draft.name} is longer than {_KEY_BYTES_MOST} bytes")
    if draft.is_primary and not draft.is_visible:
        raise SchemaError("a primary key cannot be invisible")
    is_clustered = clusters if draft.is_clustered is None else draft.is_clustered
    return KeyDefinition(
        draft.name or PRIMARY,
        parts,
        is_unique=draft.is_unique,
        is_primary=draft.is_primary,
        is_clustered=draft.is_primary and is_clustered,
        is_visible=draft.is_visible,
        is_global=draft.is_global,
        not_checked=_obstacle(draft, parts, by_name),
    )


def _settle_part(part: KeyPart, by_name: dict[str, ColumnDefinition]) -> KeyPart:
    if part.column is None:
        return part
    column = by_name.get(part.column.lower())
    if column is None:
        raise SchemaError(f"key column {part.column!r} does not exist")
    name, kind, length = column.name, column.type.name, column.type.length
    if kind not in CHARACTER_TYPES | BYTE_TYPES:
        if kind in ("json", "vector", "geometry"):
            raise SchemaError(f"the {kind} column {name!r} cannot be part of a key")
        if part.prefix is not None:
            raise SchemaError(f"incorrect prefix key on {name!r}: it is no string")
        return KeyPart(name)
    is_large = kind in TEXT_BYTES or kind in BLOB_BYTES
    if part.prefix is None and is_large:
        raise SchemaError(f"the {kind} column {name!r} needs a key length")
    if part.prefix is not None and (part.prefix == 0 or part.prefix > (length or 0)):
        raise SchemaError(f"incorrect prefix key on {name!r}: {part.prefix} of {length}")
    if length == 0:
        raise SchemaError(f"the column {name!r} of length 0 cannot be part of a key")
    return KeyPart(name, None if part.prefix == length and not is_large else part.prefix)


def _key_bytes(part: KeyPart, by_name: dict[str, ColumnDefinition]) -> int:
    if part.column is None:
        return 0
    of_type = by_name[part.column.lower()].type
    if of_type.name not in CHARACTER_TYPES | BYTE_TYPES:
        return 0
    return (part.prefix or of_type.length or 0) * CHARACTER_BYTES[of_type.charset]


def _obstacle(draft: DraftKey, parts: Sequence[KeyPart], by_name: dict[str, ColumnDefinition]) -> str | None:
    """Say why the values of a key cannot be told from a file; None where they can."""
    for part in parts:
        if part.column is None:
            return f"it indexes the expression {part.expression}"
        column = by_name[part.column.lower()]
        if column.generated:
            return f"the column {column.name} is generated ({column.expression})"
    return "it indexes only the rows that a condition selects" if draft.has_condition else None
