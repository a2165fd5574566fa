"""Discovery: the tables of a folder, their files in Lightning's order, and what is odd about them."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.file_rules import Compression
from safe_lightning.source.files import Source, discover
from safe_lightning.source.findings import ConfigProblem, Level
from safe_lightning.source.walk import walk


def lay_out(folder: Path, *names: str, content: bytes = b"id\n1\n") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def look(folder: Path, text: str = "", table_filter: tuple[str, ...] = ()) -> Source:
    return discover(str(folder), Path("/"), tomllib.loads(text), table_filter)


def tables(source: Source) -> dict[str, list[str]]:
    return {str(table.table): [file.name for file in table.files] for table in source.tables}


def codes(source: Source, least: Level = Level.WARN) -> set[str]:
    order = list(Level)
    return {finding.code for finding in source.findings if order.index(finding.level) >= order.index(least)}


def test_a_dump_of_one_schema(tmp_path: Path) -> None:
    lay_out(tmp_path, "s-schema-create.sql", "s.a-schema.sql", "s.a.csv", "s.b-schema.sql", "s.b.2.sql", "s.b.1.sql.gz")
    source = look(tmp_path)
    assert tables(source) == {"`s`.`a`": ["s.a.csv"], "`s`.`b`": ["s.b.1.sql.gz", "s.b.2.sql"]}
    found = source.table(TableName("S", "B"))
    assert found is not None
    assert found.schema_file is not None
    assert (found.schema_file.name, found.files[0].compression) == ("s.b-schema.sql", Compression.GZIP)
    assert source.database_files["s"].name == "s-schema-create.sql"
    assert source.findings == ()


def test_files_are_ordered_by_their_key_as_text_and_then_as_found(tmp_path: Path) -> None:
    names = ["s.t.10.csv", "s.t.2.csv", "s.t.csv", "b/s.t.2.csv", "b.x/s.t.2.csv", "c/s.t.csv"]
    source = look(lay_out(tmp_path, *names))
    assert tables(source)["`s`.`t`"] == [
        "c/s.t.csv",
        "s.t.csv",
        "s.t.10.csv",
        "b/s.t.2.csv",
        "b.x/s.t.2.csv",
        "s.t.2.csv",
    ]


def test_files_and_folders_are_walked_mixed_and_in_byte_order(tmp_path: Path) -> None:
    lay_out(tmp_path, "b.csv", "b/z", "B", "a/b/c", "a.b", "é", "~")
    found, findings = walk(tmp_path)
    assert [file.name for file in found] == ["B", "a/b/c", "a.b", "b/z", "b.csv", "~", "é"]
    assert findings == []


def test_a_deeply_nested_folder_is_walked(tmp_path: Path) -> None:
    # Deeper than Python's calls may nest; taken down again by hand, because shutil.rmtree recurses.
    folders = [tmp_path]
    for _ in range(1200):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    file = folders[-1] / "x"
    file.touch()
    try:
        assert [found.name.count("/") for found in walk(tmp_path)[0]] == [1200]
    finally:
        file.unlink()
        for folder in reversed(folders[1:]):
            folder.rmdir()


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path: Path) -> None:
    real = lay_out(tmp_path / "real", "x.csv", "more/s.u.csv", content=b"id\n1\n2\n")
    data = lay_out(tmp_path / "data", "s.a.csv")
    (data / "s.t.csv").symlink_to(real / "x.csv")
    (data / "more").symlink_to(real / "more")
    source = look(data)
    assert tables(source) == {"`s`.`a`": ["s.a.csv"], "`s`.`t`": ["s.t.csv"]}
    assert [table.size_bytes for table in source.tables] == [5, 7]


def test_a_linked_source_folder_holds_nothing_for_lightning(tmp_path: Path) -> None:
    real = lay_out(tmp_path / "real", "s.t.csv")
    (tmp_path / "data").symlink_to(real)
    source = look(tmp_path / "data")
    assert source.tables == ()
    assert "linked-source-dir" in codes(source, Level.ERROR)


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "s.t.csv").symlink_to("nowhere")
    assert "unreadable-file" in codes(look(tmp_path), Level.ERROR)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.t.csv")
    assert "unreadable-file" in codes(look(tmp_path), Level.ERROR)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_found(tmp_path: Path) -> None:
    lay_out(tmp_path, "s.t.csv", "closed/s.u.csv")
    (tmp_path / "s.t.csv").chmod(0)
    (tmp_path / "closed").chmod(0)
    try:
        assert {"unreadable-file", "unreadable-folder"} <= codes(look(tmp_path), Level.ERROR)
    finally:
        (tmp_path / "closed").chmod(stat.S_IRWXU)


FINDINGS: list[tuple[tuple[str, ...], str, Level]] = [
    (("s.t.csv", "s.t.csv.bz2"), "unroutable-file", Level.ERROR),
    (("s.t.csv.lz4",), "unreadable-compression", Level.ERROR),
    (("s.t-schema.sql",), "no-data-file", Level.WARN),
    (("s.t.csv",), "no-schema-file", Level.NOTE),
    (("s.t.csv", "README"), "unmatched-file", Level.NOTE),
    (("s.t-schema.sql", "x/s.t-schema.sql"), "two-schema-files", Level.ERROR),
    (("s-schema-create.sql", "x/s-schema-create.sql"), "two-schema-files", Level.ERROR),
    (("s.v-schema-view.sql",), "view-without-table", Level.ERROR),
    (("S.T.1.csv", "s.t.2.csv"), "case-clash", Level.WARN),
    (("s..csv",), "empty-table-name", Level.ERROR),
    (("README",), "no-table", Level.WARN),
    ((), "no-table", Level.WARN),
]


@pytest.mark.parametrize(("names", "code", "level"), FINDINGS)
def test_findings(tmp_path: Path, names: tuple[str, ...], code: str, level: Level) -> None:
    source = look(lay_out(tmp_path, *names))
    assert (code, level) in {(finding.code, finding.level) for finding in source.findings}


@pytest.mark.parametrize(
    ("name", "level"), [("s.t.csv", Level.WARN), ("s.t.csv.zst", Level.WARN), ("s.t.csv.gz", Level.ERROR)]
)
def test_a_file_without_a_byte(tmp_path: Path, name: str, level: Level) -> None:
    found = [f for f in look(lay_out(tmp_path, name, content=b"")).findings if f.code == "zero-bytes"]
    assert [(finding.level, finding.file) for finding in found] == [(level, name)]


def test_of_many_files_without_a_rule_only_some_are_named(tmp_path: Path) -> None:
    source = look(lay_out(tmp_path, "s.t.csv", *(f"x{n}" for n in range(50))))
    found = [finding for finding in source.findings if finding.code == "unmatched-file"]
    assert len(found) == 21
    assert "30 more" in found[-1].message


def test_names_that_differ_only_in_case_are_one_table(tmp_path: Path) -> None:
    assert tables(look(lay_out(tmp_path, "S.T.1.csv", "s.t.2.csv"))) == {"`S`.`T`": ["S.T.1.csv", "s.t.2.csv"]}


def test_a_view_is_no_table_without_data(tmp_path: Path) -> None:
    source = look(lay_out(tmp_path, "s.v-schema.sql", "s.v-schema-view.sql"))
    assert [(table.is_view, codes(source)) for table in source.tables] == [(True, set())]


@pytest.mark.parametrize(
    ("table_filter", "expected"),
    [
        ((), ["`app`.`a`", "`app`.`b`"]),
        (("app.a",), ["`app`.`a`"]),
        (("APP.*", "!*.b"), ["`app`.`a`"]),
        (("mysql.*",), ["`mysql`.`user`"]),
    ],
)
def test_the_filter_chooses_source_tables(tmp_path: Path, table_filter: tuple[str, ...], expected: list[str]) -> None:
    source = look(lay_out(tmp_path, "app.a.csv", "app.b.csv", "mysql.user.csv"), table_filter=table_filter)
    assert sorted(tables(source)) == expected
    assert source.filtered_count == 3 - len(expected)


def test_a_filter_may_be_case_sensitive(tmp_path: Path) -> None:
    source = look(lay_out(tmp_path, "app.a.csv"), "[mydumper]\ncase-sensitive = true", ("APP.*",))
    assert source.tables == ()


def test_a_filter_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("app.a\n")
    source = look(lay_out(tmp_path / "data", "app.a.csv", "app.b.csv"), table_filter=(f"@{tmp_path}/rules",))
    assert sorted(tables(source)) == ["`app`.`a`"]


ROUTES = """
[[routes]]
schema-pattern = "shard_*"
table-pattern = "t*"
target-schema = "all"
target-table = "t"
[routes.extract-schema]
schema-regexp = "shard_(.*)"
target-column = "shard"
"""


def test_shards_become_one_table(tmp_path: Path) -> None:
    lay_out(tmp_path, "shard_1.t1.csv", "shard_1.t1-schema.sql", "shard_2.t9.csv", "shard_2.t9-schema.sql")
    source = look(tmp_path, ROUTES)
    assert tables(source) == {"`all`.`t`": ["shard_1.t1.csv", "shard_2.t9.csv"]}
    assert [file.constants for file in source.tables[0].files] == [(("shard", "1"),), (("shard", "2"),)]
    assert [str(file.source_table) for file in source.tables[0].files] == ["`shard_1`.`t1`", "`shard_2`.`t9`"]
    assert codes(source) == set()


def test_the_filter_sees_names_before_routes(tmp_path: Path) -> None:
    source = look(lay_out(tmp_path, "shard_1.t1.csv", "shard_2.t1.csv"), ROUTES, ("shard_1.*",))
    assert tables(source) == {"`all`.`t`": ["shard_1.t1.csv"]}


def test_a_table_on_two_routes_is_found(tmp_path: Path) -> None:
    assert "route-conflict" in codes(look(lay_out(tmp_path, "shard_1.t1.csv"), ROUTES + ROUTES), Level.ERROR)


def test_own_file_rules(tmp_path: Path) -> None:
    text = "[[mydumper.files]]\npattern = '^(\\w+)/(\\w+)-(\\d+)\\.dat$'\n"
    text += "schema = '$1'\ntable = '$2'\nkey = '$3'\ntype = 'csv'"
    source = look(lay_out(tmp_path, "app/t-2.dat", "app/t-1.dat", "app.u.csv"), text)
    assert tables(source) == {"`app`.`t`": ["app/t-1.dat", "app/t-2.dat"]}


@pytest.mark.parametrize(
    ("data_source_dir", "words"),
    [
        ("", "no data-source-dir"),
        ("s3://bucket/prefix?access-key=x", "object storage"),
        ("gcs://bucket", "object storage"),
        ("/nowhere/at/all", "not a folder"),
        ("/tmp/100%/x", "as a URL"),
        ("/etc/hostname", "not a folder"),
    ],
)
def test_what_cannot_be_looked_at(data_source_dir: str, words: str) -> None:
    with pytest.raises(CouldNotLook, match=words) as caught:
        discover(data_source_dir, Path("/"))
    assert "access-key" not in str(caught.value)


@pytest.mark.parametrize("form", ["{}", "file://{}", "local://{}", "{}/", "{}/../{name}"])
def test_forms_of_the_source_folder(tmp_path: Path, form: str) -> None:
    lay_out(tmp_path, "s.t.csv")
    assert discover(form.format(tmp_path, name=tmp_path.name), Path("/")).folder == tmp_path


def test_a_relative_folder_is_relative_to_the_run(tmp_path: Path) -> None:
    lay_out(tmp_path / "data", "s.t.csv")
    assert tables(discover("data", tmp_path)) == {"`s`.`t`": ["s.t.csv"]}


@pytest.mark.parametrize(("patterns", "words"), [(("bad",), "filter"), (("a.*", "/[/.x"), "filter")])
def test_a_filter_that_lightning_refuses(tmp_path: Path, patterns: tuple[str, ...], words: str) -> None:
    with pytest.raises((ConfigProblem, CouldNotLook), match=words):
        look(lay_out(tmp_path, "s.t.csv"), table_filter=patterns)


def test_names_that_are_no_utf8_do_not_stop_the_walk(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"s.t\xff.csv")).write_bytes(b"id\n1\n")
    assert len(look(tmp_path).tables) == 1
