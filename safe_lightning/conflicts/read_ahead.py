"""Decompressing in a thread of its own, a few blocks ahead of the one that reads them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

_END = object()


def read_ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress in a thread of its own, a few blocks ahead."""
    ready: queue.Queue[object] = queue.Queue(4)
    is_over = threading.Event()

    def produce() -> None:
        last: object = _END
        try:
            for block in blocks:
                _put(ready, block, is_over)
                if is_over.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, who raises it
            last = error
        _put(ready, last, is_over)

    thread = threading.Thread(target=produce, name="decompress", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            assert isinstance(item, bytes)
            yield item
    finally:
        is_over.set()
        thread.join()


def _put(ready: queue.Queue[object], item: object, is_over: threading.Event) -> None:
    while not is_over.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return
