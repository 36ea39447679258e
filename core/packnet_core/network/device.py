"""The device to work on."""

import torch

from packnet_core.errors import RequestError


def pick_device(name: str | None) -> torch.device:
    """The torch device of that name; without a name, a GPU if there is one, else the CPU.

    Raises RequestError if the device can't be used.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).item()  # not on "meta", which has no values
    except (RuntimeError, AssertionError, ValueError, OverflowError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RequestError(f"device {name!r} can't be used here: {reason}") from None
    return device
