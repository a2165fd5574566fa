"""Files that are no policy at all: each gives one clear error that names the file, and nothing waits for ever."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from safe_lightning.policy.load import PolicyError, load_policy


def error_of(path: Path) -> str:
    with pytest.raises(PolicyError) as raised:
        load_policy(path, {})
    (problem,) = raised.value.problems
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(problem).removeprefix(str(path))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"schema = 1\nkey = \xff\n", ":2: is not UTF-8: byte 17 is 0xff; allowed: TOML in UTF-8"),
        (b"\x7fELF\n\x01\x00\x02", ":2: is binary: a NUL at byte 6; allowed: TOML in UTF-8"),
        ("schema = 1".encode("utf-16"), ":1: is binary: a NUL at byte 3; allowed: TOML in UTF-8"),
        (b"schema = 1\n\ndry_run = yes\n", ":3: is not TOML: Invalid value (column 11)"),
        (b"schema = 1\nschema = 1\n", ":2: is not TOML: Cannot overwrite a value (column 11)"),
        (b"schema = ", ": is not TOML: Invalid value (at end of document)"),
        (b"<html></html>", ":1: is not TOML: Invalid statement (column 1)"),
        (b"schema = 1 # \x1b[31m", ":1: is not TOML: Found invalid character '\\x1b' (column 14)"),
        (b"schema = " + b"[" * 5000 + b"]" * 5000, ": is nested too deeply"),
    ],
)
def test_bytes_that_are_no_toml(policy_file: Path, data: bytes, said: str) -> None:
    policy_file.write_bytes(data)
    assert error_of(policy_file) == said


def test_a_number_of_thousands_of_digits(policy_file: Path) -> None:
    policy_file.write_bytes(b"schema = " + b"1" * 10_000)
    assert error_of(policy_file).startswith(": is not TOML: ")


def test_a_file_over_one_mebibyte(policy_file: Path) -> None:
    policy_file.write_bytes(b"schema = 1\n" + b"#" * (1 << 20))
    assert error_of(policy_file) == ": has 1048587 bytes; allowed: 1048576 at most"


def test_a_file_of_one_mebibyte_loads(policy_file: Path) -> None:
    head = b"schema = 1\n#"
    policy_file.write_bytes(head.ljust(1 << 20, b"x"))
    assert load_policy(policy_file, {}).policy.schema == 1


def test_a_folder(policy_file: Path) -> None:
    policy_file.mkdir()
    assert error_of(policy_file) == ": is a directory; allowed: a regular file"


def test_a_fifo_is_not_waited_for(policy_file: Path) -> None:
    os.mkfifo(policy_file)
    assert error_of(policy_file) == ": is a FIFO; allowed: a regular file"


def test_a_device_that_never_ends() -> None:
    assert error_of(Path("/dev/zero")) == ": is a device; allowed: a regular file"


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert error_of(Path("s")) == ": cannot be read: No such device or address"


def test_links_in_a_circle(policy_file: Path) -> None:
    policy_file.symlink_to(policy_file)
    assert error_of(policy_file) == ": cannot be read: Too many levels of symbolic links"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(policy_file: Path) -> None:
    policy_file.touch(mode=0o000)
    assert error_of(policy_file) == ": cannot be read: Permission denied"


def test_a_name_that_is_too_long() -> None:
    assert error_of(Path("x" * 300)) == ": cannot be read: File name too long"
