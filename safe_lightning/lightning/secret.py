"""Text that must not be seen."""

from __future__ import annotations


class Secret:
    """Holds a text that never prints, formats, compares or serialises itself; ``reveal()`` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the plain text, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')" if self._text else "Secret('')"

    def __str__(self) -> str:
        return "***" if self._text else ""

    def __bool__(self) -> bool:
        return bool(self._text)

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[()]]:
        # A pickle would carry the plain text to a file or another process.
        return Secret, ()
