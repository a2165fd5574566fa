"""Names of tables and the totals a checksum compares."""

from __future__ import annotations

from collections.abc import Iterable

from safe_lightning.core.lean_dataclass import dataclass

_NAMES_SHOWN_MOST = 3


@dataclass(frozen=True, order=True)
class TableName:
    """A table of the target as Lightning names it: schema and table, unquoted.

    >>> str(TableName("app", "we`ird"))
    '`app`.`we``ird`'
    """

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{quote(self.schema)}.{quote(self.table)}"

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read the back-quoted form that Lightning logs and its control tool takes.

        Raises ValueError for anything else, above all for the unquoted ``db.table``
        that the control tool silently ignores (pingcap/tidb#67711).

        >>> TableName.parse("`a.b`.`c``d`")
        TableName(schema='a.b', table='c`d')
        """
        schema, rest = _read_quoted(text, 0)
        if text[rest : rest + 1] != ".":
            raise ValueError(f"not a back-quoted `schema`.`table`: {text!r}")
        table, end = _read_quoted(text, rest + 1)
        if end != len(text):
            raise ValueError(f"not a back-quoted `schema`.`table`: {text!r}")
        return cls(schema, table)


def quote(identifier: str) -> str:
    """Back-quote an identifier the way TiDB and the control tool expect it."""
    return "`" + identifier.replace("`", "``") + "`"


def folded(table: TableName) -> tuple[str, str]:
    """Return a name as TiDB compares it, without regard to case."""
    return table.schema.casefold(), table.table.casefold()


def shared_names(ours: Iterable[TableName] | None, theirs: Iterable[TableName] | None) -> frozenset[TableName]:
    """Return those of our tables that are theirs as well; none where one side's are not known (None)."""
    taken = {folded(table) for table in theirs or ()}
    return frozenset(table for table in ours or () if folded(table) in taken)


def some_names(tables: Iterable[TableName]) -> str:
    """Name a few tables and count the rest; "" for none."""
    names = [str(table) for table in sorted(tables)]
    more = f" and {len(names) - _NAMES_SHOWN_MOST} more" if len(names) > _NAMES_SHOWN_MOST else ""
    return ", ".join(names[:_NAMES_SHOWN_MOST]) + more


def _read_quoted(text: str, start: int) -> tuple[str, int]:
    if text[start : start + 1] != "`":
        raise ValueError(f"not a back-quoted `schema`.`table`: {text!r}")
    at, letters = start + 1, list[str]()
    while (close := text.find("`", at)) >= 0:
        letters.append(text[at:close])
        if text[close + 1 : close + 2] != "`":
            return "".join(letters), close + 1
        letters.append("`")
        at = close + 2
    raise ValueError(f"unterminated back-quote in {text!r}")


@dataclass(frozen=True)
class Totals:
    """One side of a checksum comparison: number and bytes of key-value pairs, and the XOR of their CRC64 sums.

    ``checksum`` is None where only the counts are known; ``bytes`` is 0 and says nothing without ``has_bytes``, as
    where DM words the comparison.
    """

    checksum: int | None
    kvs: int
    bytes: int
    has_bytes: bool = True

    @property
    def bytes_or_none(self) -> int | None:
        """Return the bytes as JSON tells them: None where they are not known."""
        return self.bytes if self.has_bytes else None

    def to_json(self) -> dict[str, int | None]:
        """Return it as every machine-readable form shows it."""
        return {"checksum": self.checksum, "kvs": self.kvs, "bytes": self.bytes_or_none}


@dataclass(frozen=True)
class Comparison:
    """What Lightning compared for a table; a side is None where the log does not say it."""

    remote: Totals | None
    local: Totals | None

    def to_json(self) -> dict[str, dict[str, int | None] | None]:
        """Return both sides; one that is not known is null."""
        sides = {"remote": self.remote, "local": self.local}
        return {name: side.to_json() if side else None for name, side in sides.items()}
