"""Fields of CSV: from their raw bytes to their value, and rows that can be cut at one stroke."""

from __future__ import annotations

import re
from collections.abc import Callable

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.csv_rules import CsvRules

_ESCAPES = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}


@dataclass(frozen=True)
class QuotedRow:
    """Expressions for a whole row that holds quotes and no escapes, and for a field with its separator."""

    row: re.Pattern[bytes]
    field: re.Pattern[bytes]


def quoted_row(separator: bytes, quote: bytes, escape: bytes, line_end: bytes) -> QuotedRow | None:
    """Build the expressions; None for a dialect with signs of several bytes. Nothing in them can backtrack."""
    signs = [sign for sign in (separator, quote, escape, line_end[:1]) if sign] + [b"\r", b"\n"] * (not line_end)
    if len(separator) != 1 or len(quote) != 1 or len(set(signs)) < len(signs):
        return None
    q, inside = re.escape(quote), b"[^" + re.escape(quote + escape) + b"]*+"
    bare = b"[^" + re.escape(separator + quote + escape + (line_end[:1] or b"\r\n")) + b"]*+"
    field = b"(?:" + q + inside + b"(?:" + q + q + inside + b")*+" + q + b"|" + bare + b")"
    end = re.escape(line_end) or b"[\r\n]"
    s = re.escape(separator)
    return QuotedRow(re.compile(field + b"(?:" + s + field + b")*+" + end), re.compile(b"(" + field + b")" + s))


@dataclass(frozen=True)
class QuotedRun:
    """Expressions for what can be taken at once within quotes, and for the pairs in it: escapes stay, quotes halve."""

    run: re.Pattern[bytes]
    pair: re.Pattern[bytes]
    quote: bytes

    def halve(self, content: bytes) -> bytes:
        """Make one quote of two, but not where an escape protects the first."""
        if self.quote not in content:
            return content
        return self.pair.sub(lambda found: found[1] or self.quote, content)


def quoted_run(quote: bytes, escape: bytes) -> QuotedRun | None:
    """Build the expressions; None for a quote of several bytes."""
    if len(quote) != 1 or quote == escape:
        return None
    q, e = re.escape(quote), re.escape(escape) + b"." if escape else b"(?!)"
    run = b"(?:[^" + re.escape(quote + escape) + b"]++|" + e + b"|" + q + q + b"){1,4096}+"
    return QuotedRun(re.compile(run, re.DOTALL), re.compile(b"(" + e + b")|" + q + q, re.DOTALL), quote)


def field_decoder(rules: CsvRules) -> Callable[[bytes], bytes | None]:
    """Build what turns a raw field into its value: character set, then escapes, then NULL.

    The decoder raises ValueError for a character whose decoding cannot be reproduced.
    """
    decode = rules.decoder.decode
    escape = rules.escaped_by.encode()
    nulls = frozenset() if rules.not_null else frozenset(text.encode() for text in rules.null)
    escaped_null = escape + b"N" if escape and escape + b"N" in nulls else None
    unescape = re.compile(re.escape(escape) + b"(.)", re.DOTALL)

    def value_of(field: bytes) -> bytes | None:
        text = decode(field)
        if escape and escape in text:
            if text == escaped_null:
                return None
            text = unescape.sub(_unescaped, text)
            if text == escaped_null:
                return text
        return None if text in nulls else text

    return value_of


def _unescaped(found: re.Match[bytes]) -> bytes:
    return _ESCAPES.get(found[1], found[1])
