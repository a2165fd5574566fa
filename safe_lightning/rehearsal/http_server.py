"""The stand-in cluster's HTTP side: TiDB's status API and what a look at PD asks for, by one small answerer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from safe_lightning.core.tables import TableName
from safe_lightning.rehearsal.pairs import Pair
from safe_lightning.rehearsal.scenario import CLUSTER_ID
from safe_lightning.rehearsal.sql_server import VERSION
from safe_lightning.rehearsal.store import Store, StoreError

_BODY_BYTES_MOST = 64 << 20
_HEADER_LINES_MOST = 100

Json = Mapping[str, object] | Sequence[object] | None
#: Given the path's parts and the body, answers with something that becomes JSON; None is "not found".
Route = Callable[[list[str], bytes], Json]


class HttpAnswerer:
    """Serves one table of routes; connections are closed after each answer."""

    def __init__(self, route: Route) -> None:
        self._route = route

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            status, answer = self._answer(*await _request(reader))
            body = json.dumps(answer).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass  # the peer went away or spoke something else than HTTP: there is nobody to answer
        finally:
            writer.close()

    def _answer(self, path: str, body: bytes) -> tuple[str, Json]:
        parts = [unquote(part) for part in urlsplit(path).path.split("/") if part]
        try:
            answer = self._route(parts, body)
        except StoreError as error:
            return "500 Internal Server Error", {"error": str(error), "code": error.code}
        return ("404 Not Found", {"error": "not found"}) if answer is None else ("200 OK", answer)


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    _, path, _ = (await reader.readline()).decode("latin-1").split(" ", 2)
    length = 0
    for _ in range(_HEADER_LINES_MOST):
        name, _, value = (await reader.readline()).decode("latin-1").strip().partition(":")
        if not name:
            break
        if name.lower() == "content-length":
            length = int(value)
    if not 0 <= length <= _BODY_BYTES_MOST:
        raise ValueError(f"a body of {length} bytes")
    return path, await reader.readexactly(length)


def status_api(store: Store, pd_address: str) -> Route:
    """Answer as TiDB's status port does: /status, /settings, /schema/DB/TABLE."""

    def route(parts: list[str], body: bytes) -> Json:
        match parts:
            case ["status"]:
                return {"connections": 0, "version": VERSION, "git_hash": "None"}
            case ["settings"]:
                return {"host": "127.0.0.1", "path": pd_address, "store": "tikv", "keyspace-name": ""}
            case ["schema"]:
                return [{"db_name": {"O": name, "L": name.lower()}} for name in store.databases()]
            case ["schema", schema, table]:
                return _table_info(store, TableName(schema, table))
        return None

    return route


def _table_info(store: Store, name: TableName) -> Json:
    table = store.table(name)
    timestamp = int(table.created_at * 1000) << 18  # a TSO: milliseconds, then a logical part of 18 bits
    return {"id": table.id, "name": {"O": name.table, "L": name.table.lower()}, "update_timestamp": timestamp}


def pd_api(store: Store, address: str) -> Route:
    """Answer as PD does, and take the pairs of an ingest in TiKV's stead."""
    member = {"name": "pd-rehearsal", "member_id": 1, "client_urls": [f"http://{address}"]}

    def route(parts: list[str], body: bytes) -> Json:
        match parts:
            case ["pd", "api", "v1", "version"]:
                return {"version": "v8.5.4"}
            case ["pd", "api", "v1", "health"]:
                return [{**member, "health": True}]
            case ["pd", "api", "v1", "members"]:
                return {"header": {"cluster_id": CLUSTER_ID}, "members": [member], "leader": member}
            case ["pd", "api", "v1", "cluster"]:
                return {"id": CLUSTER_ID, "now": time.time()}
            case ["rehearsal", "ingest", schema, table]:
                return _ingest(store, TableName(schema, table), body)
        return None

    return route


def _ingest(store: Store, name: TableName, body: bytes) -> Json:
    pairs = [Pair(bytes.fromhex(key), bytes.fromhex(value), index) for key, value, index in json.loads(body)]
    store.ingest(name, pairs)
    return {"ingested": len(pairs)}
