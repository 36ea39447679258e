"""The protocol of the engine's socket: one JSON object per line, a message and its reply. Needs no torch."""

import msgspec
from msgspec import Struct

from packnet_core.schema.commands import Command


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


Message = Submit | Stop | Status | Leave


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to a message; `error` says why it was refused."""

    error: str | None = None
    job: int | None = None  # the job asked about, or the one that runs
    waiting: tuple[int, ...] = ()  # jobs in the queue
    pid: int = 0


class Address(Struct, frozen=True):
    """The content of `engine.json`: the socket that the engine listens on, and its process."""

    socket: str
    pid: int


encode = msgspec.json.Encoder().encode
message_decoder = msgspec.json.Decoder(Message)
reply_decoder = msgspec.json.Decoder(Reply)
address_decoder = msgspec.json.Decoder(Address)
