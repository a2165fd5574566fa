"""Excerpts quoted from public threads, pages and sources, versions 2.1 to 8.5: each is told as what it was."""

from __future__ import annotations

import io

import pytest

from safe_lightning.commands.explain import causes_of
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.verdict import ImportReport
from safe_lightning.explaining import Explainer


def explain(text: str) -> ImportReport:
    explainer = Explainer()
    explainer.add(io.BytesIO(text.encode()))
    return explainer.report()


MISMATCH_3_0 = "Error: checksum mismatched remote vs local => (checksum: 3828723015727756136 vs 7895534721177712659) (total_kvs: 1221416844 vs 1501500000) (total_bytes:237660308510 vs 292158203078)"
MISMATCH_CI = """\
[2021-02-26T17:33:40.431Z] Error: checksum mismatched remote vs local => (checksum: 2776093422133432446 vs 3203001050118138354) (total_kvs: 2 vs 4) (total_bytes:58 vs 116)
[2021-02-26T17:33:40.431Z] tidb lightning encountered error:  checksum mismatched remote vs local => (checksum: 2776093422133432446 vs 3203001050118138354) (total_kvs: 2 vs 4) (total_bytes:58 vs 116)"""
MISMATCH_6 = """\
Error: [Lighting:Restore:ErrChecksumMismatch]checksum mismatched remote vs local => (checksum: 16695241788915789231 vs 12854679390123074615) (total_kvs: 5 vs 6) (total_bytes:402 vs 465)
tidb lightning encountered error: [Lighting:Restore:ErrChecksumMismatch]checksum mismatched remote vs local => (checksum: 16695241788915789231 vs 12854679390123074615) (total_kvs: 5 vs 6) (total_bytes:402 vs 465)"""
TICKET = """\
ERROR 1105 (HY000): checksum mismatched remote vs local =>
  (checksum: 1299...082 vs 1078...133) (total_kvs: 3 vs 4) (total_bytes: 159 vs 215)"""
