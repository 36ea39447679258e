"""How far the running job is, in words: a number always has its meaning beside it."""

from packnet_core.schema.commands import Compare, Evaluate, Preview, Train
from packnet_core.schema.events import PhaseStarted, Progress
from packnet_tui.state.job_progress import progress_in_words
from packnet_tui.state.story import Story
from packnet_tui.workbench.widgets.status_line import job_in_words
from tests.tui.made_up import begun, document, entries, task

BIRDS = document([task("birds", 0.5, 20.0)])
BEGINS = PhaseStarted(phase="eval", task="birds", epochs=0, images=5000)


def picture(*events):
    story = Story()
    story.read(entries(events))
    return story.picture(BIRDS)


def test_an_evaluation_counts_images_and_tells_the_time_left():
    events = begun(Evaluate()), BEGINS, Progress(task="birds", done=1200, images=5000)
    assert job_in_words(picture(*events)) == [
        *["● EVAL birds 1,200 of 5,000 images, ETA 00:03"] * 3,
        "● EVAL birds 1,200 of 5,000 images  ETA 00:03",
        "● EVAL birds  ETA 00:03",
        "● EVAL birds",
    ]
    assert progress_in_words(picture(*events[:2]).job) == "0 of 5,000 images"  # nothing measured, no time made up


def test_a_comparison_says_of_what_its_percentage_is_and_then_that_it_tests():
    compare, progress = Compare(baseline="individual"), Progress(task="birds", done=416, images=1600, epoch=3, epochs=8)
    start = PhaseStarted(phase="compare", task="birds", epochs=8, images=1600, part=2, parts=3)
    words = job_in_words(picture(begun(compare), start, progress))
    assert words == [
        "● COMPARE birds with individual (2 of 3): 26 % done, epoch 3 of 8, ETA 00:03",
        *["● COMPARE birds with individual: 26 % done, epoch 3 of 8, ETA 00:03"] * 2,
        "● COMPARE birds: 26 % done  ETA 00:03",
        "● COMPARE birds  ETA 00:03",
        "● COMPARE birds",
    ]
    words = job_in_words(
        picture(begun(compare), start, progress, BEGINS, Progress(task="birds", done=2500, images=5000))
    )
    assert words[0] == "● COMPARE birds with individual: testing, 2,500 of 5,000 images, ETA 00:01"


def test_a_preview_has_many_ratios_so_no_time_left_is_told():
    words = job_in_words(picture(begun(Preview()), *(Progress(task="birds", done=n, images=600) for n in (256, 600))))
    assert words[0] == "● PREVIEW birds 600 of 600 images"


def test_the_evaluation_at_the_end_of_a_training_is_one_too():
    train = PhaseStarted(phase="train", task="birds", epochs=3, images=900)
    done = (Progress(task="birds", done=n, images=5000) for n in (1000, 2000))
    assert job_in_words(picture(begun(Train()), train, *done))[0] == "● EVAL birds 2,000 of 5,000 images, ETA 00:03"
