"""The protobuf library's reading of checkpoint.proto, to hold our own decoder against."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

PACKAGE = "safe_lightning.checkpoint"
TYPES = {
    name: getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{name.upper()}")
    for name in ("int64", "int32", "uint32", "uint64", "sint32", "fixed64", "sfixed64", "string", "bytes")
}
MAP = re.compile(r"map<(\w+), (\w+)> (\w+) = (\d+);")
FIELD = re.compile(r"(repeated )?(\w+) (\w+) = (\d+);")


@cache
def file_class() -> type[Message]:
    """Build the message class of the whole file out of checkpoint.proto itself."""
    text = files("safe_lightning.lightning").joinpath("checkpoint.proto").read_text()
    proto = descriptor_pb2.FileDescriptorProto(name="checkpoint.proto", package=PACKAGE, syntax="proto3")
    for name, body in re.findall(r"message (\w+) \{\n(.*?)\n\}", text, re.DOTALL):
        message = proto.message_type.add(name=name)
        for line in body.splitlines():
            add_field(message, line.strip())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.File"))


def add_field(message: Any, line: str) -> None:
    if found := MAP.match(line):
        key, value, name, number = found.groups()
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        set_type(entry.field.add(name="key", number=1, label=1), key)
        set_type(entry.field.add(name="value", number=2, label=1), value)
        set_type(message.field.add(name=name, number=int(number), label=3), f"{message.name}.{entry.name}")
    elif found := FIELD.match(line):
        repeated, kind, name, number = found.groups()
        set_type(message.field.add(name=name, number=int(number), label=3 if repeated else 1), kind)


def set_type(field: Any, kind: str) -> None:
    if kind in TYPES:
        field.type = TYPES[kind]
    else:
        field.type, field.type_name = 11, f".{PACKAGE}.{kind}"


def parse(data: bytes) -> Any | None:
    """Parse a file; None where the library refuses it."""
    try:
        return file_class().FromString(data)
    except DecodeError:
        return None


def as_values(message: Any) -> dict[str, Any]:
    """Turn the library's message into the shape of our model."""
    task = scalars(message.task_checkpoint) if message.HasField("task_checkpoint") else None
    return {"task": task, "tables": {name: table(value) for name, value in message.checkpoints.items()}}


def scalars(message: Any) -> dict[str, Any]:
    return {f.name: getattr(message, f.name) for f in message.DESCRIPTOR.fields if not is_map(f)}


def is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def table(message: Any) -> dict[str, Any]:
    return scalars(message) | {"engines": {number: engine(value) for number, value in message.engines.items()}}


def engine(message: Any) -> dict[str, Any]:
    return scalars(message) | {"chunks": {key: chunk(value) for key, value in message.chunks.items()}}


def chunk(message: Any) -> dict[str, Any]:
    return scalars(message) | {"column_permutation": tuple(message.column_permutation)}