SUMMARY = """\
["tables failed to be imported"] [count=2]
[-] [table=`error_summary`.`a`] [status=checksum] [error="checksum mismatched
[-] [table=`error_summary`.`c`] [status=checksum] [error="checksum mismatched"""
OWN_SCHEMA = "Error: restore table `tidb_lightning_checkpoint`.`engine_v5` failed: checksum mismatched remote vs local => (checksum: 8787980310280661993 vs 13761183867493318720) (total_kvs: 690 vs 32) (total_bytes:47888 vs 2132)"
TWICE = "tidb lightning encountered error:  checksum mismatched remote vs local => (checksum: 11222303442876741793 vs 3225814776482587640) (total_kvs: 18161516 vs 9080796) (total_bytes:3368780389 vs 1684395306)"
PASSED = """\
[INFO] [table_restore.go:736] ["local checksum"] [table=`sysbench`.`sbtest1`] [checksum="{cksum=9970490404295648092,size=2539933993,kvs=20000000}"]
[INFO] [checksum.go:172] ["remote checksum start"] [table=sbtest1]
[INFO] [checksum.go:175] ["remote checksum completed"] [table=sbtest1] [takeTime=2.817086758s] []
[INFO] [table_restore.go:971] ["checksum pass"] [table=`sysbench`.`sbtest1`] [local="{cksum=9970490404295648092,size=2539933993,kvs=20000000}"]"""
GC = """\
[2022/02/25 21:01:06.846 +00:00] [ERROR] [lightning.go:219] ["tidb lightning encountered error"] [error="[tikv:9006]GC life time is shorter than transaction duration, transaction starts at 2022-02-25 20:44:20.986 +0000 UTC, GC safe point is 2022-02-25 20:44:21 +0000 UTC"] [errorVerbose="[tikv:9006]GC life time is shorter than transaction duration, transaction starts at 2022-02-25 20:44:20.986 +0000 UTC, GC safe point is 2022-02-25 20:44:21 +0000 UTC"""
SLOW_CHECKSUM = """\
[2020/03/10 20:44:47.162 +08:00] [INFO] [restore.go:1024] ["local checksum"] [table=`tpcc`.`order_line`] [checksum="{cksum=3588732482266855866,size=688778185266,kvs=8601932770}"]
[2020/03/10 20:44:47.169 +08:00] [INFO] [restore.go:1482] ["remote checksum start"] [table=`tpcc`.`order_line`]
[2020/03/10 20:45:52.311 +08:00] [INFO] [restore.go:492] [progress] [files="40/40 (100.0%)"] [tables="0/10 (0.0%)"] [speed(MiB/s)=75.81300532977347] [state=post-processing] []"""
FAILED_LAST_TIME_CUT = '[2021/08/12 15:10:54.258 +08:00] [ERROR] [restore.go:1343] ["TiDB Lightning has failed las…'
FAILED_LAST_TIME = (
    "TiDB Lightning has failed last time. To prevent data loss, this run will stop now. Please resolve errors first"
)
ILLEGAL = "TiDB Lightning has detected tables with illegal checkpoints. To prevent data loss, this run will stop now,please run command \"./tidb-lightning-ctl --checkpoint-remove='`a`.`b`' --config=...\""
OTHER_BACKEND = "config 'tikv-importer.backend' value 'local' different from checkpoint value 'tidb', please delete the file '/tmp/x.pb' and remove all restored tables and try again"
OTHER_VERSION = "tidb lightning encountered error: [Lightning:Checkpoint:ErrInvalidCheckpoint]lightning version is 'v8.5.4', but checkpoint was created at 'v7.5.6', please delete the file 'x' and remove all restored tables and try again"
CLEAN_START = '[INFO] [checkpoints.go:977] ["open checkpoint file failed, going to create a new one"] [path=/tmp/tidb_lightning_checkpoint.pb] [error="open /tmp/tidb_lightning_checkpoint.pb: no such file or directory"]'
CUT_AT_THE_MARGIN = """\
[2023/04/25 07:52:18.811 +00:00] [ERROR] [restore.go:1575] ["failed to import table"] [table=`IFRS9`.`ECL_RETAIL_LOAN_BIZ_INFO`] [error="Post \\"http://tc-pd.lightning-ha-test/
[2023/04/25 07:52:18.811 +00:00] [ERROR] [restore.go:1579] ["restore table failed"] [table=`IFRS9`.`ECL_RETAIL_LOAN_BIZ_INFO`] [takeTime=2h13m53.212184129s] [error="[Lightnin
[2023/04/25 07:52:18.811 +00:00] [INFO] [restore.go:1322] ["cancel periodic actions"] [do=true]
[2023/04/25 07:52:18.811 +00:00] [INFO] [restore.go:1885] ["switch import mode"] [mode=Normal]
[2023/04/25 07:52:18.835 +00:00] [ERROR] [restore.go:1541] ["restore all tables data failed"] [takeTime=2h13m53.243169911s] [error="[Lightning:Restore:ErrRestoreTable]restore"""
CHECKSUMMING = "Target table is calculating checksum. Please wait until the checksum is finished and try again"
SYNTAX = """\
[2019/05/16 09:40:45.194 +00:00] [ERROR] [restore.go:788] ["encode kv data and write failed"] [table=`ontime`.`ontime`] [engineNumber=0] [takeTime=12m21.763426151s] [error="syntax error"]
[2019/05/16 09:40:45.194 +00:00] [ERROR] [restore.go:487] ["restore table failed"] [table=`ontime`.`ontime`] [takeTime=12m21.766252462s] [error="syntax error"]
[2019/05/16 09:40:45.194 +00:00] [ERROR] [restore.go:532] ["restore all tables data failed"] [takeTime=12m21.766375826s] [error="syntax error"]
[2019/05/16 09:40:45.194 +00:00] [ERROR] [restore.go:250] ["the whole procedure failed"] [takeTime=12m21.779263707s] [error="syntax error"]
[2019/05/16 09:40:45.194 +00:00] [ERROR] [restore.go:105] ["tables failed to be imported"] [count=1]
[2019/05/16 09:40:45.194 +00:00] [ERROR] [restore.go:107] [-] [table=`ontime`.`ontime`] [status=written] [error="syntax error"]
[2019/05/16 09:40:45.194 +00:00] [INFO] [restore.go:424] ["everything imported, stopping periodic actions"]
[2019/05/16 09:40:45.194 +00:00] [ERROR] [main.go:69] ["tidb lightning encountered error"] [error="syntax error"] [errorVerbose="syntax error\\ngithub.com/pingcap/tidb-lightning/lightning/mydump.(*CSVParser).lex"]"""
OUT_OF_RANGE = """["encode kv data and write failed"] [table=`ontime`.`ontime`] [engineNumber=0] [takeTime=13m22.890923775s] [error="[types:1691]BIGINT value is out of range in '0-90'"]
[ERROR] [restore.go:107] [-] [table=`ontime`.`ontime`] [status=written] [error="[types:1406]Data Too Long, field len 4, data len 5"]"""
SIGTERM = """\
[2022/03/28 08:04:24.699 +00:00] [INFO] [main.go:49] ["got signal to exit"] [signal=terminated]
[2022/03/28 08:04:24.700 +00:00] [WARN] [restore.go:1123] ["stopping periodic actions"] [error="context canceled"]
[2022/03/28 08:04:24.729 +00:00] [ERROR] [local.go:2078] ["split & scatter ranges failed"] [uuid=132c73ad-f7fe-550a-bf5f-6270674024c4] [error="context canceled"]"""
PANIC_ON_INTERRUPT = """\
^Cpanic: send on closed channel

goroutine 1262 [running]:
github.com/pingcap/tidb/br/pkg/lightning/importer.(*Controller).saveStatusCheckpoint(0xc000f09520, {0x52a2b68, 0xc01ca739f0}, {0xc001553500, 0x13}, 0x0, {0x0?, 0x0}, 0x78)"""
PANIC = """\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x2 addr=0x110 pc=0x10409fc68]

goroutine 349 [running]:"""
OOM = """\
$ ./bin/tidb-lightning -c tidb-lightning.toml
Verbose debug logs will be written to tidb-lightning.log

Killed
$ dmesg
[200987.553309] Out of memory: Killed process 338843 (tidb-lightning) total-vm:77675088kB, anon-rss:70417072kB"""
SORTED_KV = "tidb lightning encountered error:  invalid tikv-importer.sorted-kv-dir: stat /tmp/sorted-kv-dir: no such file or directory\n"
QUOTED_FIELD = "tidb lightning encountered error: [Lightning:Restore:ErrEncodeKV]encode kv error in file airbnbsim.t1.10498.csv:0 at offset 147500006: syntax error: unterminated quoted field"
BARE_EOF = "Verbose debug logs will be written to /tmp/lightning.log.2021-07-07T10.15.31Z\n\nError: EOF\ntidb lightning encountered error:  EOF"
EOF_AGAIN = (
    "Root cause: [Lightning:Restore:ErrRestoreTable]restore table `gotpc_1500`.`order_line` failed: EOF; EOF; EOF."
)
NO_SCHEMA = "tidb lightning encountered error: [Lightning:Restore:ErrSchemaNotExists]table `hoge`.`gz` schema not found"
NO_PD = """\
      Verbose debug logs will be written to ./lightning.log

      {"level":"warn","ts":"2023-03-30T02:20:19.463+0800","logger":"etcd-client","caller":"v3@v3.5.2/retry_interceptor.go:62","msg":"retrying of unary invoker failed","attempt":0,"error":"rpc error: code = DeadlineExceeded desc = latest balancer error"}
      tidb lightning encountered error: [Lightning:KV:ErrCreateKVClient]create kv client error: [PD:client:ErrClientCreateTSOStream]create TSO stream failed, retry timeout"""
