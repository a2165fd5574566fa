"""From Lightning's options to the kernel's dialect; None where the kernel does not know the signs."""

from __future__ import annotations

import ctypes

from safe_lightning.conflicts.kernel.binding import NULL_BYTES_MOST, NULLS_MOST, Dialect
from safe_lightning.source.csv_rules import CsvRules

_UTF8 = ("binary", "utf8mb4", "utf8", "ascii")


def csv_dialect(rules: CsvRules) -> Dialect | None:
    """Build the dialect of CSV files, without field places; None if the reference reader has to read them."""
    separator, quote = rules.encoded(rules.separator), rules.encoded(rules.delimiter)
    end, escape = rules.encoded(rules.terminator), rules.escaped_by.encode()
    signs = [separator, *([quote] if quote else []), *([escape] if escape else [])]
    singles = [*signs, *(bytes([byte]) for byte in end or b"\r\n")]
    if any(len(sign) != 1 or sign >= b"\x80" for sign in singles) or len(end) > 2 or len(set(singles)) < len(singles):
        return None
    dialect = Dialect(separator=separator[0], has_quote=bool(quote), has_escape=bool(escape), ends=len(end))
    dialect.quote, dialect.escape = (quote or b"\0")[0], (escape or b"\0")[0]
    for place, byte in enumerate(end):
        dialect.end[place] = byte
    dialect.trims_last = rules.trim_last_separator
    dialect.is_foreign = rules.charset not in _UTF8
    return dialect if _add_nulls(dialect, rules) else None


def _add_nulls(dialect: Dialect, rules: CsvRules) -> bool:
    """Add the texts that mean NULL; an escape and N is a case of its own, as it is compared undecoded."""
    if rules.not_null:
        return True
    texts = {text.encode() for text in rules.null}
    escaped = rules.escaped_by.encode() + b"N"
    if rules.escaped_by and escaped in texts:
        texts.remove(escaped)
        dialect.escaped_null = 1
    if len(texts) > NULLS_MOST or any(len(text) > NULL_BYTES_MOST for text in texts):
        return False
    for place, text in enumerate(sorted(texts)):
        dialect.null_size[place] = len(text)
        ctypes.memmove(dialect.null_text[place], text, len(text))
    dialect.nulls = len(texts)
    return True


def sql_dialect(first_row: bytes, *, has_escapes: bool) -> Dialect:
    """Build the dialect of a SQL dump; which quotes its texts stand in is seen from the first row."""
    quotes = sorted((place, sign) for sign in b"'\"" if (place := first_row.find(sign)) >= 0)
    quote = quotes[0][1] if quotes else ord("'")
    return Dialect(separator=ord(","), quote=quote, has_quote=1, escape=ord("\\"), has_escape=has_escapes, is_sql=1)
