"""Tables out of DDL: a schema that statements are applied to, one after another, as the server would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.schema_alter import Alteration
from safe_lightning.source.schema_charset import CharsetRules, Collating
from safe_lightning.source.schema_keys import read_create_index
from safe_lightning.source.schema_model import TableDefinition
from safe_lightning.source.schema_table import read_charset_option, read_collation_option, read_create_table
from safe_lightning.source.schema_tokens import SchemaError, TokenStream, statements_of

# Statements that define no table; anything else that is unknown makes the answer uncertain.
_IDLE = (
    "lock",
    "unlock",
    "use",
    "begin",
    "commit",
    "start",
    "flush",
    "analyze",
    "insert",
    "replace",
    "delete",
    "update",
)


@dataclass
class Schema:
    """A database while its DDL is read. ``collating`` is what its tables inherit."""

    rules: CharsetRules = field(default_factory=CharsetRules)
    collating: Collating = field(default_factory=Collating)
    sql_mode: frozenset[str] = frozenset()
    tables: dict[str, TableDefinition] = field(default_factory=dict)

    def set_options(self, options: str) -> None:
        """Apply the options of CREATE DATABASE, such as `character set latin1`. Raises SchemaError."""
        for stream in statements_of(options, self.sql_mode):
            self._read_options(stream)

    def apply(self, sql: str, table_name: str | None = None) -> None:
        """Apply a text of statements. Raises SchemaError at the first that is refused or not understood.

        With ``table_name``, every CREATE TABLE makes the table of that name whatever it says itself, as Lightning
        rewrites the statements of a schema file.
        """
        for stream in statements_of(sql, self.sql_mode):
            self._apply_one(stream, table_name)

    def table(self, name: str) -> TableDefinition | None:
        """Return a table, found without regard to case."""
        return self.tables.get(name.lower())

    def _apply_one(self, stream: TokenStream, table_name: str | None) -> None:
        if stream.takes("create"):
            self._create(stream, table_name)
        elif stream.takes("alter", "table"):
            self._alter_table(stream)
        elif stream.takes("alter", "database") or stream.takes("alter", "schema"):
            self._read_options(stream)
        elif stream.takes("drop"):
            self._drop(stream)
        elif stream.takes("set"):
            self._set(stream)
        elif not stream.peek().is_word(*_IDLE):
            stream.fail("unknown statement")

    def _create(self, stream: TokenStream, table_name: str | None) -> None:
        if stream.takes("database") or stream.takes("schema"):
            stream.takes("if", "not", "exists")
            stream.name()
            self._read_options(stream)
        elif stream.takes("table"):
            self._create_table(stream, table_name)
        elif stream.takes("unique", "index") or stream.takes("unique", "key"):
            self._create_index(stream, True)
        elif stream.takes("index"):
            self._create_index(stream, False)
        elif stream.peek().is_word("temporary", "global"):
            stream.fail("temporary tables cannot be imported into")

    def _create_table(self, stream: TokenStream, table_name: str | None) -> None:
        is_optional = stream.takes("if", "not", "exists")
        written = stream.table_name()[1]
        name = table_name or written
        if name.lower() in self.tables:
            if is_optional or table_name:
                return
            raise SchemaError(f"table {name!r} already exists")
        self.tables[name.lower()] = read_create_table(stream, name, self.collating, self.rules)

    def _create_index(self, stream: TokenStream, is_unique: bool) -> None:
        key, name = read_create_index(stream, is_unique)
        alteration = Alteration(self._existing(name), self.rules)
        alteration.add_key(key)
        self.tables[name.lower()] = alteration.table

    def _alter_table(self, stream: TokenStream) -> None:
        name = stream.table_name()[1]
        alteration = Alteration(self._existing(name), self.rules)
        table = alteration.carry_out(stream)
        if alteration.renamed_to is not None:
            del self.tables[name.lower()]
            name = alteration.renamed_to
            table = replace(table, name=name)
        self.tables[name.lower()] = table

    def _existing(self, name: str) -> TableDefinition:
        table = self.table(name)
        if table is None:
            raise SchemaError(f"table {name!r} does not exist")
        return table

    def _drop(self, stream: TokenStream) -> None:
        if stream.takes("table"):
            is_optional = stream.takes("if", "exists")
            names = [stream.table_name()[1]]
            while stream.takes(","):
                names.append(stream.table_name()[1])
            for name in names:
                if self.tables.pop(name.lower(), None) is None and not is_optional:
                    raise SchemaError(f"table {name!r} does not exist")
        elif stream.takes("index"):
            is_optional = stream.takes("if", "exists")
            index = stream.name()
            stream.expect("on")
            name = stream.table_name()[1]
            alteration = Alteration(self._existing(name), self.rules)
            alteration.drop_index(index, is_optional)
            self.tables[name.lower()] = alteration.table
        elif stream.takes("database") or stream.takes("schema"):
            self.tables.clear()

    def _set(self, stream: TokenStream) -> None:
        stream.takes_any("session", "local", "global")
        variable = stream.peek().text.lower()
        if variable.removeprefix("@@").removeprefix("session.") == "default_collation_for_utf8mb4":
            stream.take()
            stream.takes("=")
            self.rules = replace(self.rules, utf8mb4_collation=stream.word_or_text().lower())

    def _read_options(self, stream: TokenStream) -> None:
        charset: str | None = None
        collation: str | None = None
        while not stream.is_at_end:
            found, other = read_charset_option(stream), read_collation_option(stream)
            charset, collation = found or charset, other or collation
            if found is None and other is None:
                stream.take()
        self.collating = self.rules.resolve(charset, collation, self.collating)


def read_schema(statements: Iterable[str], schema: Schema | None = None) -> Schema:
    """Apply statements to an empty schema, or to the one given. Raises SchemaError."""
    schema = schema or Schema()
    for statement in statements:
        schema.apply(statement)
    return schema
