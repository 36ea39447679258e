"""The networks that `--arch` takes, the module in each that a task's head replaces, and initial weights."""

import difflib
import importlib
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision import models
from torchvision.models import get_model, get_model_weights, list_models

from packnet_core.errors import RequestError
from packnet_core.network.small_networks import CifarResNet, CifarVGG, DigitsNet

SAFE = "save it as .safetensors (safetensors.torch.save_file(model.state_dict(), PATH))"
SMALL = {"cifar_vgg": CifarVGG, "digits_net": DigitsNet}
DEEPEST = 1202  # layers of the deepest CIFAR ResNet (He et al. 2016)
WRAPPERS = ("state_dict", "model")  # keys under which training scripts put a state dict


def names() -> list[str]:
    """Every name that `build` knows, except CIFAR ResNets of other depths and `module:function`."""
    return [
        *list_models(module=models),
        "cifar_resnet20",
        "cifar_resnet56",
        "cifar_vgg",
        "digits_net",
    ]


def build(name: str, *, channels: int = 3, classes: int = 1000, initialise: bool = True) -> nn.Module:
    """Build a network in training mode, float32, with random values from torch's global generator.

    `name` is one of `names()`, a CIFAR ResNet of another depth 6n + 2, or `module:function`: that function is imported
    and called without arguments, so `channels`, `classes` and `initialise` have no effect on it. With `initialise`
    False, torch draws no initial values, for a network whose tensors will all be replaced.

    Raises RequestError if there is no such network, or it can't be built.

    build("cifar_resnet20", channels=1, classes=10)
    """
    if ":" in name:
        return _imported(name)
    if not initialise:
        with _NoDraws():
            return build(name, channels=channels, classes=classes)
    if depth := re.fullmatch(r"cifar_resnet([1-9][0-9]{0,9})", name):
        blocks, left = divmod(int(depth[1]) - 2, 6)
        if left or blocks < 1 or int(depth[1]) > DEEPEST:
            raise RequestError(
                f"the depth of a CIFAR ResNet is 6n + 2 up to {DEEPEST}, such as 20 or 56, not {depth[1]}"
            )
        return CifarResNet(blocks, channels, classes)
    if name in SMALL:
        return SMALL[name](channels, classes)
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, 3)
        raise RequestError(
            f"there is no network {name!r}{'; close to it: ' * bool(close)}{', '.join(close)} (there are torchvision's "
            "classification models, cifar_resnet20, cifar_resnet56, cifar_vgg, digits_net, and module:function)"
        )
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # one output: the auxiliary classifiers would be second heads
        options = {"aux_logits": False, "init_weights": True, "transform_input": channels == 3}
    model: nn.Module = get_model(name, weights=None, num_classes=classes, **options)
    if channels != 3:
        _take_channels(model, channels)
    return model


def skeleton(name: str, *, channels: int = 3) -> nn.Module:
    """Build a network whose large tensors have no memory (torch's "meta" device); they are to be replaced.

    A `module:function` network is built in full. Raises RequestError if there is no such network.
    """
    if ":" in name:
        return build(name)
    with _NoMemory():
        return build(name, channels=channels, initialise=False)


def shapes(name: str) -> nn.Module:
    """Build a network whose tensors have shapes and no values, which takes no memory; otherwise like `skeleton`."""
    return skeleton(name) if ":" in name else skeleton(name).to("meta")


def default_input_size(name: str) -> int:
    """The side, in pixels, of the square images that a network is made for."""
    return {"digits_net": 8, "inception_v3": 299}.get(name, 32 if name.startswith("cifar_") else 224)


def find_head(model: nn.Module) -> str:
    """The name of the module that a task's head replaces: the last linear layer, outside attention.

    Raises RequestError if there is no such layer.
    """
    modules = dict(model.named_modules())
    linear = [
        name
        for name, module in modules.items()
        if isinstance(module, nn.Linear) and not isinstance(modules[name.rpartition(".")[0]], nn.MultiheadAttention)
    ]
    if not linear:
        raise RequestError(
            f"{type(model).__name__} has no linear layer that a task's head could replace; use another network"
        )
    return str(linear[-1])


