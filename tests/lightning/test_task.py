"""Config file and flags resolve as Lightning resolves them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safe_lightning.core.goflags import CONTROL_TOOL_FLAGS, LIGHTNING_FLAGS
from safe_lightning.core.tablefilter import DEFAULT_FILTER
from safe_lightning.lightning.task import CheckpointStore, Server, Task, resolve_task
from safe_lightning.lightning.task_keys import KEYS

GOOD = """
[tikv-importer]
backend = "tidb"
[mydumper]
data-source-dir = "data"
[tidb]
port = 4000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path


def resolve(folder: Path, config: str, *flags: str) -> Task:
    (folder / "task.toml").write_text(config)
    return resolve_task(["--config", "task.toml", *flags], folder, {})


def test_a_small_task(folder: Path) -> None:
    task = resolve(folder, GOOD)
    assert task.problems == ()
    assert task == Task(
        argv=("--config", "task.toml"),
        cwd=folder,
        config_file=folder / "task.toml",
        backend="tidb",
        target=task.target,
        checkpoint=CheckpointStore(path=Path("/tmp/tidb_lightning_checkpoint.pb"), is_default_path=True),
        data_source_dir="data",
        checksum="off",
        analyze="off",
        table_filter=DEFAULT_FILTER,
        values={"tikv-importer.backend": "tidb", "mydumper.data-source-dir": "data", "tidb.port": 4000},
    )
    target = task.target
    assert (target.host, target.port, target.user, target.status_port) == ("127.0.0.1", 4000, "root", 10080)


@pytest.mark.parametrize(
    ("flags", "key", "value"),
    [
        (["-tidb-host", "db"], "tidb.host", "db"),
        (["-tidb-port=0x1000"], "tidb.port", 4096),
        (["-tidb-status", "1"], "tidb.status-port", 1),
        (["-tidb-user", "imp"], "tidb.user", "imp"),
        (["-pd-urls", "pd:2379"], "tidb.pd-addr", "pd:2379"),
        (["-d", "s3://b/p"], "mydumper.data-source-dir", "s3://b/p"),
        (["-backend", "local"], "tikv-importer.backend", "local"),
        (["-sorted-kv-dir", "s"], "tikv-importer.sorted-kv-dir", "s"),
        (["-checksum", "optional"], "post-restore.checksum", "optional"),
        (["-analyze", "off"], "post-restore.analyze", "off"),
        (["-ca", "c"], "security.ca-path", "c"),
        (["-log-file", "-"], "lightning.file", "-"),
        (["-L", "warn"], "lightning.level", "warn"),
        (["-status-addr", ":8289"], "lightning.status-addr", ":8289"),
        (["-server-mode"], "lightning.server-mode", True),
        (["-enable-checkpoint=0"], "checkpoint.enable", False),
        (["-check-requirements=false"], "lightning.check-requirements", False),
        (["-no-schema"], "mydumper.no-schema", True),
        (["-f", "a.*", "-f", "!a.b"], "mydumper.filter", ["a.*", "!a.b"]),
    ],
)
def test_a_flag_overrides_its_key(folder: Path, flags: list[str], key: str, value: object) -> None:
    assert resolve(folder, GOOD, *flags).values[key] == value


@pytest.mark.parametrize(
    "flag",
    [
        "-tidb-host=", "-tidb-port=0", "-backend=", "-log-file=", "-checksum=", "-enable-checkpoint",
        "-check-requirements", "-no-schema=false", "-server-mode=0",
    ],
)  # fmt: skip
def test_no_flag_sets_a_value_back_or_a_switch_on(folder: Path, flag: str) -> None:
    config = GOOD + '[checkpoint]\nenable = false\n[lightning]\nfile = "x.log"\ncheck-requirements = false\n'
    assert resolve(folder, config, flag).values == resolve(folder, config).values


def test_keys_are_matched_without_regard_to_case(folder: Path) -> None:
    assert resolve(folder, GOOD.replace("[tidb]", "[TiDB]").replace("port", "Port")).target.port == 4000


