"""Images of a user, in any form: each is prepared as evaluation prepares it, or refused in one line."""

import numpy as np
import pytest
import torch
from PIL import Image

from packnet_core.data.loading import load_test
from packnet_core.data.prepare import prepare
from packnet_core.errors import PacknetError, RequestError
from packnet_core.schema.document import Input
from tests.worlds import images

INPUT = Input(channels=3, size=8, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (5, 12, 10, 3), dtype=np.uint8)


@pytest.mark.parametrize("crop", [False, True])
def test_prepared_images_are_those_of_an_evaluation(tmp_path, crop):
    path = images(tmp_path / "data.npz", channels=3, size=12)
    tests = load_test(str(path), INPUT, tuple(f"class {i}" for i in range(3)), crop=crop)
    wanted = torch.cat([batch for batch, _ in tests.batches(16, "cpu")])
    assert torch.equal(prepare(np.load(path)["test_images"], INPUT, crop), wanted)


def test_every_form_of_the_same_images_gives_the_same(tmp_path):
    wanted = prepare(COLOUR, INPUT, crop=False)
    paths = []
    for index, image in enumerate(COLOUR):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
        paths.append(tmp_path / f"{index}.png")
    forms = [
        list(COLOUR), tuple(COLOUR), torch.from_numpy(COLOUR), paths, list(map(str, paths)),
        list(map(Image.fromarray, COLOUR)), COLOUR.astype(np.float64) / 255, COLOUR.astype(np.float32) / 255,
    ]  # fmt: skip
    for form in forms:
        assert torch.equal(prepare(form, INPUT, crop=False), wanted)


@pytest.mark.parametrize("one", [COLOUR[0], Image.fromarray(COLOUR[0]), COLOUR[:1], [COLOUR[0]]])
def test_one_image_is_a_batch_of_one(one):
    assert torch.equal(prepare(one, INPUT, crop=False), prepare(COLOUR, INPUT, crop=False)[:1])


def test_grey_images_are_repeated_to_the_networks_channels():
    grey = COLOUR[..., 0]
    wanted = prepare(np.repeat(grey[..., None], 3, axis=3), INPUT, crop=False)
    assert torch.equal(prepare(grey, INPUT, crop=False), wanted)
    assert torch.equal(prepare(grey[0], INPUT, crop=False), wanted[:1])
    assert torch.equal(prepare([Image.fromarray(g) for g in grey], INPUT, crop=False), wanted)


def test_an_empty_list_is_a_batch_of_no_images():
    assert prepare([], INPUT, crop=False).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    "wrong",
    [
        5, None, b"x", {"a": 1}, object(), [5], [None], np.zeros((2, 8, 8, 5), np.uint8), np.zeros((2, 8), np.int64),
        COLOUR.astype(np.float32), COLOUR.astype(np.int32), np.full((2, 8, 8, 3), np.nan), "nowhere.png",
        np.zeros((0, 3), np.uint8), np.array(["a"]), [[]],
    ],
    ids=lambda wrong: type(wrong).__name__,
)  # fmt: skip
def test_what_is_no_image_is_refused_in_one_line(wrong):
    with pytest.raises(RequestError) as error:
        prepare(wrong, INPUT, crop=False)
    assert isinstance(error.value, PacknetError)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.rand(3, 32, 32), torch.rand(4, 3, 32, 32), torch.rand(4, 32, 32), np.zeros((9, 9, 4), np.uint8),
        np.array("a"), np.ones((9, 9), bool), torch.rand(9, 9).to_sparse(), torch.empty(9, 9, device="meta"),
        np.ones((9, 9), complex), torch.ones(9, 9, dtype=torch.complex64), "\udcff.png", "a\0b", [b"a"], {},
    ],
    ids=lambda wrong: f"{type(wrong).__name__} {getattr(wrong, 'shape', '')}",
)  # fmt: skip
def test_what_could_be_taken_for_other_images_is_refused_in_one_line(wrong):
    with pytest.raises(RequestError) as error:
        prepare(wrong, INPUT, crop=False)
    assert "\n" not in str(error.value)


def test_an_image_of_torch_is_taken_with_its_channels_last_in_any_precision():
    image = torch.from_numpy(COLOUR[0])
    wanted = prepare(COLOUR[0], INPUT, crop=False)
    assert torch.equal(prepare(image, INPUT, crop=False), wanted)
    assert torch.equal(prepare(image.permute(2, 0, 1).permute(1, 2, 0).double() / 255, INPUT, crop=False), wanted)
    assert prepare((image.double() / 255).bfloat16(), INPUT, crop=False).shape == (1, 3, 8, 8)
    assert prepare(torch.rand(3, 9, 9, 1), INPUT, crop=False).shape == (3, 3, 8, 8)
    assert prepare(torch.rand(1, 9, 9), INPUT, crop=False).shape == (1, 3, 8, 8)