def load_weights(source: str | Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """Load a state dict onto the CPU, floating-point tensors as float32.

    `source` is a .safetensors, .pth or .pt file, DEFAULT for torchvision's weights of the network `name`, or the state
    dict itself. A state dict under "state_dict" or "model" is unwrapped, and the prefix "module." is removed if all
    names have it. Pickled files are read with `weights_only`, which makes tensors and plain containers, without
    running code.

    Raises RequestError if there are no such weights, the file holds something else, or a download fails.
    """
    if not isinstance(source, str):
        state, source = source, "the given object"
    elif source.upper() == "DEFAULT":
        state = _downloaded(name)
    else:
        state = _read(Path(os.path.expanduser(source)))
    for wrapper in WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not state or not all(map(_is_named_tensor, state, state.values())):
        raise RequestError(f"{source} holds no state dict (names and tensors); {SAFE}")
    for key, tensor in state.items():
        if not _has_values(tensor):
            raise RequestError(f"{key} in {source} is not a plain tensor with its values; {SAFE}")
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    return {key: t.detach().cpu().float() if t.is_floating_point() else t.detach().cpu() for key, t in state.items()}


def _is_named_tensor(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, Tensor)


def _has_values(tensor: Tensor) -> bool:
    """Whether a tensor has a real value in memory for each element: it is not sparse, on "meta", nor one repeated."""
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized or tensor.is_complex():
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def fit_weights(model: nn.Module, state: dict[str, Tensor], head: str) -> bool:
    """Copy `state` into `model`; all tensors must fit, except those of the module `head`.

    Returns whether the head was copied too. It is copied if `state` has a weight k×features and a bias k for it (or no
    bias, if the network's head has none: then it is 0.0); the model's head becomes a linear layer of k classes.
    `num_batches_tracked`, which old files lack, may be missing.

    Raises RequestError, naming the tensors that are missing, unknown to the network, or of another shape; the model
    then stays as it was.
    """
    inside = head + "."
    given = {name: tensor for name, tensor in state.items() if not name.startswith(inside)}
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(inside)}
    missing = [n for n in wanted if n not in given and not n.endswith("num_batches_tracked")]
    unexpected = [name for name in given if name not in wanted]
    misshapen = [
        f"{name} {list(given[name].shape)}, in the network {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    wrong = {"missing": missing, "not in the network": unexpected, "of another shape": misshapen}
    if any(wrong.values()):
        what = "; ".join(f"{kind}: {_first_three(names)}" for kind, names in wrong.items() if names)
        raise RequestError(
            f"the weights don't fit the network ({what}); are they for another --arch or other --channels?"
        )
    model.load_state_dict(given, strict=False)
    old = model.get_submodule(head)
    weight, bias = state.get(inside + "weight"), state.get(inside + "bias")
    if bias is None and weight is not None and getattr(old, "bias", None) is None:
        bias = torch.zeros(len(weight))
    if not isinstance(old, nn.Linear) or weight is None or bias is None:
        return False
    if weight.ndim != 2 or weight.shape[1] != old.in_features or bias.shape != weight.shape[:1]:
        return False
    new = nn.Linear(old.in_features, len(weight))
    new.load_state_dict({"weight": weight, "bias": bias})
    model.set_submodule(head, new)
    return True


class _NoDraws(TorchFunctionMode):
    """Skips the drawing of random values, which takes most of the time of building.

    A tensor that torch.nn.init would fill stays as it is. Other draws become zeros, since some initialisations draw
    until all values are in a range.
    """

    draws = frozenset({"uniform_", "kaiming_uniform_", "normal_"})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") not in self.draws:
            return func(*args, **kwargs)
        tensor = args[0] if args else kwargs["tensor"]
        return tensor if getattr(func, "__module__", "") == "torch.nn.init" else tensor.zero_()


class _NoMemory(TorchFunctionMode):
    """Makes parameters without memory. Other tensors get memory: RegNet computes its widths with them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **{**(kwargs or {}), **({"device": "meta"} if func is torch.empty else {})})


def _take_channels(model: nn.Module, channels: int) -> None:
    """Replace the first convolution by one with `channels` input channels."""
    name, old = next((name, module) for name, module in model.named_modules() if isinstance(module, nn.Conv2d))
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    model.set_submodule(name, new)


def _imported(name: str) -> nn.Module:
    where, _, function = name.partition(":")
    try:
        made = getattr(importlib.import_module(where), function)()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's own code may raise anything, SystemExit too
        raise RequestError(
            f"{name} could not be imported and called: {type(error).__name__}: {error}; it must be a function without "
            "arguments in a module on Python's path (PYTHONPATH)"
        ) from error
    if not isinstance(made, nn.Module):
        raise RequestError(f"{name} returned {type(made).__name__}, and should return a torch.nn.Module")
    return made.train()


def _downloaded(name: str) -> Any:
    try:
        weights = get_model_weights(name)["DEFAULT"]
    except (ValueError, KeyError):
        raise RequestError(f"torchvision has no weights for {name!r}; give a file, or --weights none") from None
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except (URLError, OSError, RuntimeError) as error:
        raise RequestError(
            f"the weights of {name} could not be downloaded from {weights.url}: {error}; download that file elsewhere "
            "and give its path"
        ) from None
    if name in ("googlenet", "inception_v3"):  # see `build`
        state = {key: tensor for key, tensor in state.items() if not key.lower().startswith("aux")}
    return state


def _read(path: Path) -> Any:
    if not os.path.isfile(path):
        raise RequestError(f"there is no file {path}; weights are a .safetensors, .pth or .pt file, DEFAULT or none")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix in (".pth", ".pt"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its remarks on how the file was pickled
                return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise RequestError(f"{path} holds more than tensors, and no code from weights is run; {SAFE}") from None
    except OSError as error:
        raise RequestError(f"{path} can't be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise RequestError(f"{path} can't be read as weights: {error}") from None
    except Exception:  # of a file with any bytes, torch raises anything; its advice is to run the code in it
        raise RequestError(
            f"{path} can't be read as weights: it is damaged, or torch.save has not written it"
        ) from None
    raise RequestError(f"{path} is neither .safetensors nor .pth nor .pt; {SAFE}")


def _first_three(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
