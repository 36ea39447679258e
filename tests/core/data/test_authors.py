"""The data sets of Table 1 in the layouts their authors ship: small generated folders, and lists of full length."""

import numpy as np
import pytest
import torch
from PIL import Image

from packnet_core.data.authors import TABLE_1, open_paper_data
from packnet_core.data.kinds import resolve
from packnet_core.data.loading import load, load_test
from packnet_core.data.open import summarise
from packnet_core.errors import RequestError
from packnet_core.schema.document import Input
from tests.core.data.author_layouts import GREEN, LAYOUTS, RED, cars, cars_in_one, cub200, flowers102, imagenet

RGB = Input(channels=3, size=14, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


@pytest.mark.parametrize(("name", "make", "train", "test", "classes"), LAYOUTS)
def test_each_layout_is_read_as_its_authors_ship_it(tmp_path, name, make, train, test, classes):
    source = f"{name}:{make(tmp_path)}"
    seen = summarise(source)
    assert seen.problem is None
    assert (seen.classes, seen.train, seen.test, seen.flip) == (classes, train, test, True)
    assert seen.crop is (name not in ("cub200", "cars"))
    assert seen.extent.startswith(f"a part of {name}: {sum(train)} of {TABLE_1[name].train:,} training images, ")
    data = load(source, RGB)
    assert data.record.source == source == resolve(source)
    assert (data.record.flip, data.record.crop) == (True, seen.crop)
    assert len(data.train) + len(data.validation) == sum(train)
    assert len(load_test(source, RGB, classes, seen.crop)) == sum(test)


@pytest.mark.parametrize(("name", "make"), [("cub200", cub200), ("cars", cars), ("cars", cars_in_one)])
def test_birds_and_cars_are_cropped_to_their_boxes(tmp_path, name, make):
    images, _ = next(load(f"{name}:{make(tmp_path)}", RGB).test.batches(4, "cpu"))
    red = torch.tensor(RED).div(255).view(1, 3, 1, 1)
    assert torch.allclose(images, red.expand_as(images), atol=1e-6)


def test_imagenets_labels_follow_the_wordnet_ids(tmp_path):
    """As torchvision's weights have them, not as the development kit counts."""
    assert open_paper_data(f"imagenet:{imagenet(tmp_path)}").test.labels.tolist() == [1, 0, 0, 1]


def test_flowers_train_on_the_authors_training_and_validation_images(tmp_path):
    source = open_paper_data(f"flowers102:{flowers102(tmp_path)}")
    assert [path[-9:] for path in source.train.pixels.paths] == [f"{n:05}.jpg" for n in (4, 5, 6, 1, 2, 3)]


@pytest.mark.parametrize("name", TABLE_1)
def test_the_sizes_are_those_of_table_1(name):
    paper = {
        "imagenet": (1_281_144, 50_000, 1_000),
        "places365": (1_803_460, 36_500, 365),
        "cub200": (5_994, 5_794, 200),
        "cars": (8_144, 8_041, 196),
        "flowers102": (2_040, 6_149, 102),
    }[name]
    whole = TABLE_1[name]
    extra = 23 if name == "imagenet" else 0  # that the archive has besides, see docs/method.md
    assert (whole.train - extra, whole.test, whole.classes) == paper


def test_a_complete_data_set_is_recognised_and_one_with_more_images_is_refused(tmp_path):
    root = cub200(tmp_path, classes=200, train=29, test=28)
    folder = root / "CUB_200_2011"
    assert summarise(f"cub200:{root}").extent == (
        "a part of cub200: 5,800 of 5,994 training images, 5,600 of 5,794 test images"
    )
    lists = ("images.txt", "image_class_labels.txt", "bounding_boxes.txt", "train_test_split.txt")

    def grow(count: int, trains: int) -> None:
        begin = len((folder / "images.txt").read_text().splitlines()) + 1
        for number in range(begin, begin + count):
            for name, value in zip(lists, ("001.Bird_0/0.jpg", "1", "10 5 20 15", str(trains)), strict=True):
                with open(folder / name, "a") as file:
                    file.write(f"{number} {value}\n")

    grow(194, 1)
    grow(194, 0)
    assert summarise(f"cub200:{root}").extent == "all of cub200"
    grow(1, 0)
    with pytest.raises(RequestError, match=r"5,795 test images, and cub200 has 5,794"):
        open_paper_data(f"cub200:{root}")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(RequestError, match=r"there is no folder .*nowhere"):
        open_paper_data(f"cub200:{tmp_path}/nowhere")
    with pytest.raises(RequestError, match=r"is not cub200 as its authors ship it: .*classes\.txt"):
        open_paper_data(f"cub200:{tmp_path}")
    with pytest.raises(RequestError, match="needs the folders train and val"):
        open_paper_data(f"imagenet:{tmp_path}")
    cub200(tmp_path)
    gone = tmp_path / "CUB_200_2011" / "images" / "002.Bird_1" / "1.jpg"
    gone.unlink()
    with pytest.raises(RequestError, match=r"002\.Bird_1/1\.jpg is listed but missing"):
        open_paper_data(f"cub200:{tmp_path}")
    assert "is listed but missing" in summarise(f"cub200:{tmp_path}").problem


def test_a_truncated_list_is_an_error(tmp_path):
    cars(tmp_path)
    meta = tmp_path / "devkit" / "cars_meta.mat"
    meta.write_bytes(meta.read_bytes()[:100])
    with pytest.raises(RequestError, match="is not cars as its authors ship it"):
        open_paper_data(f"cars:{tmp_path}")


def test_a_box_outside_its_image_is_an_error_that_names_the_image(tmp_path):
    cub200(tmp_path)
    boxes = tmp_path / "CUB_200_2011" / "bounding_boxes.txt"
    boxes.write_text(boxes.read_text().replace("1 10.0 5.0 20.0 15.0\n", "1 90.0 5.0 20.0 15.0\n", 1))
    with pytest.raises(RequestError, match=r"001\.Bird_0/0\.jpg can't be read.*its box"):
        load(f"cub200:{tmp_path}", RGB)


def test_a_large_photograph_is_decoded_smaller_and_its_box_is_scaled(tmp_path):
    """Where a JPEG is decoded at an eighth of its size, the box is an eighth too."""
    folder = cub200(tmp_path) / "CUB_200_2011"
    picture = Image.new("RGB", (1600, 1200), GREEN)
    picture.paste(RED, (400, 200, 1200, 800))
    for path in (folder / "images").rglob("*.jpg"):
        path.unlink()
        picture.save(path, "JPEG")
    (folder / "bounding_boxes.txt").write_text("".join(f"{i} 400 200 800 600\n" for i in range(1, 11)))
    images, _ = next(load(f"cub200:{tmp_path}", RGB).test.batches(4, "cpu"))
    assert images[:, 0, 1:-1, 1:-1].min() > 0.7
    assert images[:, 1, 1:-1, 1:-1].max() < 0.1


def test_crops_are_random_in_training_and_in_the_centre_otherwise(tmp_path):
    """Every image is a ramp from left to right and top to bottom, so its first pixel tells where a crop was taken."""
    ramp = np.add.outer(np.arange(16), 16 * np.arange(16)).astype(np.uint8)
    arrays = {f"{part}_images": np.stack([ramp] * 20) for part in ("train", "test")}
    arrays |= {f"{part}_labels": np.arange(20) % 2 for part in ("train", "test")}
    np.savez(tmp_path / "ramps.npz", **arrays, classes=np.array(["one", "two"]))
    grey = Input(channels=1, size=14, mean=(0.0,), std=(1.0,))
    data = load(str(tmp_path / "ramps.npz"), grey, flip=False, crop=True)
    assert data.record.crop

    def corners(images, augment):
        torch.manual_seed(0)
        batches = [x for x, _ in images.batches(8, "cpu", augment=augment)]
        assert all(x.shape[1:] == (1, 14, 14) for x in batches)
        return {divmod(round(float(x[0, 0, 0]) * 255), 1)[0] for batch in batches for x in batch}

    places = {x + 16 * y for x in range(3) for y in range(3)}
    assert corners(data.train, augment=False) == corners(data.test, augment=False) == {17}
    assert corners(data.train, augment=True) <= places
    assert len(corners(data.train, augment=True)) > 5
    assert load(str(tmp_path / "ramps.npz"), grey).record.crop is False
