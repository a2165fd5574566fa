"""Many tables of a target in few statements: which are listed, and which hold rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from safe_lightning.core.tables import TableName, folded
from safe_lightning.lightning.mysql_connection import ServerRefused, Session

#: Names in one statement about information_schema, and tables in one that reads a row of each.
_NAMES_MOST = 500
_PROBES_MOST = 100

T = TypeVar("T")

#: What information_schema says of one table: its kind, its time of creation, its id.
Listed = tuple[Any, ...]


def batches(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """Cut into lists of at most so many."""
    left = iter(items)
    while batch := list(islice(left, most)):
        yield batch


def list_tables(session: Session, names: Sequence[TableName], id_column: str) -> dict[TableName, Listed | None]:
    """Ask what is listed under some names; None for one that is not. A name that is left out has to be asked alone.

    That is one of a statement that the server refused, and one that it answers with several spellings of.
    Raises CouldNotLook.
    """
    found: dict[TableName, Listed | None] = {}
    for batch in batches(sorted(names), _NAMES_MOST):
        try:
            found |= _match(batch, session.query(*_list_statement(batch, id_column)))
        except ServerRefused:
            continue
    return found


def _list_statement(names: Sequence[TableName], id_column: str) -> tuple[str, list[str]]:
    by_schema: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_schema[name.schema].append(name.table)
    wanted, values = list[str](), list[str]()
    for schema, tables in by_schema.items():
        wanted.append(f"table_schema = %s AND table_name IN ({', '.join(['%s'] * len(tables))})")
        values += [schema, *tables]
    columns = f"table_schema, table_name, table_type, UNIX_TIMESTAMP(create_time), {id_column}"
    return f"SELECT {columns} FROM information_schema.tables WHERE ({') OR ('.join(wanted)})", values  # noqa: S608


def _match(names: Sequence[TableName], rows: Iterable[Sequence[Any]]) -> dict[TableName, Listed | None]:
    # The server may compare by a collation that takes more for equal than TiDB does: accents, spaces at the end.
    exact: dict[TableName, Listed] = {}
    alike: dict[tuple[str, str], list[Listed]] = defaultdict(list)
    for schema, table, *rest in rows:
        name = TableName(text(schema), text(table))
        exact[name] = tuple(rest)
        alike[folded(name)].append(tuple(rest))
    found: dict[TableName, Listed | None] = {}
    for name in names:
        others = alike.get(folded(name), [])
        if name in exact or len(others) <= 1:
            found[name] = exact.get(name) or next(iter(others), None)
    return found


def empty_tables(session: Session, names: Sequence[TableName]) -> dict[TableName, bool]:
    """Ask which tables hold no row, reading one row of each at most; one that is left out has to be asked alone.

    Raises CouldNotLook.
    """
    found: dict[TableName, bool] = {}
    for batch in batches(names, _PROBES_MOST):
        parts = (
            f"SELECT n FROM (SELECT {number} AS n FROM {name} USE INDEX () LIMIT 1) t{number}"  # noqa: S608
            for number, name in enumerate(batch)
        )
        try:
            filled = {int(row[0]) for row in session.query(" UNION ALL ".join(parts))}
        except ServerRefused:
            continue
        found |= {name: number not in filled for number, name in enumerate(batch)}
    return found


def sees_all(session: Session) -> bool:
    """Whether nothing is hidden from the user, so that what is not listed is not there. Raises CouldNotLook.

    Only said of TiDB and MariaDB: in MySQL a right on everything can be revoked for one schema.
    """
    if not (session.is_tidb or "mariadb" in session.version.lower()):
        return False
    try:
        rows = session.query(
            "SELECT 1 FROM information_schema.user_privileges WHERE UPPER(privilege_type) = 'SELECT' AND grantee = "
            "CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') LIMIT 1"
        )
    except ServerRefused:
        return False
    return bool(rows)


def text(value: object) -> str:
    """Read a name that the server sends, whatever bytes it is made of."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
