"""Which tensors are prunable and which are in the shared rest, in attention and in later networks."""

import pytest
import torch
from torch import nn

from packnet_core.errors import RequestError
from packnet_core.network import architectures, layers
from packnet_core.network.packed import PackedNetwork


class Attending(nn.Module):
    """Attention whose keys and values have other widths than the queries, or the same."""

    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **options)
        self.norm = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 3)

    def forward(self, queries, keys, values):
        return self.fc(self.norm(self.attention(queries, keys, values, need_weights=False)[0]).mean(1))


def test_attention_with_one_weight_for_its_projections():
    found = layers.partition(Attending(), "fc")
    assert list(found.weights) == ["attention.in_proj_weight", "attention.out_proj.weight"]
    assert list(found.rest) == ["attention.in_proj_bias", "attention.out_proj.bias", "norm.weight", "norm.bias"]


def test_attention_with_a_weight_for_each_projection():
    found = layers.partition(Attending(kdim=4, vdim=6, add_bias_kv=True), "fc")
    assert list(found.weights) == [
        *(f"attention.{part}_proj_weight" for part in "qkv"),
        "attention.out_proj.weight",
    ]
    assert {"attention.in_proj_bias", "attention.bias_k", "attention.bias_v"} <= set(found.rest)


@pytest.mark.parametrize("options", [{}, {"kdim": 4, "vdim": 6}])
@pytest.mark.parametrize("gradients", [False, True])  # without gradients torch computes attention in another way
def test_attention_of_an_older_task_stays_the_same(options, gradients):
    torch.manual_seed(0)
    network = PackedNetwork(Attending(**options), "fc")
    seen = torch.randn(2, 5, 8)
    given = (seen, torch.randn(2, 5, 4), torch.randn(2, 5, 6)) if options else (seen, seen, seen)

    def answers(task):
        with network.viewing(task) as model, torch.set_grad_enabled(gradients):
            return model(*given).detach()

    network.open_task(3)
    network.prune(dict.fromkeys(network.weights, 0.5))
    network.end_phase()
    one = answers(1)
    network.open_task(3)
    for name, weight in network.weights.items():
        weight.data[network.owners[name] == 2] = 1.0
    assert torch.equal(answers(1), one)
    assert not torch.allclose(answers(2), one)


def test_a_projection_of_attention_is_not_taken_for_the_head():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 3)
            self.attention = nn.MultiheadAttention(8, 2)

    assert architectures.find_head(Pooled()) == "fc"


def test_a_transformer_keeps_its_embeddings_and_norms_in_the_rest():
    model = architectures.build("tests.networks:vit")
    found = layers.partition(model, architectures.find_head(model))
    block = "encoder.layers.encoder_layer_0"
    assert [name for name in found.weights if name.startswith(block)] == [
        f"{block}.self_attention.in_proj_weight",
        f"{block}.self_attention.out_proj.weight",
        f"{block}.mlp.0.weight",
        f"{block}.mlp.3.weight",
    ]
    assert {"class_token", "encoder.pos_embedding", f"{block}.ln_1.weight", "encoder.ln.bias"} <= set(found.rest)


@pytest.mark.parametrize(
    ("arch", "rest"),
    [
        ("swin", "features.1.0.attn.relative_position_bias_table"),
        ("swin", "features.1.0.attn.relative_position_index"),
        ("swin_v2", "features.1.0.attn.logit_scale"),
        ("convnext", "features.1.0.layer_scale"),
        ("mobilenet", "features.1.block.0.1.running_var"),
    ],
)
def test_what_is_neither_convolution_nor_linear_is_in_the_rest(arch, rest):
    model = architectures.build(f"tests.networks:{arch}")
    assert rest in layers.partition(model, architectures.find_head(model)).rest


@pytest.mark.parametrize("arch", ["vgg", "vgg_bn"])
def test_vggs_dropout_is_active_in_training_only(arch):
    torch.manual_seed(0)
    network = PackedNetwork(architectures.build(f"tests.networks:{arch}"), "classifier.6")
    x = torch.randn(4, 3, 32, 32)
    for _ in range(2):
        network.open_task(3)
        network.train_mode()
        assert not torch.equal(network.model(x), network.model(x))
        with network.viewing(network.open) as model:
            assert torch.equal(model(x), model(x))
        network.prune(dict.fromkeys(network.weights, 0.5))
        network.end_phase()


def test_what_cannot_be_pruned_is_refused_by_name():
    with pytest.raises(RequestError, match="layer '0' can't be packed: it is a GRU; only convolutions, linear layers"):
        layers.partition(nn.Sequential(nn.GRU(4, 4), nn.Linear(4, 2)), "1")
