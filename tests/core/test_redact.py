"""No secret gets through, whatever it is wrapped in; what is no secret does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import recordings

from safe_lightning.core.log_batch import LogReader
from safe_lightning.core.logline import LogRecord, parse_line
from safe_lightning.core.redact import (
    lines_with_bare_rows,
    lines_with_secrets,
    may_hold_secret,
    redact,
    redact_argv,
    redact_data,
    redact_fields,
    redact_rows,
    redact_rows_in_text,
)

#: Where Lightning, its libraries and its users put secrets; %s is the secret.
PLACES = [
    "mysql://root:%s@127.0.0.1:4000/test",
    "root:%s@tcp(127.0.0.1:4000)/test?charset=utf8mb4",
    "root:%s@unix(/tmp/mysql.sock)/",
    "failed to connect: dsn=root:%s@tcp(10.0.0.1:4000)/: refused",
    "s3://bucket/path?access-key=%s&region=x",
    "s3://bucket/path?region=x&secret-access-key=%s",
    "s3://bucket/p?session-token=%s&force-path-style=true",
    "s3://bucket/p?access_key_id=A&secret_access_key=%s",
    "gs://bucket/p?credentials-file=x&access-key=%s",
    "azure://c/p?account-name=a&account-key=%s",
    "azure://c/p?sas-token=%s",
    "https://h.blob.core.windows.net/c?sv=2020&sig=%s",
    "https://h/p?X-Amz-Signature=%s&X-Amz-Date=1",
    "https://h/p?X-Amz-Security-Token=%s",
    "http://user:%s@proxy.local:3128",
    '{"tidb":{"host":"h","psw":"x","password":"%s","user":"root"}}',
    '{\\"tidb\\":{\\"password\\":\\"%s\\",\\"user\\":\\"root\\"}}',
    '{"checkpoint":{"dsn":"root:%s@tcp(h:4000)/"}}',
    "password = '%s'",
    'password = "%s"',
    'password="""%s"""',
    "password: %s",
    "Password=%s",
    "PASSWORD:%s user:root",
    "--tidb-password %s",
    "-tidb-password=%s",
    'tidb-lightning -tidb-password "%s" -d /x',
    "encryption-key=%s",
    "AWS_SECRET_ACCESS_KEY=%s",
    "aws_session_token=%s",
    "Authorization: Bearer %s",
    "map[Authorization:[Basic %s]]",
    'Authorization: "AWS4-HMAC-SHA256 Credential=%s/2024"',
    "&{AccessKey:%s SecretAccessKey:x}",
    "SecretAccessKey:%s",
]
ESCAPE_FREE = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.!$^*_-", min_size=8)
SECRETS = ESCAPE_FREE.filter(lambda text: "***" not in text and text.strip("*-"))


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_masked_wherever_it_stands(place: str) -> None:
    shown = redact(place % "hunter2secretvalue")
    assert "hunter2secretvalue" not in shown
    assert "***" in shown


@given(st.sampled_from(PLACES), SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_no_secret_survives_whatever_stands_around_it(place: str, secret: str, before: str, after: str) -> None:
    secret = f"S3cr{secret}"
    assert secret not in redact(f"{before} {place % secret} {after}")


@given(st.sampled_from(PLACES), SECRETS)
def test_no_secret_survives_in_the_field_of_a_log_line(place: str, secret: str) -> None:
    secret = f"S3cr{secret}"
    value = json.dumps(place % secret, ensure_ascii=False)
    line = f"[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] [cfg] [cfg={value}] [a=1]"
    (record,) = LogReader().read([line.encode()])
    assert isinstance(record, LogRecord)
    assert lines_with_secrets([record.rest])
    assert secret not in str(redact_fields(record.fields))


@pytest.mark.parametrize("place", PLACES)
def test_the_quick_look_finds_every_place(place: str) -> None:
    assert may_hold_secret(place % "x")
    assert lines_with_secrets(["a", place % "x", "b"]) == {1}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql://root:p@h:4000/", "mysql://root:***@h:4000/"),
        ("root:p@tcp(h:4000)/?a=b", "root:***@tcp(h:4000)/?a=b"),
        ("s3://b/p?access-key=A&region=us", "s3://b/p?access-key=***&region=us"),
        ('{"password":"p","user":"root"}', '{"password":"***","user":"root"}'),
        ("password = 'a' # why", "password = '***' # why"),
        ("mysql://root:p@ss:w@rd@h:4000/", "mysql://root:***@h:4000/"),
        ('password = "never closed and more', 'password = "***"'),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key *** is unknown"),
    ],
)
def test_only_the_secret_is_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "restore file completed",
        "table `bank`.`accounts` of access_log: signal terminated",
        "Error 1045 (28000): Access denied for user 'root'@'10.0.0.1' (using password: YES)",
        "github.com/pkg/errors@v0.9.1/errors.go:174",
        "user@example.com wrote to shop.accounts",
        "dial tcp 127.0.0.1:4000: connect: connection refused",
        "got signal to exit",
        "SELECT token FROM sessions",
        "http://127.0.0.1:10080/schema/a/b",
        "tokenizer failed at offset 12",
        "2024/01/02 03:04:05.678 +00:00",
    ],
)
def test_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text(alphabet=st.characters(exclude_characters="@", exclude_categories=["Cs"])))
def test_what_the_quick_look_lets_pass_is_not_touched(text: str) -> None:
    if not may_hold_secret(text):
        assert redact(text) == text


def test_masked_lines_can_still_be_parsed() -> None:
    line = '{"level":"info","message":"cfg","cfg":"{\\"password\\":\\"p\\",\\"user\\":\\"root\\"}"}'
    assert json.loads(json.loads(redact(line))["cfg"]) == {"password": "***", "user": "root"}


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["-d", "/x"], ["-d", "/x"]),
        (["--tidb-password", "p", "-d", "/x"], ["--tidb-password", "***", "-d", "/x"]),
        (["-tidb-password=p=q"], ["-tidb-password=***"]),
        (["-tidb-password="], ["-tidb-password=***"]),
        (["-d", "s3://b?secret-access-key=K"], ["-d", "s3://b?secret-access-key=***"]),
        (["-tidb-password"], ["-tidb-password"]),
    ],
)
def test_command_lines(argv: list[str], shown: list[str]) -> None:
    assert list(redact_argv(argv)) == shown


def test_nested_data_is_masked_by_names_and_in_values() -> None:
    data = {"tidb": {"password": "p", "port": 4000}, "urls": ["http://u:p@h/", 1], "password": ""}
    assert redact_data(data) == {
        "tidb": {"password": "***", "port": 4000},
        "urls": ["http://u:***@h/", 1],
        "password": "",
    }


ROW_CARRIERS = ("stmt", "rows", "row", "original", "data", "args")


def recorded_error_records() -> list[LogRecord]:
    lines = [
        line
        for recording in recordings()
        for line in recording.bytes_of("lightning.log").splitlines()
        if (b"[ERROR]" in line or b"[WARN]" in line) and (b"VALUES" in line or b"[row" in line)
    ]
    return [record for record in map(parse_line, lines) if record]


def test_recorded_errors_keep_their_words_and_lose_their_rows() -> None:
    records = recorded_error_records()
    assert records
    for record in records:
        shown = redact_rows(record.fields)
        assert shown.keys() == record.fields.keys()
        assert sum(map(len, shown.values())) < 40_000
        assert not any("VALUES(" in value and "bytes of row data)" not in value for value in shown.values())
        errors = {
            name: text for name, text in record.fields.items() if name.startswith("error") and "VALUES" not in text
        }
        assert errors.items() <= shown.items()


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"rows": "[('secret row',1)]"}, {"rows": "(18 bytes of row data)"}),
        ({"rows": "1000"}, {"rows": "1000"}),
        (
            {"stmt": "INSERT INTO `a`.`b` (`x`) VALUES('secret row')", "error": "Error 1062 (23000): Duplicate entry"},
            {"stmt": "INSERT INTO `a`.`b` (`x`) VALUES(14 bytes of row data)",
             "error": "Error 1062 (23000): Duplicate entry"},
        ),
        ({"sql": "REPLACE INTO t\nVALUES ('a'),('b')"}, {"sql": "REPLACE INTO t\nVALUES (11 bytes of row data)"}),
        (
            {"error": "found data conflict records in table t, primary key is '1', row data is '(1,\"secret row\")'"},
            {"error": "found data conflict records in table t, primary key is '1', row data is (16 bytes of row data)"},
        ),
        (
            {"error": "[Lightning:Restore]found duplicate key '7480', value 'secret row'"},
            {"error": "[Lightning:Restore]found duplicate key '7480', value (10 bytes of row data)"},
        ),
        ({"error": "exec `INSERT INTO t VALUES(1)`"}, {"error": "exec `INSERT INTO t VALUES(4 bytes of row data)"}),
        ({"table": "`a`.`b`", "values": "kept"}, {"table": "`a`.`b`", "values": "kept"}),
    ],
)  # fmt: skip
def test_row_data_is_replaced_by_its_size(fields: dict[str, str], shown: dict[str, str]) -> None:
    assert redact_rows(fields) == shown


def test_a_statement_without_rows_stays() -> None:
    assert redact_rows_in_text("SELECT VALUES FROM t") == "SELECT VALUES FROM t"


def test_rows_in_bare_fields_are_found() -> None:
    assert lines_with_bare_rows([" [rows_count=1]", " [row=secret]", " [a=1] [args=x]"]) == {1, 2}
