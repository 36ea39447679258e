"""Preprocessing of a batch: image by image, as on a CPU, and all at once, as on a GPU, with the same bits."""

import pytest
import torch

from packnet_core.data.augment import Augmentation, _preprocess_batch, draw_augmentation, preprocess
from packnet_core.schema.document import Input


def given(size: int) -> Input:
    return Input(channels=3, size=size, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "size"), [(8, 8), (11, 8), (224, 200)])  # the last: an image is larger than a chunk
def test_a_whole_batch_gives_the_same_bits_as_image_by_image(channels, side, size):
    pixels = torch.randint(0, 256, (9, channels, side, side), dtype=torch.uint8)
    augmentation = draw_augmentation(9, side - size, flip=True, augment=True)
    assert any(augmentation.flipped)
    found = preprocess(pixels, augmentation, given(size))
    assert found.shape == (9, 3, size, size)
    assert torch.equal(found, _preprocess_batch(pixels, augmentation, given(size)))


def test_an_image_is_cropped_at_its_corner_flipped_and_scaled():
    pixels = torch.arange(2 * 16, dtype=torch.uint8).view(2, 1, 4, 4)
    found = preprocess(pixels, Augmentation([False, True], [(1, 2), (0, 0)]), given(2))
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1), torch.tensor([0.2, 0.25, 0.3]).view(3, 1, 1)
    for image, square in zip(found, ([[6.0, 7.0], [10.0, 11.0]], [[17.0, 16.0], [21.0, 20.0]]), strict=True):
        assert torch.allclose(image, (torch.tensor(square) / 255 - mean) / std)


def test_without_augmentation_nothing_is_drawn_and_images_are_cropped_in_the_centre():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert draw_augmentation(3, 5, flip=True, augment=False) == Augmentation([False] * 3, [(2, 2)] * 3)
    assert torch.equal(torch.get_rng_state(), state)
