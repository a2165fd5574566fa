"""The checkpoint's DSN: a MySQL address, a local path, or a storage URL."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from safe_lightning.core.lean_dataclass import dataclass

_STORAGE_SCHEMES = {"s3", "gcs", "gs", "azure", "azblob", "ks3", "oss", "hdfs"}


@dataclass(frozen=True)
class MysqlAddress:
    """What a MySQL DSN of Go's driver names."""

    user: str = ""
    password: str = ""
    host: str = "127.0.0.1"
    port: int = 3306
    unix_socket: str = ""
    tls: str = ""


def read_mysql_dsn(dsn: str) -> MysqlAddress | None:
    """Read ``user:password@tcp(host:port)/schema?tls=…``; None where Go's driver would refuse it.

    As there the last slash and the last @ count, and a network without an address is known for tcp and unix only,
    so that most file paths are no MySQL DSN, yet ``/cp.pb`` is one.

    >>> read_mysql_dsn("imp:a@b@tcp(db:4000)/?tls=skip-verify")
    MysqlAddress(user='imp', password='a@b', host='db', port=4000, unix_socket='', tls='skip-verify')
    >>> read_mysql_dsn("/data/cp.pb"), read_mysql_dsn("/cp.pb")
    (None, MysqlAddress(user='', password='', host='127.0.0.1', port=3306, unix_socket='', tls=''))
    """
    left, slash, right = dsn.rpartition("/")
    if not slash:
        return None
    login, _, place = left.rpartition("@")
    user, _, password = login.partition(":")
    net, parenthesis, address = place.partition("(")
    if parenthesis and not address.endswith(")"):
        return None
    address = address.removesuffix(")")
    tls = parse_qs(right.partition("?")[2]).get("tls", [""])[0]
    if net == "unix":
        return MysqlAddress(user, password, unix_socket=address or "/tmp/mysql.sock", tls=tls)  # noqa: S108
    if net not in ("", "tcp") and not address:
        return None
    host, port = _host_port(address)
    return MysqlAddress(user, password, host, port, tls=tls) if port else None


def _host_port(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, port = address, "3306"
    is_number = port.isascii() and port.isdigit() and len(port) < 6
    return host.strip("[]") or "127.0.0.1", int(port) if is_number else 0


def is_storage_url(dsn: str) -> bool:
    """Whether a file DSN names remote storage (6.0 and newer).

    >>> is_storage_url("s3://bucket/cp.pb"), is_storage_url("/data/x/cp.pb")
    (True, False)
    """
    return _split(dsn).scheme.lower() in _STORAGE_SCHEMES


def local_path(text: str) -> str | None:
    """Return the local path that a DSN or data-source-dir names; None for remote storage.

    >>> local_path("file:///a%20b"), local_path("s3://b/c"), local_path("x/y")
    ('/a b', None, 'x/y')
    """
    parts = _split(text)
    if parts.scheme.lower() in ("file", "local"):
        return unquote(parts.path)
    return None if "://" in text else text


def without_query(url: str) -> str:
    """Return a URL without user, password and query, where keys travel.

    >>> without_query("s3://me:pw@b/c?access-key=x")
    's3://b/c'
    """
    parts = _split(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # a bracket in the wrong place: no address of anything
        return SplitResult("", "", text, "", "")
