"""The sources of recorded runs: same files, same order, same rows as the real Lightning found in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from recordings import Recording, recordings

from safe_lightning.core.tables import quote
from safe_lightning.lightning.task_file import read_task_file
from safe_lightning.source.csv_rules import read_csv_rules
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.files import Source, SourceTable, discover
from safe_lightning.source.opening import ReadingRules, open_rows
from safe_lightning.source.schema_files import SchemaOptions, table_schema

# Runs after which the target holds other rows than the source, for a reason that is not the source's.
OTHER_ROWS = {
    "success-max-error-type": "rows with errors are left out",
    "success-filter-flag": "the filter is a flag",
}
# Checkpoints of another source than the one that was recorded with them.
OTHER_SOURCE = {"stale-source-changed-file"}


def config_of(recording: Recording) -> dict[str, Any]:
    path = recording.folder / "config.toml"
    return read_task_file(path) if path.is_file() else {}


def source_of(recording: Recording) -> Source:
    return discover(str(recording.folder / "data"), Path("/"), config_of(recording))


def rules_of(recording: Recording) -> ReadingRules:
    return ReadingRules(read_csv_rules(config_of(recording)))


def row_count(recording: Recording, table: SourceTable) -> int:
    rules = rules_of(recording)
    needed = {FileType.PARQUET: "pyarrow"}
    for file in table.files:
        for module in {needed.get(file.type), {"zstd": "zstandard", "snappy": "cramjam"}.get(file.compression)} - {
            None
        }:
            pytest.importorskip(str(module))
    return sum(1 for file in table.files for _row in open_rows(file, rules))


def counts(recording: Recording, when: str) -> dict[str, int]:
    path = recording.folder / when / "rows.tsv"
    if not path.is_file():
        return {}
    with path.open() as lines:
        return {
            f"{quote(row['schema'])}.{quote(row['table'])}": int(row["rows"])
            for row in csv.DictReader(lines, delimiter="\t")
        }


def imports_everything(recording: Recording) -> bool:
    return (
        recording.folder.name.startswith("success-")
        and recording.folder.name not in OTHER_ROWS
        and recording.outcome == "succeeded"
        and (recording.folder / "data").is_dir()
        and bool(counts(recording, "after"))
    )


FRESH = [recording for recording in recordings() if imports_everything(recording)]


@pytest.mark.parametrize("recording", FRESH, ids=lambda recording: recording.name)
def test_a_table_that_was_imported_whole_has_as_many_rows_as_its_files(recording: Recording) -> None:
    before, after = counts(recording, "before"), counts(recording, "after")
    tables = {str(table.table): table for table in source_of(recording).tables if not table.is_view}
    found = {name: row_count(recording, table) for name, table in tables.items()}
    assert found == {name: after[name] - before.get(name, 0) for name in tables}


def finished_chunks(recording: Recording) -> dict[str, list[dict[str, Any]]]:
    """The chunks of the tables that a checkpoint says were imported, in the order of their row ids."""
    path = recording.folder / "after" / "checkpoint.pb.json"
    if not path.is_file() or not (recording.folder / "data").is_dir() or recording.folder.name in OTHER_SOURCE:
        return {}
    tables = json.loads(path.read_text())["checkpoints"]
    found = {}
    for name, table in tables.items():
        chunks = [chunk for engine in table.get("engines", {}).values() for chunk in engine.get("chunks", {}).values()]
        if table["status"] == 200 and chunks:
            found[name] = sorted(chunks, key=lambda chunk: int(chunk["prev_rowid_max"]))
    return found


CHECKPOINTED = [recording for recording in recordings() if finished_chunks(recording)]


@pytest.mark.parametrize("recording", CHECKPOINTED, ids=lambda recording: recording.name)
def test_files_and_their_order_are_those_of_the_checkpoint(recording: Recording) -> None:
    source = source_of(recording)
    tables = {str(table.table): table for table in source.tables}
    for name, chunks in finished_chunks(recording).items():
        if name not in tables:
            continue
        files = tables[name].files
        assert [file.name for file in files] == [chunk["path"] for chunk in chunks]
        assert [file.sort_key for file in files] == [chunk.get("sort_key", "") for chunk in chunks]
        assert [file.size_bytes for file in files] == [chunk["file_size"] for chunk in chunks]


def has_definitions(recording: Recording) -> bool:
    return not recording.is_control_tool and any((recording.folder / "data").glob("*-schema.sql"))


DEFINED = [recording for recording in recordings() if has_definitions(recording)]


@pytest.mark.parametrize("recording", DEFINED, ids=lambda recording: recording.name)
def test_every_recorded_schema_file_is_understood_or_was_refused_by_the_server(recording: Recording) -> None:
    source = discover(str(recording.folder / "data"), Path("/"))
    definitions = [table_schema(source, table, SchemaOptions()) for table in source.tables if table.schema_file]
    assert definitions
    failed = [found for found in definitions if found.definition is None]
    assert not failed or recording.folder.name == "schema-syntax-error"


def test_a_row_of_the_wrong_length_is_where_lightning_found_it() -> None:
    chosen = [recording for recording in recordings() if recording.folder.name == "data-error-too-few-fields"]
    for recording in chosen:
        (table,) = source_of(recording).tables
        rows = list(open_rows(table.files[0], rules_of(recording)))
        (place,) = [place for place, row in enumerate(rows) if len(row.fields) == 2]
        # Lightning names the byte behind the row: where the next one starts.
        assert (
            f"at offset {rows[place + 1].offset}: column count mismatch" in recording.bytes_of("lightning.log").decode()
        )
    if not chosen:
        pytest.skip("the recording is not among those in this tree")
