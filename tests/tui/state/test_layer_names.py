"""Layers' names in a narrow column: readable, different, and no wider than their room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from packnet_core.network.architectures import find_head, shapes
from packnet_core.network.layers import partition
from packnet_tui.state.layer_names import layer_names, longest_name


def weights(architecture: str) -> tuple[str, ...]:
    model = shapes(architecture)
    return tuple(partition(model, find_head(model)).weights)


def test_names_that_fit_stay_whole_without_weight():
    names = ("features.28.weight", "attention.in_proj_weight", "weight")
    assert layer_names(names, 20) == ("features.28", "attention.in_proj", "weight")
    assert longest_name(names) == len("attention.in_proj")


def test_the_layers_of_a_vision_transformer_can_be_read():
    names = weights("vit_b_16")
    seen = dict(zip(names, layer_names(names, 22), strict=True))
    assert seen["conv_proj.weight"] == "conv_proj"
    assert seen["encoder.layers.encoder_layer_3.mlp.0.weight"] == "encoder.3.mlp.0"
    assert seen["encoder.layers.encoder_layer_11.self_attention.in_proj_weight"] == "encoder.11.in_proj"
    assert seen["encoder.layers.encoder_layer_11.self_attention.out_proj.weight"] == "encoder.11.out_proj"
    wider = dict(zip(names, layer_names(names, 40), strict=True))
    name = "encoder.layers.encoder_layer_11.self_attention.in_proj_weight"
    assert wider[name] == "encoder.11.self_attention.in_proj"


def test_what_one_name_loses_all_lose():
    names = weights("vit_b_16")
    shown = layer_names(names, len("encoder.11.self_attention.in_proj"))  # one less than the longest
    assert [name for name in shown if "attention" in name] == []
    assert "encoder.0.in_proj" in shown


@pytest.mark.parametrize(
    ("architecture", "width", "name", "shown"),
    [
        ("resnet50", 22, "layer1.0.downsample.0.weight", "layer1.0.downsample.0"),
        ("vgg16", 22, "classifier.3.weight", "classifier.3"),
        ("densenet121", 22, "features.denseblock4.denselayer16.conv2.weight", "denseblock4.16.conv2"),
        ("densenet121", 15, "features.denseblock4.denselayer16.conv2.weight", "d4.16.conv2"),
        ("swin_t", 18, "features.5.1.mlp.3.weight", "5.1.mlp.3"),
        ("swin_t", 18, "features.0.0.weight", "features.0"),
        ("convnext_tiny", 18, "features.5.2.block.5.weight", "5.2.block.5"),
    ],
)
def test_words_that_say_nothing_are_left_out(architecture, width, name, shown):
    names = weights(architecture)
    assert dict(zip(names, layer_names(names, width), strict=True))[name] == shown


@pytest.mark.parametrize("width", [18, 20, 22, 26, 40, 80])
@pytest.mark.parametrize("architecture", ["vit_b_16", "resnet50", "vgg16", "densenet121", "swin_t", "convnext_tiny"])
def test_names_differ_and_fit_and_keep_a_word(architecture, width):
    names = weights(architecture)
    shown = layer_names(names, width)
    assert len(set(shown)) == len(names)
    assert all(cell_len(name) <= width for name in shown)
    assert all(any(c.isalpha() for c in name) for name in shown)


words = st.lists(
    st.sampled_from(["a", "block1", "block2", "0", "1", "weight", "層", "a_weight", ""]), min_size=1, max_size=5
)


@given(st.lists(words.map(".".join), min_size=1, max_size=12, unique=True), st.integers(0, 40))
def test_any_names_fit_and_differ_if_there_is_room(names, width):
    shown = layer_names(tuple(names), width)
    assert all(cell_len(name) <= width for name in shown)
    if width >= max(map(cell_len, names)):
        assert len(set(shown)) == len(names)
