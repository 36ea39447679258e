"""The device to work on."""

import torch

from packnet_core.errors import RequestError


def pick_device(name: str | None) -> torch.device:
    """The torch device of that name; without a name, a GPU if there is one, else the CPU.

    Raises RequestError if the device can't be used.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(f"device {name!r} can't be used here: {reason}") from None
    return device
