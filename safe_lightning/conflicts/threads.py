"""Running the same work on some threads: what one of them raises is raised here, after all have ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


def run_threads(works: Sequence[Callable[[], None]]) -> None:
    """Run all, each on a thread (a single one on this), and raise the first error."""
    if len(works) == 1:
        works[0]()
        return
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
