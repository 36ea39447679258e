"""Buffers that must not change while a later task is trained, although `forward` may change them.

Running statistics of normalisation are frozen by its evaluation mode (`layers.freeze_statistics`); other modules may
update buffers of their own in place, in any mode.
"""

from collections.abc import Container, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from packnet_core.errors import RequestError


class FrozenBuffers:
    """The buffers of a model outside of normalisation, except those named in `but`: their values, to be restored."""

    def __init__(self, model: nn.Module, but: Container[str] = ()):
        self._kept = [
            (name, module, part, buffer, buffer.clone())
            for name, module, part, buffer in _buffers(model)
            if name not in but
        ]

    @torch.no_grad()
    def restore(self) -> None:
        """Give every buffer its value again. Raises RequestError if a module has replaced one by another tensor."""
        for name, module, part, buffer, value in self._kept:
            if module._buffers[part] is not buffer:
                raise replaced(name)
            buffer.copy_(value)


def check_buffers(model: nn.Module, images: Tensor) -> None:
    """Run a model in training mode and check that it replaces no buffer; the model changes, so give a copy.

    `images` is a batch, N×C×S×S. Raises RequestError, naming the buffer, if `forward` assigns another tensor to it:
    such a buffer can't be frozen.
    """
    before = list(_buffers(model))
    model.train()
    with torch.no_grad():
        model(images)
    for name, module, part, buffer in before:
        if module._buffers[part] is not buffer:
            raise replaced(name)


def replaced(name: str) -> RequestError:
    """The error for a buffer that `forward` replaces."""
    return RequestError(
        f"the network replaces its buffer {name!r} in forward, so that it can't be kept for older tasks; "
        "update it in place instead (buffer.copy_(...))"
    )


def _buffers(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, Tensor]]:
    """Every buffer outside of normalisation: its name, its module, its name there, itself."""
    for prefix, module in model.named_modules():
        if isinstance(module, _NormBase):
            continue
        for part, buffer in module._buffers.items():
            if buffer is not None:
                yield f"{prefix}.{part}" if prefix else part, module, part, buffer
