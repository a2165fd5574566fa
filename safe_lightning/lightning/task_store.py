"""Where a task's target and its checkpoint are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from safe_lightning.lightning.dsn import is_storage_url, local_path, read_mysql_dsn, without_query
from safe_lightning.lightning.secret import Secret
from safe_lightning.lightning.task import CheckpointStore, Server
from safe_lightning.lightning.task_keys import KEEPS
from safe_lightning.lightning.task_values import Values

_DEFAULT_SCHEMA = "tidb_lightning_checkpoint"


def target_of(values: Values) -> Server:
    """Return the target; ``port`` is 0 where Lightning would ask the status port for it.

    [tidb.security] stands in for the whole of [security] where it is given; ``tidb.tls = "false"`` turns it off
    for SQL, while the status port is still asked with the certificates of [security].
    """
    section = "tidb.security" if values.get("tidb.security") is not None else "security"
    if values.text("tidb.tls") == "false":
        section = "security"
    return Server(
        host=values.text("tidb.host") or "127.0.0.1",
        port=max(0, values.number("tidb.port")),
        user=values.text("tidb.user", "root"),
        password=Secret(values.text("tidb.password")),
        tls=values.text("tidb.tls"),
        ca_path=values.text(f"{section}.ca-path"),
        cert_path=values.text(f"{section}.cert-path"),
        key_path=values.text(f"{section}.key-path"),
        status_port=values.number("tidb.status-port", 10080),
        pd_addr=values.text("tidb.pd-addr"),
    )


def checkpoint_of(values: Values, target: Server, cwd: Path) -> CheckpointStore:
    """Return the checkpoint's store, of either driver; of a driver that Lightning does not know the name alone."""
    dsn = values.text("checkpoint.dsn")
    store = CheckpointStore(
        enabled=values.flag("checkpoint.enable", True),
        driver=values.text("checkpoint.driver") or "file",
        schema=values.text("checkpoint.schema") or _DEFAULT_SCHEMA,
        keep_after_success=values.word("checkpoint.keep-after-success", KEEPS, "remove"),
    )
    if store.driver == "mysql":
        return replace(store, server=_server(dsn, target) if dsn else target)
    if store.driver != "file":
        return store
    if not dsn:
        # Under /tmp whatever $TMPDIR says, so shared by all users and runs that name no other.
        return replace(store, path=Path(f"/tmp/{store.schema}.pb"), is_default_path=True)  # noqa: S108
    path = None if is_storage_url(dsn) else local_path(dsn)
    return replace(store, url=without_query(dsn)) if path is None else replace(store, path=cwd / path)


def _server(dsn: str, target: Server) -> Server | None:
    address = read_mysql_dsn(dsn)
    if address is None:
        return None
    # 4.0 and 5.x know the certificates of [security] by the name "cluster" in a DSN.
    is_cluster = address.tls == "cluster"
    return Server(
        host=address.host,
        port=address.port,
        user=address.user,
        password=Secret(address.password),
        tls=address.tls or "false",
        ca_path=target.ca_path if is_cluster else "",
        cert_path=target.cert_path if is_cluster else "",
        key_path=target.key_path if is_cluster else "",
        unix_socket=address.unix_socket,
    )
