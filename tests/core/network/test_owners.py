import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packnet_core.network import owners
from packnet_core.network.blockwise import MIN_PARALLEL
from packnet_core.schema.document import planes


@pytest.mark.parametrize(("tasks", "bits"), [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (254, 8)])
def test_owners_cost_ceil_log2_bits_per_weight(tasks, bits):
    assert planes(tasks) == bits


@given(st.lists(st.integers(0, 254), min_size=1, max_size=100), st.integers(0, 2))
def test_decoding_gives_the_encoded_owners(given_owners, zeros):
    owner = np.array(given_owners, np.uint8)
    weight = np.where(owner > 0, np.float32(1.5), np.float32(0))
    tasks = max(int(owner.max()), 2)
    encoded = owners.encode(owner, tasks)
    assert encoded.shape == (planes(tasks), (len(owner) + 7) // 8)
    assert np.array_equal(owners.decode(encoded, weight), owner)


def test_the_first_plane_has_the_least_significant_bits_row_major_with_padding_zero():
    owner = np.array([[1, 2, 3], [4, 2, 0]], np.uint8)  # codes 0 1 2 3 1 0
    assert owners.encode(owner, 4).tolist() == [[0b011010], [0b001100]]


def test_a_weight_of_zero_is_free_with_any_code():
    weight = np.array([1, 0, -0.0, 2], np.float32)
    assert owners.decode(None, weight).tolist() == [1, 0, 0, 1]
    assert owners.decode(np.array([[0b1111]], np.uint8), weight).tolist() == [2, 0, 0, 2]


def test_a_dense_open_task_owns_the_zeros_too():
    weight = np.array([1, 0, 3], np.float32)
    assert owners.decode(np.array([[0b100]], np.uint8), weight, open_dense=2).tolist() == [1, 2, 2]


def test_a_large_layer_decodes_across_blocks():
    owner = np.random.default_rng(0).integers(0, 4, (1 << 18) * 2 + 5).astype(np.uint8)
    weight = (owner > 0).astype(np.float32)
    assert np.array_equal(owners.decode(owners.encode(owner, 3), weight), owner)


def test_masking_keeps_the_bits_of_used_weights_and_gives_plus_zero_elsewhere():
    weight = torch.tensor([-1.0, -2.0, -3.0, 0.0, float("nan")])
    owner = torch.tensor([1, 2, 3, 0, 3], dtype=torch.uint8)
    seen = owners.masked(weight, owner, 2)
    assert owners.bits(seen).tolist() == owners.bits(torch.tensor([-1.0, -2.0, 0.0, 0.0, 0.0])).tolist()


def test_counts():
    assert owners.counts(torch.tensor([[0, 1], [3, 3]], dtype=torch.uint8), 3) == [1, 0, 2]


@pytest.mark.parametrize("tasks", [2, 4, 9, 254])
def test_several_threads_encode_decode_and_count_as_one_does(tasks):
    generator = torch.Generator().manual_seed(0)
    owner = torch.randint(1, tasks + 1, (2 * MIN_PARALLEL + 5,), generator=generator).to(torch.uint8)
    weight = torch.randint(0, 3, owner.shape, generator=generator).float().numpy()
    expected = np.where(weight != 0, owner.numpy(), 0)
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        packed = owners.encode(owner.numpy(), tasks)
        assert np.array_equal(owners.decode(packed, weight), expected)
        assert owners.counts(owner, tasks) == np.bincount(owner.numpy(), minlength=tasks + 1)[1:].tolist()
    torch.set_num_threads(1)
    assert np.array_equal(packed[0], np.packbits((owner.numpy() - 1) & 1, bitorder="little"))
