"""How the control tool is called: one mode, one exact table, and where cluster and checkpoint are."""

from __future__ import annotations

from pathlib import Path

import pytest

from safe_lightning.api import Action, TableName, Task
from safe_lightning.lightning.ctl import control_tool_argv
from safe_lightning.lightning.task import Server

TABLE = TableName("app", "t`x")
TOOL = Path("/opt/bin/tidb-lightning-ctl")


@pytest.mark.parametrize(
    ("action", "flag"),
    [
        (Action.REMOVE, "--checkpoint-remove=`app`.`t``x`"),
        (Action.IGNORE, "--checkpoint-error-ignore=`app`.`t``x`"),
        (Action.DESTROY, "--checkpoint-error-destroy=`app`.`t``x`"),
    ],
)
def test_each_act_has_its_mode(action: Action, flag: str) -> None:
    task = Task(argv=("--config", "task.toml"), cwd=Path("/"), target=Server(pd_addr="pd:2379"))
    assert control_tool_argv(TOOL, task, action, TABLE) == [str(TOOL), "--config=task.toml", flag]


@pytest.mark.parametrize(
    ("argv", "handed_on"),
    [
        (["-config", "a.toml"], ["--config=a.toml"]),
        (["-c=a.toml", "--config", "b.toml"], ["--config=b.toml"]),
        (["-c", "-x.toml"], ["--config=-x.toml"]),
        (
            ["-backend", "tidb", "-tidb-host=h", "--tidb-port", "0x10"],
            ["--backend=tidb", "--tidb-host=h", "--tidb-port=0x10"],
        ),
        (["-enable-checkpoint=false", "-pd-urls=a,b"], ["--enable-checkpoint=false", "--pd-urls=a,b"]),
        (["-d", "/data", "-L=debug", "-log-file", "x.log", "-f", "a.*", "-check-requirements=false", "-no-schema"], []),
        (["-status-addr=:1", "-checksum=off", "--analyze", "off", "-server-mode"], []),
        (["--", "-config", "a.toml"], []),
        (["stray", "-config", "a.toml"], []),
    ],
)
def test_the_users_way_to_cluster_and_checkpoint_is_handed_on_and_nothing_else(
    argv: list[str], handed_on: list[str]
) -> None:
    task = Task(argv=tuple(argv), cwd=Path("/"), target=Server(pd_addr="pd:2379"))
    call = control_tool_argv(TOOL, task, Action.REMOVE, TABLE)
    assert call == [str(TOOL), *handed_on, f"--checkpoint-remove={TABLE}"]


@pytest.mark.parametrize(("named", "flags"), [("", ["--pd-urls=pd1:2379,pd2:2379"]), ("mine:2379", [])])
def test_a_pd_that_the_task_does_not_name_is_handed_over(named: str, flags: list[str]) -> None:
    task = Task(argv=(), cwd=Path("/"), target=Server(pd_addr=named))
    call = control_tool_argv(TOOL, task, Action.REMOVE, TABLE, "pd1:2379,pd2:2379")
    assert call[1:-1] == flags


def test_a_report_is_no_act_of_the_tool() -> None:
    with pytest.raises(ValueError, match="report"):
        control_tool_argv(TOOL, Task(argv=(), cwd=Path("/")), Action.REPORT, TABLE)