NO_REGION = "tidb lightning encountered error: [Lightning:PreCheck:ErrCheckTableEmpty]check table empty error: check table contains data failed: check table empty failed: Error 1105 (HY000): PD returned no region,"
USER_TERMINATED = '[2020/06/02 15:28:14.249 +08:00] [INFO] [restore.go:266] ["user terminated"] [step=2] [error="restore table `pay`.`pay_purchase` failed: rpc error: code = Canceled desc = Cancelled"]'
NOT_FATAL = """\
[2020/10/29 22:17:02.681 +00:00] [ERROR] [local.go:940] ["all retry ingest failed"] ["ingest meta"="{\\"uuid\\":\\"iBhoOzy/TQWsi/A48drSGw==\\"}"] [error="epoch not match: EpochNotMatch conf_ver: 69 version: 890 != conf_ver: 71 version: 890"] [errorVerbose="epoch not match: EpochNotMatch conf_ver: 69 version: 890 != conf_ver: 71 version: 890
github.com/pingcap/tidb-lightning/lightning/backend.isIngestRetryable
	/home/jenkins/agent/workspace/ld_lightning_multi_branch_v4.0.6/go/src/github.com/pingcap/tidb-lightning/lightning/backend/local.go:1173"""
V2_1 = """\
    restore.go:700: [warning] cannot switch to Import mode: rpc error: code = Unknown desc =
importer.go:308: [warning] [`a`.`a`] [d817726b-b2e4-444e-a83e-8a42f68c1838] import failed and retry 3 time, err rpc error: code = Unknown desc = ImportJobFailed("[SubImportJob d817726b-b2e4-444e-a83e-8a42f68c1838:23]")
restore.go:1032: [error] [`a`.`a`] failed to flush kvs : [`a`.`a`] [d817726b-b2e4-444e-a83e-8a42f68c1838] import reach max retry 3 and still failed: rpc error: code = Unknown desc = ImportJobFailed("[SubImportJob d817726b-b2e4-444e-a83e-8a42f68c1838:23]")
 restore.go:459: [info] restore all tables data takes 10m32.674361843s"""
