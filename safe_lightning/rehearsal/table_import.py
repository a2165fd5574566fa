"""One table through the stand-in importer: its engines, its files, its rows."""

from __future__ import annotations

import time

from safe_lightning.rehearsal.checkpoints import (
    CLOSED,
    DATA_ENGINE,
    IMPORTED,
    INDEX_ENGINE,
    INDEX_IMPORTED,
    WRITTEN,
    Chunk,
    Engine,
    Table,
    engine_uuid,
)
from safe_lightning.rehearsal.chunk_import import ChunkWriter, engine_folder, totals_text
from safe_lightning.rehearsal.cluster import ClusterError
from safe_lightning.rehearsal.import_context import Import, ImportStepError
from safe_lightning.rehearsal.pairs import sum_pairs
from safe_lightning.rehearsal.scenario import Mishap
from safe_lightning.rehearsal.source import SourceTable
from safe_lightning.rehearsal.zap import duration, took

_FOREIGN, _FOREIGN_ROWS = 900_001, 3
_REGION = (("MaxChunkSize", 268435456),)


class TableImport:
    """Imports one table up to its index engine; the checksum comes after all tables are through."""

    def __init__(self, run: Import, source: SourceTable, table: Table) -> None:
        self._run = run
        self._log = run.log
        self._name = source.name
        self._source = source
        self._table = table
        self._field = ("table", source.name)

    def restore(self) -> None:
        """Import what the checkpoint says is left. Raises ImportStepError or CanceledError."""
        started = time.monotonic()
        self._log.info("import.go:1431", "restore table start", self._field)
        if self._table.engines:
            self._say_reused()
        else:
            self._plan_chunks()
        try:
            if self._table.status < INDEX_IMPORTED:
                self._restore_engines()
        except ImportStepError as error:
            message = f"[Lightning:Restore:ErrRestoreTable]restore table {self._name} failed: {error}"
            self._log.error("import.go:1436", "failed to import table", self._field, ("error", error))
            self._log.error("import.go:1440", "restore table failed", self._field, took(started), ("error", message))
            raise ImportStepError(4, message) from error
        self._run.progress.tables_done += 1
        if self._run.play.has(Mishap.FOREIGN_ROWS):
            self._write_foreign_rows()
        self._log.info("import.go:1440", "restore table completed", self._field, took(started), None)

    def _write_foreign_rows(self) -> None:
        """Insert rows through SQL in somebody else's stead."""
        columns = self._run.table_schemas[self._name].columns
        rows = [
            [f"foreign {number}" if column.kind == "text" else str(_FOREIGN + number) for column in columns]
            for number in range(_FOREIGN_ROWS)
        ]
        self._run.cluster.insert(self._name, [column.name for column in columns], rows)

    def _say_reused(self) -> None:
        chunks = self._table.engines[DATA_ENGINE].chunks
        self._log.info(
            "table_import.go:132",
            "reusing engines and files info from checkpoint",
            self._field,
            ("enginesCnt", len(self._table.engines)),
            ("filesCnt", len(chunks)),
        )

    def _plan_chunks(self) -> None:
        started, count = time.monotonic(), len(self._source.files)
        self._log.info("table_import.go:289", "load engines and files start", self._field)
        last, chunks = 0, []
        for file in self._source.files:
            rowid_max = last + max(1, file.size_bytes)
            chunks.append(
                Chunk(
                    file.path,
                    file.kind,
                    file.size_bytes,
                    file.sort_key,
                    prev_rowid_max=last,
                    rowid_max=rowid_max,
                    timestamp=int(time.time()),
                )
            )
            last = rowid_max
        self._table.engines = {INDEX_ENGINE: Engine(), DATA_ENGINE: Engine(chunks=chunks)}
        self._run.book.save()
        self._log.info(
            "region.go:291",
            "makeTableRegions",
            ("filesCount", count),
            *_REGION,
            ("RegionsCount", count),
            ("BatchSize", 107374182400),
            ("cost", duration(time.monotonic() - started)),
        )
        self._log.info(
            "table_import.go:332",
            "load engines and files completed",
            self._field,
            ("enginesCnt", 2),
            ("filesCnt", count),
            took(started),
            None,
        )
        self._log.info(
            "table_import.go:152", "estimated required row id count", self._field, self._field, ("count", last)
        )
        self._sum_up_base()

    def _sum_up_base(self) -> None:
        """Sum up what stands in the table before, where the import adds to that."""
        if self._run.adds_to_rows:
            self._table.base = self._run.cluster.checksum(self._name)
            summed = ("checksum", totals_text(self._table.base))
            self._log.info("table_import.go:185", "checksum before restore table", self._field, summed)
            self._run.book.save()

    def _restore_engines(self) -> None:
        started, run = time.monotonic(), self._run
        index, data = self._table.engines[INDEX_ENGINE], self._table.engines[DATA_ENGINE]
        self._log.info("version.go:448", "detect server version", ("type", "TiDB"), ("version", "8.5.4"))
        self._open(INDEX_ENGINE)
        self._log.info("table_import.go:484", "import whole table start", self._field)
        try:
            if data.status < IMPORTED:
                self._restore_data(data)
        except ImportStepError as error:
            self._log.error(
                "table_import.go:559", "import whole table failed", self._field, took(started), ("error", error)
            )
            raise
        self._log.info("table_import.go:559", "import whole table completed", self._field, took(started), None)
        self._table.status = CLOSED
        self._close(INDEX_ENGINE)
        self._ingest(INDEX_ENGINE, index)
        self._table.status = INDEX_IMPORTED
        run.book.save()

    def _restore_data(self, engine: Engine) -> None:
        started, fields = time.monotonic(), (self._field, ("engineNumber", DATA_ENGINE))
        self._log.info("table_import.go:531", "restore engine start", *fields)
        try:
            if engine.status < WRITTEN:
                self._write_chunks(engine)
        except ImportStepError as error:
            self._log.error("table_import.go:533", "restore engine failed", *fields, took(started), ("error", error))
            raise
        self._close(DATA_ENGINE)
        engine.status = CLOSED
        self._run.book.save()
        self._log.info("table_import.go:533", "restore engine completed", *fields, took(started), None)
        self._ingest(DATA_ENGINE, engine)

    def _write_chunks(self, engine: Engine) -> None:
        started, fields = time.monotonic(), (self._field, ("engineNumber", DATA_ENGINE))
        self._log.info("table_import.go:664", "encode kv data and write start", *fields)
        self._open(DATA_ENGINE)
        written, writer = 0, ChunkWriter(self._run, self._name, self._table)
        try:
            for number, chunk in enumerate(engine.chunks):
                written += writer.write(number, len(engine.chunks), chunk)
        except (ImportStepError, ClusterError) as error:
            if not self._run.is_local:  # the local backend does not record encoding errors
                self._run.record_failure(self._name, self._table, WRITTEN, str(error), engine)
            self._log.error(
                "table_import.go:863", "encode kv data and write failed", *fields, took(started), ("error", error)
            )
            raise ImportStepError(4, str(error)) from error
        engine.status = WRITTEN
        self._run.book.save()
        if self._run.is_local:
            self._say_duplicates()
        self._log.info(
            "table_import.go:863",
            "encode kv data and write completed",
            *fields,
            ("read(bytes)", 0),
            ("written", written),
            took(started),
            None,
        )

    def _tag(self, number: int) -> tuple[tuple[str, object], tuple[str, object]]:
        return ("engineTag", f"{self._name}:{number}"), ("engineUUID", engine_uuid(self._name, number))

    def _open(self, number: int) -> None:
        if self._run.is_local:
            engine_folder(self._run, self._name, number).open()
        self._log.info("backend.go:275", "open engine", *self._tag(number))

    def _close(self, number: int) -> None:
        started = time.monotonic()
        self._log.info("backend.go:352", "engine close start", *self._tag(number))
        self._log.info("backend.go:354", "engine close completed", *self._tag(number), took(started), None)

    def _ingest(self, number: int, engine: Engine) -> None:
        started, tag = time.monotonic(), self._tag(number)
        self._log.info("table_import.go:1342", "import and cleanup engine start", *tag)
        self._log.info("backend.go:394", "import start", *tag, ("retryCnt", 0))
        if self._run.is_local:
            self._ingest_pairs(number)
        self._log.info("backend.go:400", "import completed", *tag, ("retryCnt", 0), took(started), None)
        if self._run.play.cancellation.signal_name and self._run.is_local:
            self._save_and_stop(engine)
        self._log.info("backend.go:413", "cleanup start", *tag)
        self._log.info("backend.go:415", "cleanup completed", *tag, took(started), None)
        engine.status = IMPORTED
        self._run.book.save()
        self._log.info("table_import.go:1375", "import and cleanup engine completed", *tag, took(started), None)

    def _save_and_stop(self, engine: Engine) -> None:
        """Count an engine as imported whose ingest a signal cut short, as the real one does with the file driver."""
        engine.status = IMPORTED
        self._run.book.save()
        self._run.play.cancellation.check()

    def _say_duplicates(self) -> None:
        for number in (DATA_ENGINE, INDEX_ENGINE):
            seen = set[bytes]()
            for pair in engine_folder(self._run, self._name, number).read():
                if pair.key in seen:
                    key = ("key", pair.key.hex().upper())
                    self._log.warn("engine.go:1462", "duplicated key found, skip write", key)
                seen.add(pair.key)

    def _ingest_pairs(self, number: int) -> None:
        """Hand an engine to the store, each key once: the first of equal keys is kept, as the ingest keeps it."""
        folder = engine_folder(self._run, self._name, number)
        pairs = folder.read()
        unique = {pair.key: pair for pair in reversed(pairs)}
        kept = sum_pairs(unique.values()).bytes
        uuid = ("uuid", engine_uuid(self._name, number))
        self._log.info(
            "local.go:1476",
            "start import engine",
            uuid,
            ("region ranges", 1),
            ("count", len(pairs)),
            ("size", kept),
            ("maxReqInFlight", 0),
            ("maxReqPerSec", 0),
        )
        is_cut = self._run.play.stops_in_ingest() or not self._run.play.takes(self._run.play.scenario.ingest_seconds)
        if not is_cut:
            arriving = self._run.play.arriving(self._run.table_schemas[self._name], list(unique.values()))
            self._run.cluster.ingest(self._name, arriving)
        self._log.info(
            "local.go:1490",
            "import engine success",
            uuid,
            ("size", kept),
            ("kvs", len(pairs)),
            ("importedSize", 0 if is_cut else kept),
            ("importedCount", 0 if is_cut else len(unique)),
        )
        folder.remove()