@pytest.mark.parametrize(
    ("checkpoint", "driver", "location"),
    [
        ("", "file", "/tmp/tidb_lightning_checkpoint.pb"),
        ('schema = "cp"', "file", "/tmp/cp.pb"),
        ('schema = ""', "file", "/tmp/tidb_lightning_checkpoint.pb"),
        ('dsn = "/data/x/cp.pb"', "file", "/data/x/cp.pb"),
        ('dsn = "x/cp.pb"', "file", "{cwd}/x/cp.pb"),
        ('dsn = "cp.pb"', "file", "{cwd}/cp.pb"),
        ('dsn = "file:///data/a%20b/cp.pb"', "file", "/data/a b/cp.pb"),
        ('dsn = "s3://me:pw@bucket/cp.pb?secret-access-key=x"', "file", "s3://bucket/cp.pb"),
        ('driver = "mysql"', "mysql", "mysql://imp@db:4000/tidb_lightning_checkpoint"),
        ('driver = "mysql"\nschema = "cp"', "mysql", "mysql://imp@db:4000/cp"),
        ('driver = "mysql"\ndsn = "a:b:c@d@tcp(h:3307)/x"', "mysql", "mysql://a@h:3307/tidb_lightning_checkpoint"),
        ('driver = "mysql"\ndsn = "a@unix(/run/m.sock)/"', "mysql", "mysql://a@/run/m.sock/tidb_lightning_checkpoint"),
        ('driver = "mysql"\ndsn = "a@/"', "mysql", "mysql://a@127.0.0.1:3306/tidb_lightning_checkpoint"),
        ('driver = "mysql"\ndsn = "a@tcp([::1])/"', "mysql", "mysql://a@::1:3306/tidb_lightning_checkpoint"),
    ],
)
def test_where_the_checkpoint_is(folder: Path, checkpoint: str, driver: str, location: str) -> None:
    config = GOOD + f'host = "db"\nuser = "imp"\npassword = "geheim"\n[checkpoint]\n{checkpoint}\n'
    store = resolve(folder, config).checkpoint
    assert (store.driver, store.location) == (driver, location.format(cwd=folder))
    assert "geheim" not in repr(store)


def test_a_checkpoint_server_is_the_target_unless_the_dsn_names_another(folder: Path) -> None:
    config = GOOD + 'password = "geheim"\ntls = "skip-verify"\n[checkpoint]\ndriver = "mysql"\n'
    task = resolve(folder, config)
    assert task.checkpoint.server is task.target
    assert task.target.password.reveal() == "geheim"
    other = resolve(folder, config + 'dsn = "root:andere@tcp(h:1)/?tls=preferred"\n').checkpoint.server
    assert other is not None
    assert (other.password.reveal(), other.tls, other.ca_path) == ("andere", "preferred", "")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("true", "rename"), ("false", "remove"), ('"Origin"', "origin"), ('"rename"', "rename"), ('"true"', "rename"),
        ('"remove"', "remove"),
    ],
)  # fmt: skip
def test_what_becomes_of_the_checkpoint_after_success(folder: Path, value: str, kept: str) -> None:
    store = resolve(folder, GOOD + f"[checkpoint]\nkeep-after-success = {value}\n").checkpoint
    assert store.keep_after_success == kept


@pytest.mark.parametrize(
    ("backend", "value", "checksum"),
    [
        ("local", "true", "required"), ("local", "false", "off"), ("local", '"OFF"', "off"),
        ("local", '"optional"', "optional"), ("local", '"true"', "required"), ("tidb", '"required"', "off"),
    ],
)  # fmt: skip
def test_the_level_of_the_checksum(folder: Path, backend: str, value: str, checksum: str) -> None:
    config = GOOD.replace("tidb", backend, 1) + f"[post-restore]\nchecksum = {value}\nanalyze = {value}\n"
    task = resolve(folder, config.replace(f"[{backend}]", "[tidb]"), "-sorted-kv-dir=s")
    assert (task.checksum, task.analyze) == (checksum, checksum)


@pytest.mark.parametrize(
    ("config", "strategy"),
    [
        ("", ""),
        ('[conflict]\nstrategy = "Replace"', "replace"),
        ('[conflict]\nstrategy = "none"', ""),
        ('[conflict]\nstrategy = "record"', "replace"),
        ("[conflict]\nthreshold = 3", ""),
    ],
)
def test_the_conflict_strategy(folder: Path, config: str, strategy: str) -> None:
    assert resolve(folder, f"{GOOD}{config}\n").conflict_strategy == strategy


@pytest.mark.parametrize("old", ["on-duplicate", "duplicate-resolution"])
def test_the_conflict_strategy_under_its_old_names(folder: Path, old: str) -> None:
    config = GOOD.replace('backend = "tidb"', f'backend = "tidb"\n{old} = "replace"')
    assert resolve(folder, config).conflict_strategy == "replace"


