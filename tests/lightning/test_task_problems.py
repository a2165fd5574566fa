"""What Lightning rejects is told, for certain only where every release and any state of the disk agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from safe_lightning.lightning.task import Problem, Task, resolve_task

BASE = {
    "tikv-importer": 'backend = "tidb"',
    "mydumper": 'data-source-dir = "data"',
    "tidb": "port = 4000",
}
LOCAL = {**BASE, "tikv-importer": 'backend = "local"\nsorted-kv-dir = "sorted"'}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "plain").write_text("")
    return tmp_path


def write(base: dict[str, str], **more: str) -> str:
    sections = dict(base)
    for name, text in more.items():
        key = name.replace("_", "-")
        sections[key] = f"{sections.get(key, '')}\n{text}"
    return "".join(f"[{name}]\n{text}\n" for name, text in sections.items())


def resolve(folder: Path, config: str, *flags: str) -> Task:
    (folder / "task.toml").write_text(config)
    return resolve_task(["--config", "task.toml", *flags], folder, {})


def only_problem(folder: Path, config: str, *flags: str) -> Problem:
    (problem,) = resolve(folder, config, *flags).problems
    return problem


@pytest.mark.parametrize(
    ("config", "key", "said", "is_certain"),
    [
        (write({**BASE, "tikv-importer": ""}), "tikv-importer.backend", "must not be empty!", True),
        (write({**BASE, "tikv-importer": 'addr = "x:1"'}), "tikv-importer.backend", "must not be empty!", False),
        (write({**BASE, "tikv-importer": 'backend = "x"'}), "tikv-importer.backend", "(x)", False),
        (write({**BASE, "mydumper": ""}), "mydumper.data-source-dir", "is not set", True),
        (write({**BASE, "mydumper": 'data-source-dir = "x"'}), "mydumper.data-source-dir", "does not exist", False),
        (write({**BASE, "mydumper": 'data-source-dir = "plain"'}), "mydumper.data-source-dir", "not a dir", False),
        (write({**BASE, "mydumper": 'data-source-dir = "a%zz"'}), "mydumper.data-source-dir", "escape", False),
        (write({**BASE, "mydumper": 'data-source-dir = "ftp://u:p@h/x"'}), "mydumper.data-source-dir",
         "url 'ftp://h/x'", False),
        (write({**BASE, "tidb": ""}), "tidb.port", "invalid `tidb.port` setting", True),
        (write(BASE, tidb='tls = "maybe"'), "tidb.tls", "unsupported `tidb.tls` config maybe", True),
        (write(BASE, tidb='tls = "cluster"'), "tidb.tls", "without a [security] section", True),
        (write(BASE, tidb='sql-mode = "STRICT_TRANS_TABLES,SLOPPY"'), "tidb.sql-mode", "'SLOPPY'", True),
        (write(BASE, tidb='sql-mode = "ansi"'), "tidb.sql-mode", "'ansi'", False),
        (write({**LOCAL, "tikv-importer": 'backend = "local"'}), "tikv-importer.sorted-kv-dir", "not be empty!", True),
        (write({**LOCAL, "tikv-importer": 'backend = "local"\nsorted-kv-dir = "plain"'}),
         "tikv-importer.sorted-kv-dir", "('plain') is not a directory", False),
        (write(LOCAL, tikv_importer="region-split-batch-size = 0"), "tikv-importer.region-split-batch-size",
         "got 0, should be larger than 0", True),
        (write(BASE, tikv_importer="logical-import-batch-rows = -1"), "tikv-importer.logical-import-batch-rows",
         "got -1", True),
        (write(BASE, tikv_importer='pause-pd-scheduler-scope = "all"'), "tikv-importer.pause-pd-scheduler-scope",
         "allowed value include: table, global", True),
        (write(LOCAL, tikv_importer="parallel-import = true\nadd-index-by-sql = true"),
         "tikv-importer.add-index-by-sql", "cannot be used with", False),
        (write(BASE, mydumper="strict-format = true"), "mydumper.strict-format", "empty mydumper.csv.term", False),
        (write(BASE, mydumper='data-character-set = "ebcdic"'), "mydumper.data-character-set", "ebcdic", True),
        (write(BASE, mydumper='filter = ["a"]'), "mydumper.filter", "<cmdline>:1: wrong table pattern", True),
        (write(BASE, mydumper='filter = ["/\\\\pL/.*"]'), "mydumper.filter", "not understood here", False),
        (write(BASE, mydumper='filter = ["@nosuch"]'), "mydumper.filter", "cannot open filter file", False),
        (write(BASE, mydumper='filter = ["@data"]'), "mydumper.filter", "cannot open filter file", False),
        (write(BASE, mydumper='[mydumper.csv]\nseparator = ""'), "mydumper.csv.separator", "must not be empty", True),
        (write(BASE, mydumper='[mydumper.csv]\nseparator = "\\"x"'), "mydumper.csv.separator", "prefix", True),
        (write(BASE, mydumper='[mydumper.csv]\nseparator = "\\\\"'), "mydumper.csv.separator", "both as CSV", True),
        (write(BASE, mydumper='[mydumper.csv]\nescaped-by = "ab"'), "mydumper.csv.escaped-by", "single char", True),
        (write(BASE, checkpoint='driver = "MySQL"'), "checkpoint.driver", "unknown checkpoint driver 'MySQL'", True),
        (write(BASE, checkpoint='driver = "mysql"\ndsn = "db:4000"'), "checkpoint.dsn", "missing the slash", True),
        (write(BASE, checkpoint='driver = "mysql"\ndsn = "a@b/"'), "checkpoint.dsn", "invalid DSN", False),
        (write(BASE, checkpoint='dsn = "/cp.pb"'), "checkpoint.dsn", "for a MySQL address", False),
        (write(BASE, checkpoint='dsn = "data"'), "checkpoint.dsn", "read data: is a directory", False),
        (write(BASE, conflict='strategy = "keep"'), "conflict.strategy", "invalid conflict.strategy 'keep'", True),
        (write(BASE, conflict='strategy = "error"\nthreshold = 5'), "conflict.threshold", "cannot be set", True),
        (write(BASE, conflict="threshold = 5"), "conflict.threshold", "cannot be set", False),
        (write(BASE, conflict="precheck-conflict-before-import = true"), "conflict.precheck-conflict-before-import",
         "cannot be set to true", True),
        (write(LOCAL, conflict='strategy = "ignore"'), "conflict.strategy", 'cannot be set to "ignore"', False),
        (write(LOCAL, conflict='strategy = "replace"', tikv_importer='duplicate-resolution = "remove"'),
         "conflict.strategy", "cannot be used with tikv-importer.duplicate-resolution", False),
        (write(LOCAL, conflict='strategy = "replace"', tikv_importer="parallel-import = true"), "conflict.strategy",
         "cannot be used with tikv-importer.parallel-import", False),
        (write(BASE, conflict='strategy = "replace"\nthreshold = 5\nmax-record-rows = 6'), "conflict.max-record-rows",
         "(6) cannot be larger", False),
        (write(BASE, security='ca-path = "nosuch.pem"'), "security.ca-path",
         "open nosuch.pem: no such file or directory", False),
        (write(BASE, tidb='[tidb.security]\nca-path = "data"'), "tidb.security.ca-path", "is a directory", False),
        (write(BASE, lightning="server-mode = true"), "lightning.status-addr", "valid listen address", True),
        (write(BASE, lightning='status-addr = "localhost"'), "lightning.status-addr", "missing port", True),
        (write(BASE, lightning='status-addr = "[::1]"'), "lightning.status-addr", "missing port", True),
        (write(BASE, lightning='status-addr = "::1:80"'), "lightning.status-addr", "too many colons", True),
        (write(BASE) + "[[routes]]\ntable-pattern = 'x'\n", "routes.schema-pattern", "should not be empty", True),
        (write(BASE) + "[[routes]]\nschema-pattern = 'x'\n", "routes.target-schema", "should not be empty", True),
    ],
)  # fmt: skip
def test_what_lightning_rejects(folder: Path, config: str, key: str, said: str, is_certain: bool) -> None:
    problem = only_problem(folder, config)
    assert (problem.key, problem.is_certain) == (key, is_certain)
    assert said in problem.message


@pytest.mark.parametrize(
    ("key", "value", "found", "wanted"),
    [
        ("tidb.port", '"4000"', "string", "integer"),
        ("tidb.port", "4000.0", "float", "integer"),
        ("tidb.port", "true", "boolean", "integer"),
        ("tidb.password", "1234", "integer", "string"),
        ("tidb", "5", "integer", "table"),
        ("checkpoint.enable", '"yes"', "string", "boolean"),
        ("checkpoint.keep-after-success", "1", "integer", "remove, rename or origin"),
        ("mydumper.filter", '"a.*"', "string", "list of strings"),
        ("mydumper.filter", '["a.*", 1]', "array", "list of strings"),
        ("mydumper.files", '{pattern = "x"}', "table", "list of tables"),
        ("mydumper.files", "[{pattern = 1}]", "integer", "string"),
        ("mydumper.csv.null", "0", "integer", "string or list of strings"),
        ("mydumper.batch-size", "true", "boolean", "size"),
        ("post-restore.checksum", "1", "integer", "off, optional or required"),
        ("cron.log-progress", "true", "boolean", "duration"),
        ("lightning.max-error", '"5"', "string", "integer or table"),
        ("tidb.session-vars", "{x = 1}", "table", "table of strings"),
        ("routes", "1979-05-27", "datetime", "list of tables"),
    ],
)
def test_a_wrong_type_is_told(folder: Path, key: str, value: str, found: str, wanted: str) -> None:
    problem = only_problem(folder, f"{key} = {value}\n")
    assert problem.key == key + (".pattern" if "pattern = 1" in value else "")
    assert problem.is_certain
    assert f"TOML value has type {found}; destination has type {wanted}" in problem.message


@pytest.mark.parametrize(
    ("entry", "said", "is_certain"),
    [
        ("cron.log-progress = 5", "invalid duration '5'", True),
        ('cron.log-progress = "5"', "invalid duration '5'", True),
        (f"tidb.port = {2**63}", "9223372036854775808 is out of range", True),
        ('post-restore.checksum = "maybe"', "please choose valid option between ['off', 'optional', 'required']", True),
        ('checkpoint.keep-after-success = "keep"', "['remove', 'rename', 'origin']", True),
        ('mydumper.batch-size = "much"', "invalid size 'much'", False),
        ('tikv-importer.on-duplicate = "keep"', "invalid tikv-importer.on-duplicate 'keep'", False),
    ],
)
def test_a_value_that_cannot_be_read_is_told(folder: Path, entry: str, said: str, is_certain: bool) -> None:
    problem = resolve(folder, f"{entry}\n").problems[0]
    assert (said in problem.message, problem.is_certain) == (True, is_certain)


@pytest.mark.parametrize(
    "entry",
    [
        "mydumper.batch-size = 100", 'mydumper.batch-size = "100 GiB"', 'mydumper.max-region-size = "1.5g"',
        "cron.switch-mode = 0", 'cron.log-progress = "1h5m0.5s"', "mydumper.batch-import-ratio = 1",
        "lightning.max-error = {type = 3}", 'mydumper.csv.null = "NULL"', 'mydumper.csv.null = ["", "NULL"]',
        'tidb.session-vars = {time_zone = "UTC"}', "checkpoint.keep-after-success = true",
        "post-restore.analyze = false",
        'routes = [{schema-pattern = "a", target-schema = "b", extract-table = {x = 1}}]',
        'lightning.status-addr = ":8289"', 'lightning.status-addr = "[::1]:8289"', 'tidb.tls = "preferred"',
        'checkpoint = {enable = false, driver = "redis"}', 'conflict = {strategy = "remove"}', 'tidb.sql-mode = ""',
        'mydumper.filter = ["*.*", "!a.b"]', 'mydumper.csv = {separator = "|+|", delimiter = ""}',
        "mydumper.csv = {separator = '\\', backslash-escape = false}", "lightning.pprof-port = 8289",
    ],
)  # fmt: skip
def test_what_is_fine_is_no_problem(folder: Path, entry: str) -> None:
    rest = 'tikv-importer.backend = "tidb"\nmydumper.data-source-dir = "data"\ntidb.port = 4000\n'
    assert resolve(folder, f"{rest}{entry}\n").problems == ()


@pytest.mark.parametrize(
    ("section", "entry", "key", "hint"),
    [
        ("tidb", "prot = 1", "tidb.prot", "tidb.port"),
        ("tidb", 'sorted-kv-dir = "x"', "tidb.sorted-kv-dir", "tikv-importer.sorted-kv-dir"),
        ("csv", 'separator = "x"', "csv", "mydumper.csv"),
        ("policy", "x = 1", "policy", ""),
        ("tikv-importer", "duplicate-detection = true", "tikv-importer.duplicate-detection", "up to 5.2"),
        ("black-white-list", 'do-dbs = ["x"]', "black-white-list", "up to 7.1"),
    ],
)
def test_an_unknown_or_misplaced_key_is_left_to_the_child(
    folder: Path, section: str, entry: str, key: str, hint: str
) -> None:
    problem = only_problem(folder, write({**BASE, section: f"{BASE.get(section, '')}\n{entry}"}))
    assert (problem.key, problem.is_certain) == (key, False)
    assert f"unknown configuration options: {key}" in problem.message
    assert hint in problem.message


def test_many_unknown_keys_are_counted(folder: Path) -> None:
    problems = resolve(folder, write(BASE) + "[x1]\n" + "".join(f"[y{i}]\n" for i in range(30))).problems
    assert (len(problems), problems[-1].message) == (21, "config file contained unknown configuration options: 11 more")


def test_the_old_filter_beside_the_new_one_is_refused_by_every_release(folder: Path) -> None:
    config = write(BASE, mydumper='filter = ["a.*"]', black_white_list='do-dbs = ["x"]')
    assert [p.is_certain for p in resolve(folder, config).problems if p.key == "black-white-list"] == [False, True]


def make_missing(path: Path) -> None:
    assert not path.exists()


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket may not be long
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def make_huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 33)


@pytest.mark.parametrize(
    ("make", "said", "is_certain"),
    [
        (make_missing, "cannot read config file 'bad.toml': no such file or directory", True),
        (Path.mkdir, "cannot read config file 'bad.toml': is a directory", True),
        (make_loop, "cannot read config file 'bad.toml': too many levels of symbolic links", True),
        (make_socket, "cannot read config file 'bad.toml': no such device or address", True),
        (os.mkfifo, "cannot read config file 'bad.toml': it is not a regular file", False),
        (make_huge, "cannot read config file 'bad.toml': 8589934592 bytes are more", False),
    ],
)
def test_a_config_file_that_cannot_be_read_is_named(
    tmp_path: Path, make: Callable[[Path], None], said: str, is_certain: bool
) -> None:
    make(tmp_path / "bad.toml")
    (problem,) = resolve_task(["-c", "bad.toml"], tmp_path, {}).problems
    assert (problem.key, said in problem.message, problem.is_certain) == ("config", True, is_certain)


@pytest.mark.parametrize(
    ("content", "said", "is_certain"),
    [
        (b"x = [", "Invalid value", True),
        (b"x = yes", "Invalid value", True),
        (b"x : 1", "Expected '='", True),
        (b"[x", "Expected ']'", True),
        (b"\x00\x01\x02", "Invalid statement", True),
        (b"x = 1\nx = 2\n", "Cannot overwrite a value", False),
        (b"x = {a = 1,}", "", False),
        (b"# caf\xe9\n", "not UTF-8 at byte 5", False),
        (b"x = " + b"[" * 5000, "", False),
        (b".".join([b"x"] * 500) + b" = 1", "nested deeper", False),
        (b"x = " + b"9" * 5000, "", False),
    ],
)
def test_a_config_file_that_cannot_be_parsed_is_named(
    tmp_path: Path, content: bytes, said: str, is_certain: bool
) -> None:
    """Where the parsers of Lightning's releases differ, or ours gives up, the child decides."""
    (tmp_path / "bad.toml").write_bytes(content)
    (problem,) = resolve_task(["-c", "bad.toml"], tmp_path, {}).problems
    assert problem.message.startswith(f"cannot parse config file 'bad.toml': {said}")
    assert problem.is_certain == is_certain


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_config_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").touch(0o000)
    (problem,) = resolve_task(["-c", "bad.toml"], tmp_path, {}).problems
    assert problem.message == "cannot read config file 'bad.toml': permission denied"


