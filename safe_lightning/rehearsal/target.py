"""The stand-in cluster as a process: MySQL protocol, status API and PD on loopback ports of its choice.

Called as ``python -m safe_lightning.rehearsal.target SQLITE_FILE``; its first line on stdout names the ports. It
keeps them beside the file and takes the same ones next time: a checkpoint names the cluster that it belongs to.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from mysql_mimic import MysqlServer

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.rehearsal.http_server import HttpAnswerer, Route, pd_api, status_api
from safe_lightning.rehearsal.sql_server import TargetSession
from safe_lightning.rehearsal.store import Store

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Where the stand-in cluster listens."""

    mysql: int
    status: int
    pd: int


_ANY = Ports(0, 0, 0)


async def serve(store: Store, on_ready: Callable[[Ports], None], stop: asyncio.Event, wanted: Ports = _ANY) -> None:
    """Serve until the event is set, on the wanted ports where they are free."""
    server = await _listen_mysql(store, wanted.mysql)
    pd = await _listen(lambda address: pd_api(store, address), wanted.pd)
    status = await _listen(lambda _: status_api(store, f"{_HOST}:{pd}"), wanted.status)
    assert server._server is not None  # mysql-mimic does not tell its port any other way
    on_ready(Ports(server._server.sockets[0].getsockname()[1], status, pd))
    await stop.wait()
    server.close()


async def _listen_mysql(store: Store, port: int) -> MysqlServer:
    server = MysqlServer(session_factory=lambda: TargetSession(store), host=_HOST, port=port)
    try:
        await server.start_server()
    except OSError:
        return await _listen_mysql(store, 0) if port else _refuse()
    return server


def _refuse() -> NoReturn:
    raise OSError(f"no port of {_HOST} can be listened on")


async def _listen(make: Callable[[str], Route], port: int) -> int:
    routes: list[HttpAnswerer] = []
    try:
        server = await asyncio.start_server(lambda r, w: routes[0].serve(r, w), _HOST, port)
    except OSError:
        return await _listen(make, 0) if port else _refuse()
    taken: int = server.sockets[0].getsockname()[1]
    routes.append(HttpAnswerer(make(f"{_HOST}:{taken}")))
    return taken


async def _run(path: Path) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store, memory = Store(path), path.with_suffix(".ports.json")

    def tell(ports: Ports) -> None:
        memory.write_text(json.dumps(asdict(ports)), encoding="utf-8")
        print(json.dumps(asdict(ports)), flush=True)

    await serve(store, tell, stop, Ports(**json.loads(memory.read_text())) if memory.exists() else _ANY)
    store.close()


def main(arguments: list[str]) -> int:
    """Serve one SQLite file until SIGTERM."""
    if len(arguments) != 1:
        print("usage: python -m safe_lightning.rehearsal.target SQLITE_FILE", file=sys.stderr)
        return 64
    asyncio.run(_run(Path(arguments[0])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
