"""Endings quoted from public threads and pages (versions 3.0 to 8.5) are told as what they were."""

from __future__ import annotations

import io

import pytest

from safe_lightning.core.error_text import classify_error, is_echo
from safe_lightning.core.outcome import EXPLANATIONS, Outcome
from safe_lightning.core.tables import TableName, Totals
from safe_lightning.core.verdict import ImportReport
from safe_lightning.explaining import Explainer


def explain(text: str) -> ImportReport:
    explainer = Explainer()
    explainer.add(io.BytesIO(text.encode()))
    return explainer.report()


V3_MISMATCH = (
    "Error: checksum mismatched remote vs local => (checksum: 3828723015727756136 vs 7895534721177712659) "
    "(total_kvs: 1221416844 vs 1501500000) (total_bytes:237660308510 vs 292158203078)\n"
)
CI_PREFIXED = """\
[2021-02-26T17:33:40.431Z] Error: checksum mismatched remote vs local => (checksum: 2776093422133432446 vs 3203001050118138354) (total_kvs: 2 vs 4) (total_bytes:58 vs 116)
[2021-02-26T17:33:40.431Z] tidb lightning encountered error:  checksum mismatched remote vs local => (checksum: 2776093422133432446 vs 3203001050118138354) (total_kvs: 2 vs 4) (total_bytes:58 vs 116)
"""
PASTED = """\
ERROR 1105 (HY000): checksum mismatched remote vs local =>
  (checksum: 1299...082 vs 1078...133) (total_kvs: 3 vs 4) (total_bytes: 159 vs 215)
"""
SUMMARY = """\
[2024/01/02 03:04:05.006 +00:00] [ERROR] [import.go:171] ["tables failed to be imported"] [count=2]
[2024/01/02 03:04:05.006 +00:00] [ERROR] [import.go:173] [-] [table=`s`.`a`] [status=checksum] [error="checksum mismatched remote vs local => (checksum: 1 vs 2) (total_kvs: 3 vs 4) (total_bytes:5 vs 6)"]
[2024/01/02 03:04:05.006 +00:00] [ERROR] [import.go:173] [-] [table=`s`.`c`] [status=checksum] [error="checksum mismatched remote vs local => (checksum: 7 vs 8) (total_kvs: 9 vs 10) (total_bytes:11 vs 12)"]
tidb lightning encountered error: checksum mismatched remote vs local => (checksum: 1 vs 2) (total_kvs: 3 vs 4) (total_bytes:5 vs 6)
"""


@pytest.mark.parametrize(
    ("text", "remote", "local"),
    [
        (
            V3_MISMATCH,
            Totals(3828723015727756136, 1221416844, 237660308510),
            Totals(7895534721177712659, 1501500000, 292158203078),
        ),
        (CI_PREFIXED, Totals(2776093422133432446, 2, 58), Totals(3203001050118138354, 4, 116)),
        (PASTED, Totals(None, 3, 159), Totals(None, 4, 215)),
    ],
    ids=["v3.0", "prefixed-by-ci-and-said-twice", "wrapped-and-shortened-by-people"],
)
def test_a_mismatch_is_read_exactly_and_once(text: str, remote: Totals, local: Totals) -> None:
    report = explain(text + "tidb lightning encountered error: see above\n")
    assert [t.table for t in report.tables] == [None]
    checksum = report.tables[0].checksum
    assert checksum is not None
    assert (checksum.remote, checksum.local) == (remote, local)


def test_every_table_of_a_mismatch_is_named_and_the_nameless_line_adds_none() -> None:
    report = explain(SUMMARY)
    assert report.outcome is Outcome.CHECKSUM_MISMATCH
    assert [t.table for t in report.tables] == [TableName("s", "a"), TableName("s", "c")]


def test_a_refused_table_is_listed_once_however_often_the_error_names_it() -> None:
    report = explain(
        "tidb lightning encountered error: [Lightning:PreCheck:ErrPreCheckFailed]tidb-lightning pre-check failed: "
        "table(s) [`s`.`b`, `s`.`a`] are not empty, table(s) [`s`.`b`] are not empty, `s`.`a` failed in step(checksum)\n"
    )
    assert [(str(t.table), t.status) for t in report.tables] == [
        ("`s`.`a`", "failed at checksum earlier"),
        ("`s`.`b`", "not empty"),
    ]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (
            "[tikv:9006]GC life time is shorter than transaction duration, transaction starts at x",
            "checksum-incomplete",
        ),
        (
            "[Lightning:Restore:ErrEncodeKV]encode kv error in file a.csv:0 at offset 147500006: syntax error",
            "data-error",
        ),
        (
            "invalid tikv-importer.sorted-kv-dir: stat /tmp/sorted-kv-dir: no such file or directory",
            "environment-error",
        ),
        ("[Lightning:Restore:ErrSchemaNotExists]table `hoge`.`gz` schema not found", "data-error"),
        (
            "[Lightning:KV:ErrCreateKVClient]create kv client error: [PD:client:ErrClientCreateTSOStream]x",
            "environment-error",
        ),
        ("Target table is calculating checksum. Please wait until the checksum is finished", "transient"),
        ("syntax error", "data-error"),
        ("[types:1406]Data Too Long, field len 4, data len 5", "data-error"),
        ("analyze table failed: Error 8229: TTL manager has timed out", "transient"),
        ("config file contained unknown configuration options: lightning.foo", "config-error"),
        ("table `d`.`t` not empty, please clean up the table first", "precheck-failed"),
        ("write x.pb.tmp: no space left on device", "environment-error"),
        (
            "lightning version is 'v8', but checkpoint was created at 'v7', please delete the file",
            "leftover-checkpoint",
        ),
        (
            "write rows exceed conflict threshold: Error 1062 (23000): Duplicate entry '7' for key 'PRIMARY'",
            "data-error",
        ),
        ("create schema failed, table: t, stmt: x: Error 1045 (28000): Access denied", "environment-error"),
    ],
)
def test_an_error_text_has_its_kind(text: str, outcome: str) -> None:
    assert classify_error(text) == outcome


