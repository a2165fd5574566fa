"""A checkpoint schema as SQL text: what is needed to put it back by hand, whatever the client's settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

from safe_lightning.core.tables import quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.mysql_connection import ServerRefused, Session

_UNKNOWN_SCHEMA = 1049


def dump_schema(session: Session, schema: str) -> Iterator[str]:
    """Write a schema as statements, one row each; times are in the server's own zone, as the session's are.

    Raises CouldNotLook where there is no such schema or table, or where the rows are not as many as were counted.
    """
    names = _tables(session, schema)
    if not names:
        raise CouldNotLook(f"{session.place} has no table in {quote(schema)}")
    yield "SET SESSION sql_mode = '', time_zone = 'SYSTEM';\n"
    yield f"CREATE SCHEMA IF NOT EXISTS {quote(schema)};\nUSE {quote(schema)};\n"
    for name in names:
        yield from _dump_table(session, schema, name)


def _tables(session: Session, schema: str) -> list[str]:
    try:
        rows = session.query(f"SHOW FULL TABLES FROM {quote(schema)} WHERE Table_type = 'BASE TABLE'")
    except ServerRefused as error:
        if error.code == _UNKNOWN_SCHEMA:
            return []
        raise
    return sorted(_text(row[0]) for row in rows)


def _dump_table(session: Session, schema: str, name: str) -> Iterator[str]:
    place = f"{quote(schema)}.{quote(name)}"
    [(_, statement)] = session.query(f"SHOW CREATE TABLE {place}")
    yield f"{_text(statement)};\n"
    [(expected,)] = session.query(f"SELECT COUNT(*) FROM {place}")  # noqa: S608
    count = 0
    for row in session.stream(f"SELECT * FROM {place}"):  # noqa: S608
        count += 1
        yield f"INSERT INTO {quote(name)} VALUES ({', '.join(map(literal, row))});\n"  # noqa: S608
    if count != int(str(expected)):
        raise CouldNotLook(f"{place} has {expected} rows, yet {count} were read")
    yield f"-- {count} rows of {quote(name)}\n"


def literal(value: object) -> str:
    r"""Write a value so that it is read the same under every sql_mode and character set.

    >>> literal(None), literal(-5), literal("it's"), literal("a\\b"), literal(b"\x00")
    ('NULL', '-5', "'it''s'", "CONVERT(X'615c62' USING utf8mb4)", "X'00'")
    """
    if value is None:
        return "NULL"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if not isinstance(value, str | datetime | date):
        raise CouldNotLook(f"a value of type {type(value).__name__} in the checkpoint is not known")
    text = str(value)
    if text.isascii() and text.isprintable() and "\\" not in text:
        return "'" + text.replace("'", "''") + "'"
    return f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)"


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
