"""What goes over the engine's socket: one JSON object a line, a request and its reply. Needs no torch."""

import msgspec
from msgspec import Struct

from packnet_core.schema.commands import Command


class Submit(Struct, frozen=True, tag="submit"):
    """Queue a command. The reply's `job` is its number; all else is in the journal."""

    command: Command


class Stop(Struct, frozen=True, tag="stop"):
    """End a running job at its next step, or take a waiting one out of the queue."""

    job: int


class Status(Struct, frozen=True, tag="status"):
    """Ask what runs and what waits."""


class Leave(Struct, frozen=True, tag="leave"):
    """End the engine; a running job is stopped first and can be gone on with."""


Message = Submit | Stop | Status | Leave


class Reply(Struct, frozen=True, kw_only=True):
    """`error` is a message for the user where the request was refused."""

    error: str | None = None
    job: int | None = None  # the job asked about, or the one that runs
    waiting: tuple[int, ...] = ()  # jobs in the queue
    pid: int = 0


class Address(Struct, frozen=True):
    """What `engine.json` holds: where the engine listens."""

    socket: str
    pid: int


encode = msgspec.json.Encoder().encode
message_decoder = msgspec.json.Decoder(Message)
reply_decoder = msgspec.json.Decoder(Reply)
address_decoder = msgspec.json.Decoder(Address)
