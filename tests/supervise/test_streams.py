"""What the child prints arrives as it is, as it comes, and whatever becomes of our own output."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from .conftest import Start, await_end

Script = Callable[..., Path]


def read(stream: IO[bytes], size: int) -> bytes:
    """Read so many bytes of a stream that may not end yet."""
    got = b""
    while len(got) < size:
        got += os.read(stream.fileno(), size - len(got))
    return got


def read_all(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout
    return process.stdout.read()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no line break at the end",
        b"\xff\xfe not UTF-8 \x00\x80\n",
        b"\x1b[1mcolours\x1b[0m\r\n",
        b"x" * (10 << 20),
        b"line\n" * 400_000,
    ],
    ids=["nothing", "no-line-break", "invalid-utf8", "colours", "10-MiB-line", "many-lines"],
)
def test_stdout_arrives_byte_for_byte(start: Start, script: Script, tmp_path: Path, payload: bytes) -> None:
    (tmp_path / "payload").write_bytes(payload)
    wrapper = start(script("sys.stdout.buffer.write(open('payload', 'rb').read())"))
    assert read_all(wrapper.process) == payload
    end = wrapper.end()
    assert (end["exit_code"], end["tail"]) == (0, payload[-65536:].decode("latin-1"))


def test_output_arrives_while_the_child_waits_and_stdin_reaches_it(start: Start, script: Script) -> None:
    wrapper = start(script("os.write(1, b'your name? '); name = os.read(0, 99); os.write(1, b'hello ' + name)"))
    assert wrapper.process.stdout
    assert wrapper.process.stdin
    assert os.read(wrapper.process.stdout.fileno(), 99) == b"your name? "
    wrapper.process.stdin.write(b"Ada\n")
    assert read_all(wrapper.process) == b"hello Ada\n"


WRITTEN_BYTES = 80 << 16
WRITE_BOTH = """
def write(fd, letter):
    for _ in range(80):
        os.write(fd, letter * 65536)
threads = [threading.Thread(target=write, args=a) for a in ((1, b'o'), (2, b'e'))]
[t.start() for t in threads]
[t.join() for t in threads]
"""


@pytest.mark.parametrize("order", [("stdout", "stderr"), ("stderr", "stdout")])
def test_one_stream_flows_while_nobody_reads_the_other(start: Start, script: Script, order: tuple[str, str]) -> None:
    wrapper = start(script(WRITE_BOTH), stderr=subprocess.PIPE)
    for name in order:
        stream = getattr(wrapper.process, name)
        assert read(stream, WRITTEN_BYTES) == (b"o" if name == "stdout" else b"e") * WRITTEN_BYTES
    assert wrapper.end()["exit_code"] == 0


def test_a_reader_that_leaves_does_not_hurt_the_child(start: Start, script: Script, tmp_path: Path) -> None:
    wrapper = start(script("for _ in range(300_000): print('a line')\nopen('complete', 'w').close()"))
    assert wrapper.stdout.next() == b"a line"
    assert wrapper.process.stdout
    wrapper.process.stdout.close()
    assert wrapper.end()["exit_code"] == 0
    assert (tmp_path / "complete").exists()
    assert [e["reason"] for e in wrapper.events if e["event"] == "output-closed"] == ["its reader is gone"]


def test_a_full_disk_under_our_output_does_not_hurt_the_child(start: Start, script: Script, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        wrapper = start(script("print('x' * 100_000)\nopen('complete', 'w').close()"), stdout=full.fileno())
    assert wrapper.end()["exit_code"] == 0
    assert (tmp_path / "complete").exists()
    assert [e["reason"] for e in wrapper.events if e["event"] == "output-closed"] == ["No space left on device"]


def test_an_output_that_does_not_block_gets_every_byte(start: Start, script: Script) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    wrapper = start(script("for i in range(3000): print(str(i % 10) * 1023)"), stdout=writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        got = stream.read()
    assert got == b"".join(str(i % 10).encode() * 1023 + b"\n" for i in range(3000))
    assert wrapper.end()["exit_code"] == 0


def test_a_slow_reader_loses_nothing_though_the_child_is_long_gone(start: Start, script: Script) -> None:
    wrapper = start(script("os.write(1, b'z' * 180_000)"), drain_seconds=0.05)
    await_end(wrapper.await_event("started")["pid"])
    with pytest.raises(TimeoutError):  # no event says that it gave up
        wrapper.told.next(0.5)
    assert read_all(wrapper.process) == b"z" * 180_000


def test_a_stop_ends_the_waiting_for_a_reader_that_is_stuck(start: Start, script: Script) -> None:
    wrapper = start(script("os.write(1, b'z' * 180_000)"), drain_seconds=0.05)
    await_end(wrapper.await_event("started")["pid"])
    wrapper.signal(signal.SIGTERM)
    assert wrapper.end()["exit_code"] == 0
    assert [e["stream"] for e in wrapper.events if e["event"] == "pipe-held-open"] == ["stdout"]


def test_a_grandchild_that_holds_the_pipe_open_does_not_hold_us(start: Start, script: Script, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    wrapper = start(script("if os.fork() == 0:\n    os.setsid(); open('go').read(); os._exit(0)"), drain_seconds=0.1)
    end = wrapper.end()
    (left,) = (event["pids"] for event in wrapper.events if event["event"] == "processes-left")
    assert end["exit_code"] == 0
    assert wrapper.names().count("pipe-held-open") == 2
    (tmp_path / "go").write_text("")  # it lived on, for it was not ours to kill
    await_end(*left)


def test_a_listener_that_fails_does_not_stop_the_bytes(start: Start, script: Script) -> None:
    wrapper = start(script("print('x' * 1_000_000)"), broken_tap=True)
    assert len(read_all(wrapper.process)) == 1_000_001
    assert wrapper.end()["exit_code"] == 0
    assert [e["error"] for e in wrapper.events if e["event"] == "listener-failed"] == [
        "RuntimeError: this listener is broken"
    ]
