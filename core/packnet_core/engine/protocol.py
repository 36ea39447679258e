"""The protocol of the engine's socket: one JSON object per line, a message and its reply. Needs no torch."""

import os
import socket
import struct
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from packnet_core.schema.commands import Command
from packnet_core.schema.text import Decoder, to_json


class Hello(Struct, frozen=True, tag="hello"):
    """The first message of a connection, with the file's identity (`Paths.identity`). Another file's engine refuses."""

    file: tuple[int, int]


class Submit(Struct, frozen=True, tag="submit"):
    """Queue a command. The reply has the number of its job; all events are in the journal."""

    command: Command


class Stop(Struct, frozen=True, tag="stop"):
    """Stop a running job after its step, or remove a waiting one from the queue."""

    job: int


class Status(Struct, frozen=True, tag="status"):
    """Ask which job runs and which wait."""


class Leave(Struct, frozen=True, tag="leave"):
    """End the engine; a running job is stopped first and can be resumed."""


Message = Hello | Submit | Stop | Status | Leave
LONGEST = 1 << 20  # bytes of a message or a reply


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to a message; `error` says why it was refused."""

    error: str | None = None
    job: int | None = None  # the job asked about, or the one that runs
    waiting: tuple[int, ...] = ()  # jobs in the queue
    warning: str = ""  # why the journal can't be written, which then does not say what happens
    pid: int = 0


class Address(Struct, frozen=True):
    """The content of `engine.json`: the path of the engine's socket, and its process id."""

    socket: Annotated[str, Meta(pattern=r"\A[^\x00]+\Z")]  # a path has no null character
    pid: int


encode = to_json
message_decoder: Decoder[Message] = Decoder(Message)
reply_decoder: Decoder[Reply] = Decoder(Reply)
address_decoder = msgspec.json.Decoder(Address)  # a path as it is: it is opened, and never shown


def same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's; True on systems that can't tell (all but Linux)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket's folder lets no other user in
    _, user, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    return bool(user == os.getuid())
