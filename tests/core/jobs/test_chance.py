import pytest
from msgspec.structs import replace

from packnet_core.jobs.chance import against_chance, chance_warning, remedies
from packnet_core.schema import recipes
from packnet_core.schema.recipes import Recipe
from tests.core.small_documents import document, task

SEALED = task("old", "sealed")


@pytest.mark.parametrize(
    ("error", "chance", "words"),
    [
        (90.0, 90.0, "no better"), (91.0, 90.0, "no better"), (50.0, 50.0, "no better"), (0.0, 0.0, "no better"),
        (78.02, 88.65, "little better"), (71.0, 90.0, "little better"), (31.0, 50.0, "little better"),
        (91.0, 99.0, "little better"), (4.5, 5.0, "little better"), (67.0, 90.0, ""), (3.25, 88.65, ""),
        (25.0, 50.0, ""), (85.0, 99.0, ""), (2.0, 5.0, ""),
        (50.0, float("nan"), ""), (50.0, 1e9, ""), (-5.0, 50.0, ""),
    ],
)  # fmt: skip
def test_an_error_close_to_chance_is_told_by_the_number_of_classes(error, chance, words):
    given = replace(task(top1=error), chance=chance)
    assert against_chance(given) == (f"{words} than chance" if words else "")
    assert against_chance(replace(given, error=None)) == ""


def test_what_helps_a_hopeless_task_is_what_can_be_done():
    bad, best = task(top1=49.0), Recipe().changed(recipes.changes("best", "/x"))
    ways = remedies(document(SEALED, bad))
    assert list(ways.values()) == ["train it with --recipe best", "drop it"]
    assert list(remedies(document(bad))) == ["train"]  # the first can't be dropped
    assert remedies(document(SEALED, replace(bad, recipe=best)))["train"] == "train it further"
    assert chance_warning(document(SEALED, bad)) == (
        "cars: test error 49.00 %, little better than chance (50.00 %, always the largest class); "
        "train it with --recipe best, or drop it"
    )
    assert chance_warning(document(SEALED, task())) == chance_warning(document(SEALED)) == ""