@pytest.mark.parametrize("key", ["parallel-import", "incremental-import"])
def test_parallel_import_has_two_names(folder: Path, key: str) -> None:
    assert resolve(folder, GOOD.replace('backend = "tidb"', f'backend = "tidb"\n{key} = true')).parallel_import


def test_the_certificates_of_tidb_stand_in_for_the_general_ones(folder: Path) -> None:
    general = '[security]\nca-path = "a"\ncert-path = "b"\nkey-path = "c"\n'
    own = '[tidb.security]\nca-path = "d"\n'

    def paths(target: Server) -> tuple[str, str, str]:
        return target.ca_path, target.cert_path, target.key_path

    assert paths(resolve(folder, GOOD + general).target) == ("a", "b", "c")
    assert paths(resolve(folder, GOOD + own + general).target) == ("d", "", "")
    assert paths(resolve(folder, GOOD + 'tls = "false"\n' + own + general).target) == ("a", "b", "c")


def test_the_legacy_port_is_a_status_address(folder: Path) -> None:
    assert resolve(folder, GOOD + "[lightning]\npprof-port = 8289\n").status_addr == ":8289"


def test_routes_and_file_rules_are_noticed(folder: Path) -> None:
    config = GOOD + '[[routes]]\nschema-pattern = "a*"\ntarget-schema = "a"\n[[mydumper.files]]\npattern = "x"\n'
    task = resolve(folder, config)
    assert (task.has_routes, task.has_file_rules, task.problems) == (True, True, ())


def test_no_secret_shows_in_what_a_task_tells(folder: Path) -> None:
    config = GOOD.replace('"data"', '"s3://b/p?access-key=GEHEIM1&secret-access-key=GEHEIM2"')
    config += 'password = "GEHEIM3"\n[checkpoint]\ndriver = "mysql"\ndsn = "u:GEHEIM4@tcp(h:1)/"\n'
    task = resolve(folder, config, "-tidb-password=GEHEIM5")
    assert "GEHEIM" not in json.dumps(dict(task.values)) + repr(task.problems) + repr(task.target)
    assert (task.values["tidb.password"], task.values["checkpoint.dsn"]) == ("***", "u:***@tcp(h:1)/")
    assert task.target.password.reveal() == "GEHEIM5"


@pytest.mark.parametrize("flags", [["-V"], ["-h"], ["-V", "-config=nosuch"], ["--help"]])
def test_version_and_usage_need_no_task(folder: Path, flags: list[str]) -> None:
    task = resolve_task(flags, folder, {})
    assert (task.is_info_only, task.problems) == (True, ())


def test_the_control_tools_calls_are_resolved_alike(folder: Path) -> None:
    task = resolve(folder, GOOD, "--checkpoint-remove=`a`.`b`")
    assert (task.is_control_tool_call, task.backend, task.problems) == (True, "tidb", ())


WORDS = st.sampled_from(
    [f"-{name}" for name in {**LIGHTNING_FLAGS, **CONTROL_TOOL_FLAGS}] + ["-config=task.toml", "\0"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(argv=st.lists(st.text() | WORDS | st.characters(codec=None)), config=st.binary())
def test_any_call_and_any_bytes_become_a_task(folder: Path, argv: list[str], config: bytes) -> None:
    (folder / "task.toml").write_bytes(config)
    assert isinstance(resolve_task([*argv, "-config=task.toml"], folder, {}), Task)


TOML_VALUES = st.sampled_from(
    ["1", "-1", "1.5", "true", '""', '"x"', '"//["', '"s3://["', '"\\u0000"', '"tcp(x)/"', "[]", "[1]", '["a.["]', "{}",
     '{x = "1"}', "1979-05-27", "9" * 30, "inf", '"error"', '"tidb"', '"local"', '"mysql"', '[{x = 1}]']
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from([*KEYS, "x", "tidb.x", "x.y"]), TOML_VALUES, max_size=12))
def test_any_value_of_any_key_becomes_a_task(folder: Path, entries: dict[str, str]) -> None:
    """Dotted keys in one table; a combination that is no TOML is a case of its own."""
    config = "".join(f"{key} = {value}\n" for key, value in sorted(entries.items()))
    task = resolve(folder, config)
    assert json.dumps(dict(task.values))
    assert task.problems or task.backend
