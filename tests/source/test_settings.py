"""What a task says about its source, at one place."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from safe_lightning.core.columns import Backend
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import Task
from safe_lightning.source.findings import ConfigProblem
from safe_lightning.source.settings import SourceSettings


def settings(text: str, folder: str = "/data") -> SourceSettings:
    return SourceSettings(folder, Path("/"), tomllib.loads(text))


def test_a_folder_is_enough(tmp_path: Path) -> None:
    (tmp_path / "s.t.csv").write_bytes(b"a\n1\n")
    found = SourceSettings(str(tmp_path), Path("/"))
    assert [str(table.table) for table in found.discover().tables] == ["`s`.`t`"]
    assert found.reading_rules().csv.separator == ","
    assert found.schema_options().charset == "auto"


def test_flags_of_the_task_win_over_its_file(tmp_path: Path) -> None:
    for name in ("s.t.csv", "s.u.csv"):
        (tmp_path / name).write_bytes(b"a\n1\n")
    config = {"mydumper": {"filter": ["s.t"]}}
    task = Task(argv=(), cwd=Path("/"), data_source_dir=str(tmp_path), table_filter=("s.u",), backend="tidb")
    found = SourceSettings.of_task(task, config)
    assert found.backend is Backend.LOGICAL
    assert [str(table.table) for table in found.discover().tables] == ["`s`.`u`"]
    without_flag = SourceSettings(str(tmp_path), Path("/"), config)
    assert [str(table.table) for table in without_flag.discover().tables] == ["`s`.`t`"]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("", {"ONLY_FULL_GROUP_BY", "NO_AUTO_CREATE_USER"}),
        ("[tidb]\nsql-mode = 'ansi_quotes, NO_BACKSLASH_ESCAPES'", {"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"}),
        ("[tidb]\nsql-mode = ''", set()),
    ],
)
def test_sql_mode(text: str, flags: set[str]) -> None:
    assert settings(text).sql_mode == flags
    assert settings(text).reading_rules().sql_mode == flags
    assert settings(text).schema_options().sql_mode == flags


def test_ignored_columns() -> None:
    text = "[[mydumper.ignore-columns]]\ndb = 's'\ntable = 't'\ncolumns = ['A']"
    assert settings(text).ignored_columns(TableName("S", "T")) == ("a",)


def test_an_unknown_character_set_of_schema_files_is_refused() -> None:
    with pytest.raises(ConfigProblem, match="character-set"):
        settings("[mydumper]\ncharacter-set = 'koi8'").schema_options()
