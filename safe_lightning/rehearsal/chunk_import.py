"""One file through the stand-in importer: read, encode or insert, count, and note it in the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence

from safe_lightning.core.tables import TableName, Totals
from safe_lightning.rehearsal.checkpoints import DATA_ENGINE, INDEX_ENGINE, Chunk, Table, engine_uuid
from safe_lightning.rehearsal.cluster import ClusterError
from safe_lightning.rehearsal.engine_folder import EngineFolder
from safe_lightning.rehearsal.import_context import Import, ImportStepError
from safe_lightning.rehearsal.pairs import Value, encode_row, sum_pairs
from safe_lightning.rehearsal.scenario import Ending
from safe_lightning.rehearsal.source import DataFile, read_rows
from safe_lightning.rehearsal.zap import duration, took


def totals_text(totals: Totals) -> str:
    """Write a sum as Lightning's log does."""
    return f"{{cksum={totals.checksum},size={totals.bytes},kvs={totals.kvs}}}"


def engine_folder(run: Import, name: TableName, number: int) -> EngineFolder:
    """Return the folder of one of a table's engines."""
    return EngineFolder(run.sorted_kv_dir, engine_uuid(name, number))


class ChunkWriter:
    """Writes the chunks of one table's data engine."""

    def __init__(self, run: Import, name: TableName, table: Table) -> None:
        self._run = run
        self._log = run.log
        self._name = name
        self._table = table
        self._schema = run.table_schemas[name]

    def write(self, number: int, count: int, chunk: Chunk) -> int:
        """Write one file; one that is done already is passed over in silence. Returns its bytes."""
        if chunk.is_done and chunk.end_offset:
            return chunk.totals.bytes
        started = time.monotonic()
        fields = (("table", self._name), ("engineNumber", DATA_ENGINE), ("fileIndex", number), ("path", chunk.key))
        self._log.info("chunk_process.go:208", "restore file start", *fields)
        self._run.hold_while_paused()
        try:
            rows = self._rows(number, count, chunk)
            chunk.totals = self._write_local(chunk, rows) if self._run.is_local else self._write_sql(rows)
        except (ImportStepError, ClusterError) as error:
            if not self._run.is_local:
                failed = (*fields, ("task", "deliver"), ("error", error))
                self._log.error("chunk_process.go:663", "write to data engine failed", *failed)
            self._log.error("chunk_process.go:223", "restore file failed", *fields, took(started), ("error", error))
            raise
        chunk.pos = chunk.end_offset
        chunk.prev_rowid_max += len(rows)
        self._run.book.save()
        self._log.info(
            "chunk_process.go:223",
            "restore file completed",
            *fields,
            ("readDur", duration(1e-4)),
            ("encodeDur", duration(1e-4)),
            ("deliverDur", duration(1e-4)),
            ("checksum", totals_text(chunk.totals)),
            took(started),
            None,
        )
        self._run.progress.chunk_done(chunk.end_offset, len(rows))
        return chunk.totals.bytes

    def _rows(self, number: int, count: int, chunk: Chunk) -> list[list[Value]]:
        play, width = self._run.play, len(self._schema.columns)
        file = DataFile(chunk.path, chunk.kind, chunk.sort_key, chunk.end_offset)
        rows: list[list[Value]] = []
        for row in read_rows(self._run.folder, file, self._run.dialect, play.scenario.rows_most):
            values: list[Value] = [None] * width
            for at, value in enumerate(row.values[: len(row.columns) if row.columns else width]):
                values[self._place(row.columns[at], chunk) if row.columns else at] = value
            rows.append(values)
        play.in_chunk(number, count)
        if play.is_on(Ending.DATA_ERROR) and rows:
            self._refuse_value(chunk, rows[len(rows) // 2])
        return play.rows(self._schema, rows) if number == 0 else rows

    def _place(self, column: str, chunk: Chunk) -> int:
        try:
            return self._schema.position(column)
        except KeyError as error:
            text = f"[Lightning:Restore:ErrUnknownColumns]unknown columns in header ({column}) for table {self._name}"
            raise ImportStepError(4, text) from error

    def _refuse_value(self, chunk: Chunk, row: Sequence[Value]) -> None:
        column = next((c for c in self._schema.columns if c.kind != "text"), self._schema.columns[0])
        refusal = f"Incorrect {column.type_name} value: 'not-a-number' for column '{column.name}' at row 1"
        if self._run.is_local:
            where = f"in file {chunk.key} at offset {chunk.end_offset // 2}"
            raise ImportStepError(4, f"[Lightning:Restore:ErrEncodeKV]encode kv error {where}: [table:1366]{refusal}")
        raise ImportStepError(4, f"[{self._name}] write rows exceed conflict threshold: Error 1366 (HY000): {refusal}")

    def _write_local(self, chunk: Chunk, rows: Sequence[Sequence[Value]]) -> Totals:
        pairs = [
            pair
            for number, row in enumerate(rows, start=1)
            for pair in encode_row(self._schema, self._table.table_id, chunk.prev_rowid_max + number, row)
        ]
        engine_folder(self._run, self._name, DATA_ENGINE).append(pair for pair in pairs if pair.index is None)
        engine_folder(self._run, self._name, INDEX_ENGINE).append(pair for pair in pairs if pair.index is not None)
        return sum_pairs(pairs)

    def _write_sql(self, rows: Sequence[Sequence[Value]]) -> Totals:
        columns, size = [column.name for column in self._schema.columns], 0
        play = self._run.play
        for start in range(0, len(rows), play.scenario.insert_rows):
            play.cancellation.check()
            batch = rows[start : start + play.scenario.insert_rows]
            self._insert(columns, batch)
            self._run.board.rows_sent += len(batch)
            play.rest(play.scenario.insert_seconds)
            size += sum(len(value or "") for row in batch for value in row)
        return Totals(0, len(rows), size)

    def _insert(self, columns: Sequence[str], batch: Sequence[Sequence[Value]]) -> None:
        try:
            self._run.cluster.run(self._statement(columns, batch))
        except ClusterError as error:
            self._say_refused(columns, batch, error)
            for row in batch:  # Lightning tries the rows one by one to find the one that is refused
                self._insert_one(columns, row)

    def _insert_one(self, columns: Sequence[str], row: Sequence[Value]) -> None:
        try:
            self._run.cluster.run(self._statement(columns, [row]))
        except ClusterError as error:
            self._say_refused(columns, [row], error)
            text = f"[{self._name}] write rows exceed conflict threshold: {error}"
            raise ImportStepError(4, text) from error

    def _statement(self, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
        verb = "REPLACE" if self._run.task.conflict_strategy == "replace" else "INSERT"
        return self._run.cluster.insert_statement(self._name, columns, rows, verb)

    def _say_refused(self, columns: Sequence[str], rows: Sequence[Sequence[Value]], error: ClusterError) -> None:
        shown = ",".join("(" + ",".join("NULL" if v is None else f"'{v}'" for v in row) + ")" for row in rows)
        statement = self._statement(columns, rows)
        self._log.error(
            "tidb.go:869", "execute statement failed", ("rows", f"[{shown}]"), ("stmt", statement), ("error", error)
        )
