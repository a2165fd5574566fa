"""What texts turned out to mean whose form is not known here, so that each of them is handed out once."""

from __future__ import annotations

import numpy as np

from safe_lightning.conflicts.kernel.binding import Known
from safe_lightning.conflicts.kernel.vectorised.arrays import Flags, Index, Numbers
from safe_lightning.conflicts.kernel.vectorised.lanes import Content

TEXTS_MOST = 1 << 16
TEXT_BYTES_MOST = 64


class Meanings:
    """The hashes of a column's texts, and of integers that stand in SQL without quotes."""

    def __init__(self) -> None:
        self._known: dict[Known, dict[bytes, int]] = {kind: {} for kind in Known}

    def learn(self, kind: Known, text: bytes, meaning: int) -> bool:
        """Take in what a text means; False if there is no room."""
        known = self._known[kind]
        if len(known) >= TEXTS_MOST or len(text) > TEXT_BYTES_MOST:
            return False
        known[text] = meaning
        return True

    def recall(self, content: Content, start: Index, size: Index, is_bare: Flags) -> tuple[Numbers, Flags]:
        """Return the hashes of texts, and which are known."""
        hashes, are_known = np.zeros(len(start), np.uint64), np.zeros(len(start), bool)
        if not any(self._known.values()):
            return hashes, are_known
        view = content.all.data
        kinds = (self._known[Known.TEXT], self._known[Known.INTEGER])
        places = zip(start.tolist(), (start + size).tolist(), is_bare.tolist(), strict=True)
        for number, (begin, end, bare) in enumerate(places):
            meaning = kinds[bare].get(view[begin:end].tobytes()) if end - begin <= TEXT_BYTES_MOST else None
            if meaning is not None:
                hashes[number], are_known[number] = meaning, True
        return hashes, are_known
