"""How often the files of a workbench are polled, and what one that fails does to the others: nothing."""

from collections import Counter

from packnet_core.packfile.paths import Paths
from packnet_tui.state.watch import Watch
from packnet_tui.workbench.open_file import OpenFile, open_files
from tests.tui.made_up import at_rest, running
from tests.tui.still import opened


def test_a_file_that_is_not_shown_is_polled_rarely_while_it_rests_and_more_often_while_it_works(tmp_path):
    paths = [at_rest(tmp_path / "a.safetensors"), running(tmp_path / "b.safetensors")]
    with Paths(paths[1]).locked():
        rests, works = open_files(paths)
        for file in (rests, works):
            file.look(shown=False)
        assert rests.pause(shown=False) >= 5 > 1 >= works.pause(shown=False) > works.pause(shown=True)


async def test_files_at_rest_are_hardly_looked_at(tmp_path, monkeypatch):
    looks: Counter[str] = Counter()
    look = OpenFile.look

    def counted(file, *given):
        looks[file.name] += 1
        return look(file, *given)

    monkeypatch.setattr(OpenFile, "look", counted)
    async with opened([at_rest(tmp_path / f"{name}.safetensors") for name in "abc"]) as desk:
        await desk.until(lambda: looks["a.safetensors"] >= 12)
        assert all(1 <= looks[f"{name}.safetensors"] <= 4 for name in "bc")


async def test_what_the_disk_refuses_for_one_file_is_in_its_line_and_the_screen_goes_on(tmp_path, monkeypatch):
    paths = [at_rest(tmp_path / f"{name}.safetensors") for name in "ab"]
    picture = Watch._picture

    def refused(watch):
        if watch.paths.file.stem == "b" and watch.looked:
            raise OSError(5, "Input/output error")
        return picture(watch)

    monkeypatch.setattr(Watch, "_picture", refused)
    async with opened(paths) as desk:
        await desk.until(lambda: "✗ unreadable  Input/output error" in desk.text())
        assert "a.safetensors" in desk.text().splitlines()[0]
        assert desk.app.is_running
