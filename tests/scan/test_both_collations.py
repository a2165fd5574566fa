"""Where nobody says whether the new collation framework is on, each key gets the more careful of both answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_folder import NO_HEADER, only_table, scan, write

from safe_lightning.scan.fast import FastEngine
from safe_lightning.scan.model import KeyStatus, Scan, ScanMode, ScanOptions
from safe_lightning.scan.reference import ReferenceEngine
from safe_lightning.scan.target import TargetFacts

engine = pytest.mark.parametrize("engine", [ReferenceEngine(), FastEngine()], ids=lambda engine: type(engine).__name__)
UNKNOWN = ScanOptions(time_zone="UTC")


def scanned(folder: Path, column: str, text: str, engine: Any, options: ScanOptions = UNKNOWN) -> Scan:
    write(folder, db_t_schema_sql=f"create table t(a {column}, unique a (a));", db_t_csv=text)
    return scan(folder, NO_HEADER, options=options, engine=engine)


CI = "varchar(20) collate utf8mb4_general_ci"


@engine
@pytest.mark.parametrize(
    ("column", "text", "status", "rows", "reason"),
    [
        (CI, "x\ny\n", KeyStatus.CLEAN, 0, None),
        (CI, "x\nx\n", KeyStatus.CONFLICTS, 2, None),
        (CI, "x\nX\n", KeyStatus.CONFLICTS, 2, "new collation on: 1 key twice or more, in 2 rows; off: no key twice"),
        (CI, "x\nX\nx\n", KeyStatus.CONFLICTS, 3, "on: 1 key twice or more, in 3 rows; off: 1 key twice or more, in 2"),
        ("varchar(20)", "x\nx \n", KeyStatus.CONFLICTS, 2, "off: no key twice"),
        ("varchar(20) charset binary", "x\nx \n", KeyStatus.CLEAN, 0, None),
        ("enum('a') collate utf8mb4_general_ci", "a\nA\nb\n", KeyStatus.CONFLICTS, 2, None),
        ("enum('a','b') collate utf8mb4_general_ci", "A\nB\n", KeyStatus.CONFLICTS, 2, "on: no key twice; off: 1 key"),
        ("int", "1\n1\n", KeyStatus.CONFLICTS, 2, None),
    ],
)
def test_the_more_careful_answer_counts(
    tmp_path: Path, engine: Any, column: str, text: str, status: KeyStatus, rows: int, reason: str | None
) -> None:
    [key] = only_table(scanned(tmp_path, column, text, engine)).keys
    assert (key.status, key.duplicate_rows) == (status, rows)
    assert key.reason is None if reason is None else reason in str(key.reason)


@pytest.mark.parametrize(
    ("column", "text", "note"),
    [
        (CI, "x\nX\n", "1 key would have other duplicates with it off, and the more careful answer counts"),
        (CI, "x\nx\n", "the answer is the same either way"),
        (CI, "x\n", "the answer is the same either way"),
    ],
)
def test_a_note_says_whether_it_matters(tmp_path: Path, column: str, text: str, note: str) -> None:
    assert note in scanned(tmp_path, column, text, ReferenceEngine()).notes[-1]


@pytest.mark.parametrize(
    ("flag", "told", "policy", "rows"),
    [
        (True, False, False, 2),
        (None, False, True, 0),
        (None, None, False, 0),
        (None, None, True, 2),
        (None, None, None, 2),
    ],
)
def test_the_flag_counts_before_the_target_and_that_before_the_policy(
    tmp_path: Path, flag: bool | None, told: bool | None, policy: bool | None, rows: int
) -> None:
    write(tmp_path, db_t_schema_sql=f"create table t(a {CI}, unique a (a));", db_t_csv="x\nX\n")
    options = replace(UNKNOWN, new_collation=flag, assumed_collation=policy)
    found = scan(tmp_path, NO_HEADER, options=options, ask=lambda _tables: TargetFacts(new_collation=told))
    assert only_table(found).keys[0].duplicate_rows == rows


def test_keys_without_text_need_no_word(tmp_path: Path) -> None:
    assert not any("collation" in note for note in scanned(tmp_path, "int", "1\n", ReferenceEngine()).notes)


def test_a_sample_takes_it_to_be_on(tmp_path: Path) -> None:
    options = ScanOptions(mode=ScanMode.SAMPLE, sample_fraction=0.999999, time_zone="UTC")
    found = scanned(tmp_path, CI, "x\nX\n", ReferenceEngine(), options)
    assert "is taken to be on" in found.notes[-1]


@engine
def test_the_example_of_a_key_that_is_double_only_without_collations_is_read_in_that_way(
    tmp_path: Path, engine: Any
) -> None:
    found = scanned(tmp_path, "enum('a','b') collate utf8mb4_general_ci", "A\nB\n", engine)
    [key] = only_table(found).keys
    assert [example.key for example in key.examples] == [("",)]


COLUMNS = (CI, "varchar(3)", "char(2) collate utf8mb4_0900_ai_ci", "enum('a','B') collate utf8mb4_general_ci", "int")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(COLUMNS), st.lists(st.sampled_from(["a", "A", "b", "B ", "ä", "1", "01", "ab"]), max_size=6))
def test_any_answer_is_the_worse_of_both(tmp_path: Path, column: str, texts: list[str]) -> None:
    lines = "".join(f'"{text}"\n' for text in texts) or '"x"\n'
    keys = {
        switch: only_table(
            scanned(tmp_path, column, lines, ReferenceEngine(), replace(UNKNOWN, new_collation=switch))
        ).keys[0]
        for switch in (None, True, False)
    }
    counts = {switch: (key.duplicate_keys, key.duplicate_rows) for switch, key in keys.items()}
    assert counts[None] == (counts[True] if any(counts[True]) else counts[False])
    assert ("new collation on" in (keys[None].reason or "")) == (counts[True] != counts[False])