@pytest.mark.parametrize("name", ["x\0y", "\udcff", "x" * 5000])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    (problem,) = resolve_task(["-config", name], tmp_path, {}).problems
    assert "cannot read config file" in problem.message


def test_a_byte_order_mark_does_not_matter(folder: Path) -> None:
    (folder / "task.toml").write_bytes(b"\xef\xbb\xbf" + write(BASE).encode())
    assert resolve_task(["-c", "task.toml"], folder, {}).problems == ()


def test_behind_an_unknown_flag_nothing_is_certain(folder: Path) -> None:
    problems = resolve(folder, write({**BASE, "tidb": ""}), "-nosuch").problems
    assert [(problem.key, problem.is_certain) for problem in problems] == [("-nosuch", False), ("tidb.port", False)]


def test_behind_a_refused_flag_nothing_else_is_told(folder: Path) -> None:
    assert only_problem(folder, "x", "-tidb-port=x").key == "-tidb-port"


def test_in_server_mode_the_tasks_come_later(folder: Path) -> None:
    assert resolve(folder, "", "-server-mode", "-status-addr=:8289").problems == ()


def test_the_control_tool_can_do_nothing_without_a_checkpoint(folder: Path) -> None:
    config = write(BASE, checkpoint="enable = false")
    assert only_problem(folder, config, "--checkpoint-remove=all").is_certain
    assert resolve(folder, config, "--compact").problems == ()


def test_a_control_tool_needs_no_source_in_every_release(folder: Path) -> None:
    assert not only_problem(folder, write({**BASE, "mydumper": ""}), "--checkpoint-remove=all").is_certain
