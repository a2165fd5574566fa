"""Changing a protocol-buffer message in place: what is not named stays, byte for byte, whoever wrote it."""

from __future__ import annotations

from safe_lightning.lightning.wire import Schema, read_fields, write_message, write_span


class Message:
    """A message as its fields' bytes, in order; fields of a later version are kept like all others."""

    def __init__(self, data: bytes) -> None:
        # The fields stand back to back, so each one reaches to the end of its place.
        self.fields = [
            (number, data[start : place[1]], data[place[0] : place[1]])
            for start, number, _, place in read_fields(data, 0, len(data))
        ]

    def __bytes__(self) -> bytes:
        return b"".join(raw for _, raw, _ in self.fields)

    def payloads(self, number: int) -> list[bytes]:
        """Return the payloads of all fields of a number."""
        return [payload for found, _, payload in self.fields if found == number]

    def replace(self, number: int, payloads: list[bytes | None]) -> None:
        """Give the fields of a number that carry a length other payloads, in their order; None leaves one out."""
        fresh = iter(payloads)
        fields = []
        for found, raw, payload in self.fields:
            if found != number:
                fields.append((found, raw, payload))
            elif (new := next(fresh)) is not None:
                fields.append((found, write_span(number, new), new))
        self.fields = fields

    def put(self, schema: Schema, name: str, value: int) -> None:
        """Set a number by its name in the schema; 0 is left out, as proto3 does."""
        number = next(number for number, field in schema.items() if field.name == name)
        raw = write_message({number: schema[number]}, {name: value})
        kept = [field for field in self.fields if field[0] != number]
        if raw:
            kept.append((number, raw, raw))
            kept.sort(key=lambda field: field[0])  # stable: entries of a map stay in their order
        self.fields = kept
