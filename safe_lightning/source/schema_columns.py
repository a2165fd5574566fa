"""Column definitions: the type and every option behind it."""

from __future__ import annotations

import re
from dataclasses import field

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.schema_charset import CharsetRules, Collating
from safe_lightning.source.schema_keys import DraftKey, read_column_key_options
from safe_lightning.source.schema_model import ColumnDefinition, Default, DefaultKind, KeyPart
from safe_lightning.source.schema_tokens import SchemaError, Token, TokenStream
from safe_lightning.source.schema_types import read_type, settle_type

_NOW = ("current_timestamp", "now", "localtime", "localtimestamp", "current_date", "curdate", "current_time", "curtime")
_RESERVED = frozenset(
    {"primary", "unique", "key", "index", "constraint", "check", "foreign", "fulltext", "spatial", "not", "null"}
)


@dataclass
class DraftColumn:
    """A column while its definition is read: with the keys it declares, and whether it asks to be nullable."""

    definition: ColumnDefinition
    keys: list[DraftKey] = field(default_factory=list)
    is_nullable_by_word: bool = False


@dataclass
class _Options:
    is_nullable: bool | None = None
    default: Default = field(default_factory=Default)
    generated: str = ""
    expression: str = ""
    auto: str = ""
    collation: str | None = None
    keys: list[DraftKey] = field(default_factory=list)


def read_column(stream: TokenStream, inherited: Collating, rules: CharsetRules) -> DraftColumn:
    """Read `name type options`, up to the comma or the parenthesis. Raises SchemaError."""
    if stream.peek().is_word(*_RESERVED):
        stream.fail("expected a column name")
    name = stream.name()
    is_serial = stream.peek().is_word("serial")
    written = read_type(stream)
    options = _Options()
    if is_serial:
        _make_serial(options, name)
    while not _is_over(stream):
        _read_option(stream, name, options)
    written.collation = options.collation or written.collation
    of_type = settle_type(written, inherited, rules)
    is_key = any(key.is_primary for key in options.keys)
    definition = ColumnDefinition(
        name,
        of_type,
        is_nullable=not is_key if options.is_nullable is None else options.is_nullable,
        default=options.default,
        generated=options.generated,
        expression=options.expression,
        auto=options.auto,
    )
    is_null_default = options.default == Default(DefaultKind.LITERAL, None)
    return DraftColumn(definition, options.keys, options.is_nullable is True or is_null_default)


def _is_over(stream: TokenStream) -> bool:
    # `FIRST` and `AFTER x` follow a column in ALTER TABLE.
    token = stream.peek()
    return stream.is_at_end or (token.kind == "sign" and token.text in ",)") or token.is_word("first", "after")


def _make_serial(options: _Options, name: str) -> None:
    options.is_nullable, options.auto = False, "increment"
    options.keys.append(DraftKey(None, (KeyPart(name),), is_unique=True))


def _read_option(stream: TokenStream, name: str, options: _Options) -> None:
    if stream.takes("not", "null"):
        options.is_nullable = False
    elif stream.takes("null"):
        options.is_nullable = True
    elif stream.takes("default"):
        options.default = read_default(stream)
    elif stream.takes("serial", "default", "value"):
        _make_serial(options, name)
    elif stream.takes("auto_increment"):
        options.auto = "increment"
    elif stream.takes("auto_random"):
        options.auto = "random"
        if stream.peek().is_sign("("):
            stream.in_parentheses()
    elif stream.takes("collate"):
        options.collation = stream.word_or_text()
    elif stream.takes("generated", "always", "as") or stream.takes("as"):
        _read_generated(stream, options)
    elif not _read_key(stream, name, options):
        _read_idle_option(stream)


