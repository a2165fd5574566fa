"""``explain``: what it says of every recorded run, of half of it, of several files, and of what is no log at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_helpers import STARTED_AT, MakeRun
from recordings import Recording, recordings
from verb_helpers import Call

from safe_lightning.commands.explain import causes_of, explain, to_json, to_text
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import ImportReport, TableResult
from safe_lightning.explain_input import last_runs
from safe_lightning.explaining import Explainer, Piece, UnreadableInput, explain_files
from safe_lightning.record.run_dir import RunDir

FINE = {"succeeded", "succeeded-with-conflicts"}
STREAMS = ("stdout", "stderr")
JUDGED = [r for r in recordings() if r.outcome]
#: Where exit code or signal alone tell the end, or where a log that ends within a line cannot be told from half a copy.
BY_EXIT_ALONE = {"very-early-sigint", "env-log-disk-full"}


def files_of(recording: Recording) -> list[Path]:
    return [recording.folder / name for name in ("lightning.log", *STREAMS) if recording.bytes_of(name)]


def outcome_of(pieces: list[Piece]) -> str:
    return str(explain_files(pieces).outcome)


@pytest.mark.parametrize("recording", [r for r in JUDGED if not r.is_control_tool], ids=lambda r: r.name)
def test_a_recorded_run_is_explained_from_its_files_alone(recording: Recording, call: Call) -> None:
    if not files_of(recording):
        pytest.skip("this run left no output at all")
    called = call(explain, "--json", *files_of(recording))
    assert called.code == 0, called.stderr
    told = called.json
    assert told["outcome"] == ("unknown" if recording.folder.name in BY_EXIT_ALONE else recording.outcome)
    assert list(told) == ["schema", "outcome", "version", "tables", "causes", "root_error"]


@pytest.mark.parametrize("recording", [r for r in JUDGED if r.is_control_tool], ids=lambda r: r.name)
def test_a_call_of_the_control_tool_is_never_called_a_success_of_an_import(recording: Recording) -> None:
    if not files_of(recording):
        pytest.skip("this call left no output at all")
    assert outcome_of([Piece(str(path)) for path in files_of(recording)]) in {recording.outcome, "unknown"} - FINE


@pytest.mark.parametrize("recording", [r for r in JUDGED if r.bytes_of("lightning.log")], ids=lambda r: r.name)
def test_half_a_log_is_never_called_better_than_the_whole(recording: Recording, tmp_path: Path) -> None:
    whole, chance = recording.bytes_of("lightning.log"), random.Random(recording.name)
    streams = [Piece(str(recording.folder / name)) for name in STREAMS]
    cut = tmp_path / "cut.log"
    for at in sorted(chance.randrange(1, len(whole)) for _ in range(40)):
        cut.write_bytes(whole[:at])
        for pieces in ([Piece(str(cut))], [Piece(str(cut)), *streams], [*streams, Piece(str(cut))]):
            assert outcome_of(pieces) not in FINE or recording.outcome in FINE, f"cut at {at}"


@pytest.mark.parametrize(
    "recording",
    [r for r in JUDGED if r.bytes_of("lightning.log") and not r.is_control_tool][::8],
    ids=lambda r: r.name,
)
def test_the_order_of_the_files_does_not_matter(recording: Recording) -> None:
    pieces = [Piece(str(path)) for path in files_of(recording)]
    assert outcome_of(pieces[::-1]) == outcome_of(pieces)


def log_of(*records: str, hour: int = 16) -> bytes:
    head = f"[2026/11/24 {hour}:00:00.000 +00:00]"
    return "".join(f"{head} [{'ERROR' if 'mismatched' in r else 'INFO'}] [x.go:1] {r}\n" for r in records).encode()


WORDS = (
    "checksum mismatched remote vs local => (checksum: 18446744073709551615 vs 2) "
    "(total_kvs: 3004 vs 3006) (total_bytes:100 vs 106)"
)
BEGIN = ('["Welcome to TiDB-Lightning"] [release-version=v8.5.4]', "[cfg] [cfg={}]")
MISMATCH = log_of(
    *BEGIN,
    f'[-] [table=`s`.`a`] [status=checksum] [error="{WORDS}"]',
    f'["the whole procedure failed"] [error="[Lightning:Restore:ErrChecksumMismatch]{WORDS}"]',
)
SUCCESS = log_of(
    *BEGIN,
    '["restore file completed"] [table=`s`.`a`] [checksum="{cksum=7,size=8,kvs=9}"]',
    '["checksum pass"] [table=`s`.`a`] [local="{cksum=7,size=8,kvs=9}"]',
    '["the whole procedure completed"] [takeTime=1s]',
    '["tidb lightning exit"] [finished=true]',
    hour=17,
)


@pytest.fixture
def mismatch(tmp_path: Path) -> Path:
    (tmp_path / "mismatch.log").write_bytes(MISMATCH)
    return tmp_path / "mismatch.log"


def test_the_json_form_is_the_contract_with_exact_integers(call: Call, mismatch: Path) -> None:
    called = call(explain, "--json", mismatch)
    assert b'"checksum": 18446744073709551615' in called.stdout
    told = called.json
    causes = told.pop("causes")
    totals = {
        "remote": {"checksum": 2**64 - 1, "kvs": 3004, "bytes": 100},
        "local": {"checksum": 2, "kvs": 3006, "bytes": 106},
    }
    assert told == {
        "schema": 1,
        "outcome": "checksum-mismatch",
        "version": "v8.5.4",
        "tables": [{"table": "`s`.`a`", "status": "checksum-mismatch", "checksum": totals}],
        "root_error": f"[Lightning:Restore:ErrChecksumMismatch]{WORDS}",
    }
    assert [sorted(cause) for cause in causes] == [["cause", "confidence", "evidence"]] * len(causes)
    assert causes[0]["cause"] == "key-conflicts"
    assert "in the cluster 3,004 key-value pairs (100 bytes), from the source 3,006" in causes[0]["evidence"][0]


def test_the_text_form_tells_end_root_error_tables_causes_and_next_step(call: Call, mismatch: Path) -> None:
    text = call(explain, mismatch).text
    places = [
        text.index(words)
        for words in (
            "Outcome     checksum-mismatch",
            "Meaning     The data in the cluster",
            "Root error  [Lightning:Restore",
            "`s`.`a`  checksum-mismatch",
            "in the cluster   3,004 pairs",
            "Cause       key-conflicts (50%)",
            "To settle   count rows",
            "Next step   See the cause above",
        )
    ]
    assert places == sorted(places)
    assert max(map(len, text.splitlines())) <= 80


def test_the_last_of_several_runs_in_one_file_is_explained(call: Call, tmp_path: Path) -> None:
    for name, content, outcome in (
        ("a", MISMATCH + SUCCESS, "succeeded"),
        ("b", SUCCESS + MISMATCH, "checksum-mismatch"),
    ):
        (tmp_path / name).write_bytes(content)
        assert call(explain, "--json", tmp_path / name).json["outcome"] == outcome


def test_every_run_of_a_file_is_explained_when_asked(call: Call, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(MISMATCH + SUCCESS + MISMATCH)
    lines = call(explain, "--json", "--all", tmp_path / "log").stdout.splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["checksum-mismatch", "succeeded", "checksum-mismatch"]
    text = call(explain, "--all", tmp_path / "log").text
    assert [text.index(f"Run         {n} of 3") for n in (1, 2, 3)] == sorted(
        text.index(f"{n} of 3") - 12 for n in (1, 2, 3)
    )


def test_one_run_is_told_without_a_number(call: Call, mismatch: Path) -> None:
    assert call(explain, "--all", mismatch).text == call(explain, mismatch).text


def rotated(log: bytes, at: int) -> tuple[bytes, bytes]:
    """Cut a log where rotation does: between two lines."""
    lines = log.splitlines(keepends=True)
    return b"".join(lines[:at]), b"".join(lines[at:])


@pytest.mark.parametrize("at", range(1, 4))
@pytest.mark.parametrize("packed", [False, True])
def test_rotated_files_are_put_in_the_order_of_their_times(call: Call, tmp_path: Path, at: int, packed: bool) -> None:
    log = SUCCESS + MISMATCH.replace(b"16:00", b"18:00")
    older, newer = rotated(log, len(SUCCESS.splitlines()) + at)
    (tmp_path / "lightning.log").write_bytes(newer)
    (tmp_path / "lightning-old.log").write_bytes(gzip.compress(older, mtime=0) if packed else older)
    (tmp_path / "stderr").write_bytes(b"tidb lightning encountered error: checksum mismatched\n")
    names = [tmp_path / name for name in ("lightning.log", "stderr", "lightning-old.log")]
    for order in (names, names[::-1]):
        told = call(explain, "--json", *order).json
        assert (told["outcome"], told["version"]) == ("checksum-mismatch", "v8.5.4")


@pytest.mark.parametrize("runs", [1, 2, 3, 40])
def test_what_lies_before_the_last_two_runs_is_not_read(runs: int, tmp_path: Path) -> None:
    path = tmp_path / "log"
    filler = log_of(*['["restore file start"] [table=`s`.`a`] [path=x:0]'] * 300)
    path.write_bytes((MISMATCH + filler) * (runs - 1) + SUCCESS)
    (piece,) = last_runs([Piece(str(path))])
    left = path.read_bytes()[piece.start :]
    assert left.count(b"Welcome to ") == min(runs, 2)
    assert left.startswith(b"[2026")
    assert b"Welcome to " in left.splitlines()[0]
    assert outcome_of([Piece(str(path))]) == "succeeded"


def test_a_compressed_log_and_standard_input_are_read(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(MISMATCH, mtime=0))
    assert call(explain, "--json", tmp_path / "log.gz").json["outcome"] == "checksum-mismatch"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MISMATCH)))
    assert call(explain, "--json", "-").json["outcome"] == "checksum-mismatch"


def test_a_total_whose_table_nobody_named_has_no_table(call: Call, tmp_path: Path) -> None:
    (tmp_path / "stderr").write_text(
        "tidb lightning encountered error: checksum mismatched remote vs local => (checksum: 1 vs 2) "
        "(total_kvs: 3 vs 4) (total_bytes:5 vs 6)\n"
    )
    told = call(explain, "--json", tmp_path / "stderr").json
    assert [(table["table"], table["status"]) for table in told["tables"]] == [(None, "checksum-mismatch")]
    assert (told["version"], told["outcome"]) == (None, "checksum-mismatch")


def test_text_that_tells_nothing_is_unknown(call: Call, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague,\nthe import did not work.\n")
    told = call(explain, "--json", tmp_path / "letter.txt").json
    assert (told["outcome"], told["version"], told["tables"], told["causes"]) == ("unknown", None, [], [])


def missing(path: Path) -> None:
    return


def folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def junk(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(100_000))


def cut_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(MISMATCH, mtime=0)[:-9])


def spoiled_gzip(path: Path) -> None:
    data = bytearray(gzip.compress(random.Random(1).randbytes(5000), mtime=0))
    data[30:60] = b"\xff" * 30
    path.write_bytes(bytes(data))


def cycle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, "there is no such file"),
        (folder, "it is a directory"),
        (empty, "is empty"),
        (junk, "binary data"),
        (cut_gzip, "ended before the end-of-stream marker"),
        (spoiled_gzip, "cannot read"),
        (cycle, "Too many levels of symbolic links"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_bad_input_is_one_clear_sentence(
    call: Call, tmp_path: Path, make: object, words: str, options: list[str]
) -> None:
    make(tmp_path / "input")  # type: ignore[operator]
    called = call(explain, *options, tmp_path / "input")
    assert (called.code, called.stdout) == (66, b"")
    assert called.stderr.count("\n") == 1
    assert str(tmp_path / "input") in called.stderr
    assert words in called.stderr


def test_a_word_that_is_neither_file_nor_run_says_what_was_looked_for_and_where(call: Call, state: Path) -> None:
    called = call(explain, "ab12")
    assert called.code == 66
    assert called.stderr == (
        f"safe-lightning: there is no file ab12, and no run has the id 'ab12', or one that begins so, in {state}\n"
    )


@given(st.lists(st.sampled_from([*MISMATCH.splitlines(True), *SUCCESS.splitlines(True)]) | st.binary(max_size=40)))
def test_any_mixture_of_lines_is_explained_and_only_a_whole_success_is_one(lines: list[bytes]) -> None:
    explainer = Explainer()
    explainer.add(lines)
    report = explainer.report()
    json.dumps(to_json(report))
    assert all(isinstance(line, str) for line in to_text(report))
    if report.outcome in FINE:
        assert any(b"the whole procedure completed" in line for line in lines)


@given(st.binary(max_size=2000))
def test_any_bytes_are_explained_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("e") / "input"
    path.write_bytes(data)
    try:
        outcome = outcome_of([Piece(str(path))])
    except UnreadableInput as error:
        outcome = "" if str(path) in str(error) else "unnamed"
    assert outcome not in {*FINE, "unnamed"}


def test_control_characters_do_not_reach_the_terminal() -> None:
    name = TableName("\x1b[2J", "t\n")
    report = ImportReport(
        Outcome.DATA_ERROR, "\x1b]0;title\x07", 1, None, None, (TableResult(name, "failed"),), "\x1b[31m", ("\x9b1m",)
    )
    text = "\n".join(to_text(report))
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]


def test_a_secret_in_an_error_is_masked(call: Call, tmp_path: Path) -> None:
    (tmp_path / "stderr").write_text(
        "tidb lightning encountered error: connect failed: root:hunter2@tcp(10.0.0.1:3306)/: connection refused\n"
    )
    for options in ([], ["--json"]):
        called = call(explain, *options, tmp_path / "stderr")
        assert b"hunter2" not in called.stdout
        assert b"root:***@tcp" in called.stdout


def mismatched(*tables: TableName | None) -> ImportReport:
    comparison = Comparison(Totals(1, 3004, 100), Totals(2, 3006, 106))
    results = tuple(TableResult(table, "checksum-mismatch", comparison) for table in tables)
    return ImportReport(Outcome.CHECKSUM_MISMATCH, "r", 1, None, None, results, None, ())


def test_a_cause_of_several_tables_is_named_once_with_each_tables_arithmetic() -> None:
    causes = causes_of(mismatched(TableName("s", "a"), TableName("s", "b"), None))
    assert len({cause.name for cause in causes}) == len(causes)
    assert [cause.confidence for cause in causes] == sorted((c.confidence for c in causes), reverse=True)
    evidence = causes[0].evidence
    assert {line.partition(": ")[0] for line in evidence} == {"`s`.`a`", "`s`.`b`", "a table that nobody named"}


def test_without_a_mismatch_there_are_no_causes() -> None:
    assert causes_of(ImportReport(Outcome.SUCCEEDED, "r", 0, None, None, (), None, ())) == []


# --- recorded runs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def logged_run(state: Path, tmp_path: Path) -> RunDir:
    """Make a run whose part of the log is a mismatch, between an earlier and a later success of others."""
    log = tmp_path / "lightning.log"
    log.write_bytes(SUCCESS)
    record = RunDir.create(state, "ab12cd34", STARTED_AT)
    record.link_log(log, len(SUCCESS))
    with log.open("ab") as file:
        file.write(MISMATCH)
    record.close_log(log, len(SUCCESS), len(SUCCESS + MISMATCH))
    with log.open("ab") as file:
        file.write(SUCCESS)
    record.stderr.write(b"tidb lightning encountered error: checksum mismatched\n")
    return record


@pytest.mark.parametrize("word", ["ab12cd34", "ab", "last"])
def test_a_recorded_run_is_explained_from_its_own_part_of_the_log(call: Call, logged_run: RunDir, word: str) -> None:
    told = call(explain, "--json", word).json
    assert told["outcome"] == "checksum-mismatch"
    assert told["tables"][0]["table"] == "`s`.`a`"
    logged_run.close()


def test_a_recorded_run_whose_log_is_gone_is_explained_from_what_it_judged(
    call: Call, make_run: MakeRun, tmp_path: Path
) -> None:
    make_run("ab12", outcome=Outcome.HUNG, reason="no progress", root_error=None)
    told = call(explain, "--json", "ab12").json
    assert (told["outcome"], told["tables"]) == ("hung", [])


def test_what_the_run_judged_with_more_evidence_stands_above_its_files(
    call: Call, make_run: MakeRun, tmp_path: Path
) -> None:
    folder = make_run("ab12", outcome=Outcome.HUNG, reason="no progress for longer than the policy allows")
    (folder / "stdout").write_bytes(b"tidb lightning canceled\n")
    assert call(explain, "--json", "ab12").json["outcome"] == "hung"


def test_a_file_is_preferred_to_a_run_of_the_same_name(
    call: Call, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run("last")
    monkeypatch.chdir(tmp_path)
    Path("last").write_bytes(MISMATCH)
    assert call(explain, "--json", "last").json["outcome"] == "checksum-mismatch"


def test_after_a_retry_the_log_of_the_last_attempt_speaks_alone(call: Call, state: Path, tmp_path: Path) -> None:
    log = tmp_path / "lightning.log"
    record = RunDir.create(state, "ab12", STARTED_AT)
    for content in (MISMATCH, SUCCESS):
        record.enter("importing", STARTED_AT, os.getpid())
        start = log.stat().st_size if log.exists() else 0
        record.link_log(log, start)
        with log.open("ab") as file:
            file.write(content)
        record.close_log(log, start, start + len(content))
        record.stderr.write(b"tidb lightning encountered error: checksum mismatched\n" if content is MISMATCH else b"")
    record.close()
    assert call(explain, "--json", "ab12").json["outcome"] == "succeeded"


def test_a_run_that_left_nothing_says_so(call: Call, make_run: MakeRun) -> None:
    make_run("ab12", outcome=None)
    called = call(explain, "ab12")
    assert (called.code, called.stdout) == (66, b"")
    assert "left neither a log nor output" in called.stderr
