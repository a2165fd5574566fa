"""Log lines of every era, quoted from public issues and documentation; and any bytes at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import recordings

from safe_lightning.core.log_batch import LogReader
from safe_lightning.core.logline import LogRecord, parse_fields, parse_line, unescape

#: line, level, message, fields (a part of them)
ERAS: list[tuple[str, str, str, dict[str, str]]] = [
    # 3.0-rc, 2019
    (
        "[2019/05/16 09:40:45.194 +00:00] [ERROR] [restore.go:788] [\"encode kv data and write failed\"] "
        "[table=`ontime`.`ontime`] [engineNumber=0] [takeTime=12m21.763426151s] [error=\"syntax error\"]",
        "error", "encode kv data and write failed",
        {"table": "`ontime`.`ontime`", "engineNumber": "0", "takeTime": "12m21.763426151s", "error": "syntax error"},
    ),
    (
        '[2019/05/16 09:40:45.194 +00:00] [ERROR] [restore.go:107] [-] [table=`ontime`.`ontime`] [status=written] '
        '[error="syntax error"]',
        "error", "-", {"status": "written"},
    ),
    # 3.0: a field's value of an escaped stack
    (
        '[2019/05/16 09:40:45.194 +00:00] [ERROR] [main.go:69] ["tidb lightning encountered error"] '
        '[error="syntax error"] [errorVerbose="syntax error\\ngithub.com/x.(*CSVParser).lex\\n\\t/home/x.go:2949"]',
        "error", "tidb lightning encountered error",
        {"errorVerbose": "syntax error\ngithub.com/x.(*CSVParser).lex\n\t/home/x.go:2949"},
    ),
    # 4.0: names in quotes, an empty field at the end
    (
        '[2020/10/28 03:39:15.063 +00:00] [INFO] [version.go:49] ["Welcome to lightning"] '
        '["Release Version"=v4.0.7-11-g2660ffe] ["Git Branch"=master] ["UTC Build Time"="2020-10-21 09:53:58"]',
        "info", "Welcome to lightning",
        {"Release Version": "v4.0.7-11-g2660ffe", "UTC Build Time": "2020-10-21 09:53:58"},
    ),
    (
        '[2020/03/10 20:44:47.162 +08:00] [INFO] [restore.go:1024] ["local checksum"] [table=`tpcc`.`order_line`] '
        '[checksum="{cksum=3588732482266855866,size=688778185266,kvs=8601932770}"]',
        "info", "local checksum",
        {"checksum": "{cksum=3588732482266855866,size=688778185266,kvs=8601932770}"},
    ),
    (
        '[2020/03/10 20:45:52.311 +08:00] [INFO] [restore.go:492] [progress] [files="40/40 (100.0%)"] '
        '[tables="0/10 (0.0%)"] [speed(MiB/s)=75.81300532977347] [state=post-processing] []',
        "info", "progress", {"files": "40/40 (100.0%)", "speed(MiB/s)": "75.81300532977347"},
    ),
    # 5.3: brackets in a quoted value
    (
        '[2022/02/25 21:01:06.846 +00:00] [ERROR] [lightning.go:219] ["tidb lightning encountered error"] '
        '[error="[tikv:9006]GC life time is shorter than transaction duration"]',
        "error", "tidb lightning encountered error",
        {"error": "[tikv:9006]GC life time is shorter than transaction duration"},
    ),
    # 5.4 documentation: pasted without its time
    (
        "[INFO] [checkpoints.go:977] [\"open checkpoint file failed, going to create a new one\"] "
        "[path=/tmp/tidb_lightning_checkpoint.pb] "
        "[error=\"open /tmp/tidb_lightning_checkpoint.pb: no such file or directory\"]",
        "info", "open checkpoint file failed, going to create a new one",
        {"path": "/tmp/tidb_lightning_checkpoint.pb"},
    ),
    # excerpt of a test script: no time, no level
    (
        "[-] [table=`error_summary`.`a`] [status=checksum] [error=\"checksum mismatched",
        "info", "-", {"table": "`error_summary`.`a`", "error": "checksum mismatched"},
    ),
    # 7.x: several empty fields in a row
    (
        '[2023/05/04 01:04:31.581 +00:00] [INFO] [import.go:1325] [progress] [total=0.0%] [tables="0/1 (0.0%)"] '
        '[chunks=0/0] [engines="0/28 (0.0%)"] [] [] [] [state=importing] []',
        "info", "progress", {"total": "0.0%", "chunks": "0/0", "state": "importing"},
    ),
    # 7.x: cut by a terminal in the middle of a quoted value
    (
        "[2023/04/25 07:52:18.811 +00:00] [ERROR] [restore.go:1575] [\"failed to import table\"] "
        "[table=`IFRS9`.`ECL_RETAIL_LOAN_BIZ_INFO`] [error=\"Post \\\"http://tc-pd.lightning-ha-test/",
        "error", "failed to import table",
        {"table": "`IFRS9`.`ECL_RETAIL_LOAN_BIZ_INFO`", "error": 'Post "http://tc-pd.lightning-ha-test/'},
    ),
    # cut in the middle of the message
    (
        '[2021/08/12 15:10:54.258 +08:00] [ERROR] [restore.go:1343] ["TiDB Lightning has failed las',
        "error", "TiDB Lightning has failed las", {},
    ),
    # 8.x
    (
        '[2023/04/04 17:57:09.312 +08:00] [WARN] [errormanager.go:491] ["Detect 830 data type errors in total, please '
        'refer to table `lightning_task_info`.`conflict_error_v1` for more details"]',
        "warn",
        "Detect 830 data type errors in total, please refer to table `lightning_task_info`.`conflict_error_v1` "
        "for more details",
        {},
    ),
    # DM's load unit: a statement with line breaks
    (
        '[2024/06/04 12:08:25.788 +08:00] [WARN] [util.go:201] ["create conflict view failed with no retry"] '
        '[task=test] [query="CREATE OR REPLACE VIEW `x`.conflict_view\\n\\t\\t\\tAS SELECT 1"] [args=null]',
        "warn", "create conflict view failed with no retry",
        {"query": "CREATE OR REPLACE VIEW `x`.conflict_view\n\t\t\tAS SELECT 1", "args": "null"},
    ),
    # 2.1: plain
    (
        "2019/04/19 10:57:24.508  [info] progress: 288/314 chunks (91.7%), 0/1 tables (0.0%), speed 59.42 MiB/s",
        "info", "progress: 288/314 chunks (91.7%), 0/1 tables (0.0%), speed 59.42 MiB/s", {},
    ),
    (
        "    restore.go:700: [warning] cannot switch to Import mode: rpc error: code = Unknown desc = ",
        "warn", "cannot switch to Import mode: rpc error: code = Unknown desc = ", {},
    ),
    (
        "restore.go:1032: [error] [`a`.`a`] failed to flush kvs : [`a`.`a`] import reach max retry 3 and still failed",
        "error", "[`a`.`a`] failed to flush kvs : [`a`.`a`] import reach max retry 3 and still failed", {},
    ),
    # zap JSON, as the etcd client writes it between plain lines
    (
        '      {"level":"warn","ts":"2023-03-30T02:20:19.463+0800","logger":"etcd-client",'
        '"caller":"v3@v3.5.2/retry_interceptor.go:62","msg":"retrying of unary invoker failed","attempt":0}',
        "warn", "retrying of unary invoker failed", {"logger": "etcd-client", "attempt": "0"},
    ),
    # lightning.log-format = "json"
    (
        '{"level":"INFO","time":"2024/06/04 12:08:25.788 +08:00","caller":"import.go:519",'
        '"message":"the whole procedure completed","takeTime":"11.8s","tables":["a",1]}',
        "info", "the whole procedure completed", {"takeTime": "11.8s", "tables": '["a", 1]'},
    ),
    # Docker's json-file driver around a line
    (
        json.dumps({"log": "[2024/06/04 12:08:25.788 +08:00] [INFO] [a.go:1] [cfg] [a=1]\n", "stream": "stdout"}),
        "info", "cfg", {"a": "1"},
    ),
    # prefixed: CI, kubectl logs --prefix, docker compose
    (
        "[2021-02-26T17:33:40.431Z] [2021/02/26 17:33:40.431 +08:00] [INFO] [x.go:1] [\"restore file start\"] [a=1]",
        "info", "restore file start", {"a": "1"},
    ),
    (
        "[pod/lightning-abc/lightning] [2024/01/02 03:04:05.678 +00:00] [WARN] [x.go:1] [\"a b\"] []",
        "warn", "a b", {},
    ),
    (
        "lightning-1  | [2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] [\"a b\"] [k=v]",
        "info", "a b", {"k": "v"},
    ),
    # coloured by a terminal
    (
        "\x1b[32m[2024/01/02 03:04:05.678 +00:00]\x1b[0m [\x1b[33mWARN\x1b[0m] [x.go:1] [\"a b\"] [k=v]",
        "warn", "a b", {"k": "v"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "level", "message", "fields"), ERAS, ids=lambda v: str(v)[:40] if v else "-")
def test_every_era_is_read(line: str, level: str, message: str, fields: dict[str, str]) -> None:
    record = parse_line(line)
    assert record is not None
    assert (record.level, record.message) == (level, message)
    assert fields.items() <= dict(record.fields).items()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "goroutine 1262 [running]:",
        "\t/home/jenkins/agent/workspace/br/pkg/lightning/importer/import.go:1041 +0x9b9",
        "panic: send on closed channel",
        "[signal SIGSEGV: segmentation violation code=0x2 addr=0x110 pc=0x10409fc68]",
        "tidb lightning encountered error: [Lightning:Restore:ErrEncodeKV]encode kv error in file a.csv:0",
        "2023-06-01 10:55:27.887067902 +0800 CST m=+35.508861459 write error: write length 20297970322 exceeds "
        "maximum file size 536870912",
        "+---+---------------------+-------------+",
        '{"key": "no level"}',
        "{broken",
    ],
)
def test_what_is_no_record_is_none(line: str) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    ("rest", "fields"),
    [
        (" [a=1] [b=2] []", {"a": "1", "b": "2"}),
        (" []", {}),
        (' [a="x=y]z"] [b=]', {"a": "x=y]z", "b": ""}),
        (' ["a b"="c\\"d"]', {"a b": 'c"d'}),
        (" [a=base64==]", {"a": "base64=="}),
        (' [a="cut \\', {"a": "cut "}),
    ],
)
def test_fields(rest: str, fields: dict[str, str]) -> None:
    assert parse_fields(rest) == fields


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"a\"b\\c", 'a"b\\c'),
        (r"\n\r\t", "\n\r\t"),
        (r"A\u001b", "A\x1b"),
        (r"\ud83d", "\ufffd"),
        (r"\x41", "x41"),
        ("a\\", "a\\"),
        ('"', '"'),
        ("µ\x00", "µ\x00"),
    ],
)
def test_escapes(escaped: str, text: str) -> None:
    assert unescape(escaped) == text


def shape(record: LogRecord | str | None) -> object:
    if not isinstance(record, LogRecord):
        return record
    return record.time, record.level, record.source, record.message, dict(record.fields)


def assert_batch_reads_like_single(lines: list[bytes]) -> None:
    expected = [shape(parse_line(line)) or line.decode("utf-8", "replace").rstrip("\r") for line in lines]
    assert [shape(record) for record in LogReader().read(lines)] == expected


def test_a_batch_is_read_like_its_lines() -> None:
    lines = [line.encode() for line, *_ in ERAS]
    assert_batch_reads_like_single([*lines, b"", b"no record", *(line + b"\r" for line in lines), b"\xff[a=1]"])


def test_recorded_logs_are_read_whole_and_alike_in_batches() -> None:
    lines = [line for recording in recordings() for line in recording.bytes_of("lightning.log").splitlines()]
    assert len(lines) > 1000
    assert all(isinstance(record, LogRecord) for record in LogReader().read(lines))
    assert_batch_reads_like_single(lines)


@pytest.mark.parametrize("bare", [" [a=1] [b=é]", " [a=]", ""])
def test_bare_fields_are_marked(bare: str) -> None:
    (record,) = LogReader().read([f"[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] [m]{bare} []".encode()])
    assert isinstance(record, LogRecord)
    assert record.is_bare


@pytest.mark.parametrize("rest", [' [a="1"]', " [a=b=c]", " [a=\\]", " [a=\t]", " [a]", " [a=1][b=2]", " x"])
def test_what_is_not_bare_is_not_marked(rest: str) -> None:
    (record,) = LogReader().read([f"[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] [m]{rest}".encode()])
    assert isinstance(record, LogRecord)
    assert not record.is_bare


def test_what_is_remembered_of_origins_is_bounded() -> None:
    reader = LogReader()
    for number in range(10_000):
        reader.read([f"[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:{number}] [m]".encode()])
    assert len(reader._origins) <= 4096


ALPHABET = st.sampled_from(list('[]"\\ =:./+-0129aZTINFO{}\n\r\t`µ\x00\x1b\u2028'))


@st.composite
def mutated_lines(draw: st.DrawFn) -> bytes:
    line = list(draw(st.sampled_from([line for line, *_ in ERAS])))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(line)))
        end = place + draw(st.integers(0, 5))
        line[place:end] = draw(st.lists(ALPHABET, max_size=3))
    data = "".join(line).encode()
    place = draw(st.integers(0, len(data)))
    return data[:place] if draw(st.booleans()) else data[:place] + draw(st.binary(max_size=2)) + data[place:]


@given(mutated_lines())
def test_no_bytes_break_the_reading(line: bytes) -> None:
    record = parse_line(line)
    if record is not None:
        assert all(isinstance(text, str) for pair in record.fields.items() for text in pair)
        assert record.level in {"debug", "info", "warn", "error", "dpanic", "panic", "fatal"}


@given(st.lists(mutated_lines().map(lambda line: line.replace(b"\n", b"")), max_size=5))
def test_any_batch_is_read_like_its_lines(lines: list[bytes]) -> None:
    assert_batch_reads_like_single(lines)


@given(st.text(max_size=60), st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text()))
def test_json_records_are_read_back(message: str, fields: dict[str, str]) -> None:
    data = {"level": "WARN", "message": message, **fields}
    record = parse_line(json.dumps(data))
    assert record is not None
    assert record.message == str(data["message"])