def _read_key(stream: TokenStream, name: str, options: _Options) -> bool:
    if stream.takes("unique"):
        stream.takes_any("key")
        key = DraftKey(None, (KeyPart(name),), is_unique=True)
    elif stream.takes("primary"):
        stream.takes_any("key")
        key = DraftKey(None, (KeyPart(name),), is_unique=True, is_primary=True)
    elif stream.takes("key"):
        key = DraftKey(None, (KeyPart(name),), is_unique=True, is_primary=True)
    else:
        return False
    read_column_key_options(stream, key)
    options.keys.append(key)
    return True


def _read_idle_option(stream: TokenStream) -> None:
    """Take an option that has no say in keys."""
    if stream.takes("comment"):
        stream.text()
    elif stream.takes_any("column_format", "storage"):
        stream.name()
    elif stream.takes("on", "update"):
        read_default(stream)
    elif stream.takes("references"):
        _read_reference(stream)
    elif stream.takes("check"):
        _read_check(stream)
    elif stream.takes("constraint"):
        if not stream.peek().is_word("check"):
            stream.name()
        stream.expect("check")
        _read_check(stream)
    elif stream.takes("secondary_engine_attribute") or stream.takes("engine_attribute"):
        stream.takes("=")
        stream.text()
    else:
        stream.fail("unexpected column option")


def _read_check(stream: TokenStream) -> None:
    stream.in_parentheses()
    if not stream.takes("not", "enforced"):
        stream.takes("enforced")


def _read_reference(stream: TokenStream) -> None:
    stream.table_name()
    if stream.peek().is_sign("("):
        stream.in_parentheses()
    if stream.takes("match"):
        stream.name()
    while stream.takes("on", "delete") or stream.takes("on", "update"):
        if not (stream.takes("set", "null") or stream.takes("set", "default") or stream.takes("no", "action")):
            stream.name()


def _read_generated(stream: TokenStream, options: _Options) -> None:
    options.expression = " ".join(token.raw for token in stream.in_parentheses())
    options.generated = stream.takes_any("virtual", "stored", "persistent") or "virtual"


def read_default(stream: TokenStream) -> Default:
    """Read what stands behind DEFAULT."""
    token = stream.peek()
    if token.is_sign("("):
        return Default(DefaultKind.EXPRESSION, " ".join(part.raw for part in stream.in_parentheses()))
    if stream.takes("null"):
        return Default(DefaultKind.LITERAL, None)
    if word := stream.takes_any("true", "false"):
        return Default(DefaultKind.LITERAL, "1" if word == "true" else "0")
    if word := stream.takes_any(*_NOW):
        if stream.peek().is_sign("("):
            stream.in_parentheses()
        return Default(DefaultKind.NOW, word)
    return _read_literal(stream, token)


def _read_literal(stream: TokenStream, token: Token) -> Default:
    sign = stream.takes_any("-", "+") or ""
    if stream.peek().kind == "number":
        return Default(DefaultKind.LITERAL, ("-" if sign == "-" else "") + stream.take().text)
    if token.kind == "word" and token.text.startswith("_"):
        stream.take()
    if stream.peek().kind == "text":
        return Default(DefaultKind.LITERAL, stream.text())
    if stream.peek().kind == "bits":
        return Default(DefaultKind.LITERAL, bits_value(stream.take().text))
    if token.kind == "word" and stream.peek(1).is_sign("("):
        name = stream.name()
        return Default(DefaultKind.EXPRESSION, f"{name}({' '.join(part.raw for part in stream.in_parentheses())})")
    raise stream.error("expected a default value")


def bits_value(text: str) -> bytes:
    r"""Read a hexadecimal or bit literal. Raises SchemaError for an odd x'…'.

    >>> bits_value("x'41'"), bits_value("0x1"), bits_value("b'101'")
    (b'A', b'\x01', b'\x05')
    """
    digits = re.sub(r"^(0x|0b|[xXbB]')|'$", "", text)
    if text[0] in "bB" or text.startswith("0b"):
        return int(digits or "0", 2).to_bytes((len(digits) + 7) // 8, "big")
    if len(digits) % 2 and not text.startswith("0x"):
        raise SchemaError(f"the literal {text} has an odd number of digits")
    return bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