TOO_BIG = "2023-06-01 10:55:27.887067902 +0800 CST m=+35.508861459 write error: write length 20297970322 exceeds maximum file size 536870912"
DM_VIEW = "[2024/06/04 12:08:25.788 +08:00] [WARN] [util.go:201] [\"create conflict view failed with no retry\"] [task=test] [unit=lightning-load] [query=\"CREATE OR REPLACE VIEW x\"] [args=null] [retryCnt=0] [error=\"Error 1142 (42000): CREATE VIEW command denied to user 'test1'@'%' for table 'conflict_view'\"]"
CONFLICTS = """\
Import Data Error Summary:
+---+---------------------+-------------+------------------------------------- ~
| # | ERROR TYPE          | ERROR COUNT | ERROR DATA TABLE                     ~
+---+---------------------+-------------+------------------------------------- ~
| 1 | Unique Key Conflict |         830 | `lightning_task_info`.`conflict_erro ~
+---+---------------------+-------------+------------------------------------- ~

[2023/04/04 17:57:09.312 +08:00] [INFO] [import.go:1919] ["skip full compaction"]
[2023/04/04 17:57:09.312 +08:00] [INFO] [import.go:519] ["the whole procedure completed"] [takeTime=11.803972053s] []
[2023/04/04 17:57:09.312 +08:00] [WARN] [errormanager.go:491] ["Detect 830 data type errors in total, please refer to table `lightning_task_info`.`conflict_error_v1` for more details"]
[2023/04/04 17:57:09.325 +08:00] [INFO] [main.go:106] ["tidb lightning exit"] [finished=true]"""
INTERRUPT = (
    '["got signal to exit"] [signal=interrupt]\n["tidb lightning exit"] [finished=false]\ntidb lightning canceled'
)
PORT = "failed to start HTTP server: listen tcp :8289: bind: address already in use"
DUPLICATES = """\
[2021/11/08 10:08:43.252 +00:00] [INFO] [duplicate.go:211] ["collect duplicate data from remote TiKV start"] [table=`clustered`.`t3`]
[2021/11/08 12:11:20.194 +00:00] [INFO] [duplicate.go:213] ["collect duplicate data from remote TiKV completed"] [table=`clustered`.`t2`] [takeTime=2h2m36.941825012s] []"""
FOUND_CONFLICT = "[Lightning:Restore:ErrFoundIndexConflictRecords]found index conflict records in table `a`.`b`, index name is 'k', unique key is '1', primary key is '2'"
PROGRESS = """\
2019/04/19 10:57:24.508  [info] progress: 288/314 chunks (91.7%), 0/1 tables (0.0%), speed 59.42 MiB/s, remaining 1m48s
[2019/08/29 20:20:57.900 +08:00] [INFO] [restore.go:464] [progress] [files="135/9559 (1.4%)"] [tables="2/14 (14.3%)"] [speed(MiB/s)=66.16620179643499] [state=writing] [remaining=10h27m18s]
[2023/05/04 01:04:31.581 +00:00] [INFO] [import.go:1325] [progress] [total=0.0%] [tables="0/1 (0.0%)"] [chunks=0/0] [engines="0/28 (0.0%)"] [] [] [] [state=importing] []"""
CHECKS_FAILED = "Total sample of 2 rows of data checked, 1 errors found.\nSome checks failed, please check the log for more information."
DM_MISMATCH = "checksum mismatched, KV number in source files: 99515551, KV number in TiDB cluster: 0"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (MISMATCH_3_0, "checksum-mismatch"),
        (MISMATCH_CI, "checksum-mismatch"),
        (MISMATCH_6, "checksum-mismatch"),
        (TICKET, "checksum-mismatch"),
        (SUMMARY, "checksum-mismatch"),
        (OWN_SCHEMA, "checksum-mismatch"),
        (TWICE, "checksum-mismatch"),
        (DM_MISMATCH, "checksum-mismatch"),
        (PASSED, "unknown"),
        (GC, "checksum-incomplete"),
        (SLOW_CHECKSUM, "unknown"),
        (FAILED_LAST_TIME_CUT, "leftover-checkpoint"),
        (FAILED_LAST_TIME, "leftover-checkpoint"),
        (ILLEGAL, "leftover-checkpoint"),
        (OTHER_BACKEND, "leftover-checkpoint"),
        (OTHER_VERSION, "leftover-checkpoint"),
        (CLEAN_START, "unknown"),
        (CUT_AT_THE_MARGIN, "environment-error"),
        (CHECKSUMMING, "transient"),
        (SYNTAX, "data-error"),
        (OUT_OF_RANGE, "data-error"),
        (SIGTERM, "canceled"),
        (PANIC_ON_INTERRUPT, "canceled"),
        (PANIC, "crashed"),
        (OOM, "killed"),
        (SORTED_KV, "environment-error"),
        (QUOTED_FIELD, "data-error"),
        (BARE_EOF, "environment-error"),
        (EOF_AGAIN, "transient"),
        (NO_SCHEMA, "data-error"),
        (NO_PD, "environment-error"),
        (NO_REGION, "transient"),
        (USER_TERMINATED, "canceled"),
        (NOT_FATAL, "unknown"),
        (V2_1, "environment-error"),
        (TOO_BIG, "unknown"),
        (DM_VIEW, "unknown"),
        (CONFLICTS, "succeeded-with-conflicts"),
        (INTERRUPT, "canceled"),
        (PORT, "environment-error"),
        (DUPLICATES, "unknown"),
        (FOUND_CONFLICT, "data-error"),
        (PROGRESS, "unknown"),
        (CHECKS_FAILED, "precheck-failed"),
    ],
)
def test_an_excerpt_is_told_as_what_it_was(text: str, outcome: str) -> None:
    assert explain(text).outcome == Outcome(outcome)


