"""Schema files: what Lightning executes of them, and the definition they give."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from safe_lightning.source.files import Source, discover
from safe_lightning.source.schema_files import SchemaOptions, TableSchema, statements_in, table_schema

BAD_DATABASE = b"CREATE DATABASE s CHARACTER SET frob;"
CREATE = b"CREATE TABLE `x` (a int, b varchar(9), UNIQUE KEY u (b));\n"


@pytest.mark.parametrize(
    ("data", "kept", "rest"),
    [
        (b"/*!40101 SET NAMES binary*/;\nCREATE TABLE t (a int);\n", b"CREATE TABLE t (a int);", b""),
        (b"\xef\xbb\xbf  CREATE TABLE t (\r\n\r\n  a int\r\n);\r\n", b"CREATE TABLE t (\na int\n);", b""),
        (b"CREATE TABLE t (a int)", b"", b"CREATE TABLE t (a int)"),
        (b"/* only a comment */", b"", b""),
        (b"/*! CREATE TABLE t (a int) */;", b"", b""),
        (b"a; b;\nc", b"a; b;", b"c"),
        (b"-- old;\nCREATE TABLE t (a int);", b"-- old;CREATE TABLE t (a int);", b""),
        (b"", b"", b""),
    ],
)
def test_statements(data: bytes, kept: bytes, rest: bytes) -> None:
    assert statements_in(data) == (kept, rest)


def source(folder: Path, files: dict[str, bytes]) -> Source:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return discover(str(folder), Path("/"))


def read(folder: Path, files: dict[str, bytes], options: SchemaOptions | None = None) -> TableSchema:
    found = source(folder, files | {"s.t.csv": b"a,b\n"})
    return table_schema(found, found.tables[0], options or SchemaOptions())


def test_the_file_names_the_table_not_the_statement(tmp_path: Path) -> None:
    found = read(tmp_path, {"s.t-schema.sql": CREATE})
    assert found.definition is not None
    assert (found.definition.name, [key.name for key in found.definition.unique_keys]) == ("t", ["u"])
    assert found.findings == ()


def test_of_several_tables_in_a_file_the_first_counts(tmp_path: Path) -> None:
    found = read(tmp_path, {"s.t-schema.sql": CREATE + b"CREATE TABLE y (z int);\n"})
    assert found.definition is not None
    assert [column.name for column in found.definition.columns] == ["a", "b"]


def test_the_database_file_gives_the_character_set(tmp_path: Path) -> None:
    database = b"CREATE DATABASE `s` /*!40100 DEFAULT CHARACTER SET latin1 */;\n"
    found = read(tmp_path, {"s-schema-create.sql": database, "s.t-schema.sql": CREATE})
    assert found.definition is not None
    assert found.definition.columns[1].type.collation == "latin1_bin"


def test_a_compressed_schema_file(tmp_path: Path) -> None:
    assert read(tmp_path, {"s.t-schema.sql.gz": gzip.compress(CREATE, mtime=0)}).definition is not None


def test_a_schema_file_in_gb18030(tmp_path: Path) -> None:
    found = read(tmp_path, {"s.t-schema.sql": "CREATE TABLE t (`列` int unique);".encode("gb18030")})
    assert found.definition is not None
    assert found.definition.columns[0].name == "列"


def test_an_index_made_on_the_written_name_of_another_table_is_not_guessed(tmp_path: Path) -> None:
    found = read(tmp_path, {"s.t-schema.sql": CREATE + b"CREATE UNIQUE INDEX i ON x (a);\n"})
    assert found.definition is None


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "no-schema-file"),
        ({"s.t-schema.sql": b"CREATE TABLE t (a frob);"}, "schema-not-understood"),
        ({"s.t-schema.sql": b"\xff;"}, "schema-charset"),
        ({"s.t-schema.sql": b""}, "schema-without-table"),
        ({"s.t-schema.sql": b"CREATE TABLE t (a int)"}, "unfinished-statement"),
        ({"s.t-schema.sql.gz": gzip.compress(CREATE, mtime=0)[:-4]}, "truncated-compression"),
        ({"s.t-schema.sql.lz4": b"x"}, "unreadable-compression"),
        ({"s.t-schema.sql": CREATE, "s-schema-create.sql": BAD_DATABASE}, "schema-not-understood"),
        ({"s.t-schema.sql": b"x" * (17 << 20)}, "schema-too-large"),
    ],
)  # fmt: skip
def test_without_a_definition_a_finding_says_why(tmp_path: Path, files: dict[str, bytes], code: str) -> None:
    found = read(tmp_path, files)
    assert found.definition is None
    assert code in {finding.code for finding in found.findings}