@pytest.mark.parametrize("text", ["context canceled", "rpc error: code = Canceled desc = Cancelled", ""])
def test_the_echo_of_a_cancel_is_no_cause(text: str) -> None:
    assert is_echo(text)


def test_what_version_4_calls_user_terminated_is_a_cancel() -> None:
    line = (
        '[2020/06/02 15:28:14.249 +08:00] [INFO] [restore.go:266] ["user terminated"] [step=2] '
        '[error="restore table `pay`.`p` failed: rpc error: code = Canceled desc = Cancelled"]\n'
    )
    assert explain(line).outcome is Outcome.CANCELED


def test_a_canceled_run_of_5_1_is_not_a_success_though_it_says_completed() -> None:
    log = """\
[2021/07/07 10:15:31.884 +00:00] [INFO] [info.go:40] ["Welcome to TiDB-Lightning"] [release-version=v5.1.5]
[2021/07/07 10:15:32.884 +00:00] [INFO] [lightning.go:218] [cfg] [cfg="{}"]
[2021/07/07 10:15:33.884 +00:00] [INFO] [main.go:49] ["got signal to exit"] [signal=terminated]
[2021/07/07 10:15:33.984 +00:00] [INFO] [restore.go:9] ["task canceled"] [step=2] [error="context canceled"]
[2021/07/07 10:15:33.985 +00:00] [INFO] [restore.go:9] ["the whole procedure completed"] [takeTime=1s] []
[2021/07/07 10:15:33.986 +00:00] [INFO] [main.go:99] ["tidb lightning exit"]
tidb lightning exit
"""
    assert explain(log).outcome is Outcome.CANCELED


def test_conflicts_that_7_0_calls_type_errors_are_conflicts() -> None:
    log = """\
[2023/04/04 17:57:09.000 +08:00] [INFO] [info.go:40] ["Welcome to TiDB-Lightning"] [release-version=v7.0.0]
[2023/04/04 17:57:09.001 +08:00] [INFO] [lightning.go:218] [cfg] [cfg="{}"]
[2023/04/04 17:57:09.312 +08:00] [INFO] [import.go:519] ["the whole procedure completed"] [takeTime=11.8s] []
[2023/04/04 17:57:09.312 +08:00] [WARN] [errormanager.go:491] ["Detect 830 data type errors in total, please refer to table `lightning_task_info`.`conflict_error_v1` for more details"]
[2023/04/04 17:57:09.325 +08:00] [INFO] [main.go:106] ["tidb lightning exit"] [finished=true]
"""
    report = explain(log)
    assert report.outcome is Outcome.SUCCEEDED_WITH_CONFLICTS
    assert "830" in report.reason


def test_the_root_error_is_not_the_cancel_it_caused() -> None:
    log = """\
[2023/04/25 07:52:18.811 +00:00] [ERROR] [restore.go:1] ["restore file failed"] [table=`a`.`b`] [error="write x: no space left on device"]
[2023/04/25 07:52:18.835 +00:00] [ERROR] [restore.go:2] ["the whole procedure failed"] [error="context canceled"]
tidb lightning encountered error: context canceled
"""
    report = explain(log)
    assert (report.outcome, report.root_error) == (Outcome.ENVIRONMENT_ERROR, "write x: no space left on device")


def test_of_several_runs_in_one_log_the_last_is_told() -> None:
    first = SUMMARY.replace("tidb lightning", "[2024/01/02 03:04:05.006 +00:00] [INFO] [x.go:1] [tidb lightning")
    last = """\
[2024/01/03 03:04:05.006 +00:00] [INFO] [info.go:53] ["Welcome to TiDB-Lightning"] [release-version=v8.5.4]
[2024/01/03 03:04:05.006 +00:00] [INFO] [lightning.go:437] [cfg] [cfg="{}"]
[2024/01/03 03:04:05.006 +00:00] [INFO] [chunk.go:1] ["restore file completed"] [table=`s`.`a`] [checksum="{cksum=1,size=2,kvs=3}"]
[2024/01/03 03:04:06.006 +00:00] [INFO] [import.go:583] ["the whole procedure completed"] [takeTime=1s] []
[2024/01/03 03:04:06.006 +00:00] [INFO] [main.go:110] ["tidb lightning exit"] [finished=true]
"""
    welcome = (
        '[2024/01/02 03:04:00.006 +00:00] [INFO] [info.go:53] ["Welcome to TiDB-Lightning"] [release-version=v8.5.4]\n'
    )
    assert explain(welcome + first + last).outcome is Outcome.SUCCEEDED


def test_an_empty_input_is_unknown() -> None:
    assert explain("").outcome is Outcome.UNKNOWN


def test_every_outcome_has_a_meaning_and_a_next_step() -> None:
    assert set(EXPLANATIONS) == set(Outcome)
    assert all(e.meaning and e.next_step for e in EXPLANATIONS.values())