#: What stands before each line where containers and CI systems keep it, and what colours do to it.
WRAPPINGS = {
    "kubernetes": lambda line: f"2024-01-02T03:04:05.678901234Z stderr F {line}",
    "compose": lambda line: f"lightning-1  | {line}",
    "ci": lambda line: f"[2021-02-26T17:33:40.431Z] {line}",
    "colours": lambda line: f"\x1b[31m{line}\x1b[0m",
    "windows": lambda line: f"{line}\r",
    "docker": lambda line: (
        '{"log":"' + line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '\\n","stream":"stderr"}'
    ),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize(
    "text", [MISMATCH_3_0, MISMATCH_6, GC, SYNTAX, SIGTERM, PANIC, SORTED_KV, FOUND_CONFLICT, PORT]
)
def test_what_stands_around_a_line_changes_nothing(text: str, wrapping: str) -> None:
    wrapped = "".join(WRAPPINGS[wrapping](line) + "\n" for line in text.splitlines())
    plain, told = explain(text + "\n"), explain(wrapped)
    assert (told.outcome, told.tables) == (plain.outcome, plain.tables)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (SYNTAX, "syntax error"),
        (NOT_FATAL, None),
        (DM_VIEW, None),
        (SIGTERM, None),
        (CUT_AT_THE_MARGIN, "[Lightning:Restore:ErrRestoreTable]restore"),
        (BARE_EOF, "EOF"),
        (PANIC_ON_INTERRUPT, "panic: send on closed channel"),
    ],
)
def test_the_root_error_is_the_first_that_means_something(text: str, error: str | None) -> None:
    assert explain(text).root_error == error


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        (MISMATCH_CI, [(None, "checksum-mismatch")]),
        (SUMMARY, [("`error_summary`.`a`", "failed at checksum"), ("`error_summary`.`c`", "failed at checksum")]),
        (OWN_SCHEMA, [("`tidb_lightning_checkpoint`.`engine_v5`", "checksum-mismatch")]),
        (PASSED, [("`sysbench`.`sbtest1`", "checksum-passed")]),
        (SYNTAX, [("`ontime`.`ontime`", "failed at written")]),
        (V2_1, [("`a`.`a`", "failed")]),
    ],
)
def test_every_table_is_told_once(text: str, tables: list[tuple[str | None, str]]) -> None:
    assert [(str(t.table) if t.table else None, t.status) for t in explain(text).tables] == tables


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (MISMATCH_3_0, "key-conflicts"),
        (MISMATCH_CI, "key-conflicts"),
        (OWN_SCHEMA, "lightning-schema-in-dump"),
        (TWICE, "imported-twice"),
        (GC, "checksum-incomplete"),
    ],
)
def test_an_excerpt_has_its_likeliest_cause(text: str, cause: str) -> None:
    assert causes_of(explain(text))[0].name == cause
