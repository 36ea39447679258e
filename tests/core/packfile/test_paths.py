"""The folder beside a pack file: this user's alone, or not used; distinct names of files never share one."""

import os
import stat
from contextlib import closing

import pytest

from packnet_core.engine import client
from packnet_core.errors import DiskError, RequestError
from packnet_core.jobs import journal, run_job
from packnet_core.jobs.journal import Journal
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate
from tests.worlds import add, images, pack_file, work


@pytest.fixture
def path(tmp_path):
    return pack_file(tmp_path / "net.safetensors")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_and_the_lock_are_this_users_alone(path, tmp_path):
    Paths(path).folder.chmod(0o777)  # as an older version left it
    work(path, add("one", images(tmp_path / "data.npz")))
    assert mode(Paths(path).folder) == 0o700
    assert mode(Paths(path).lock) & 0o077 == 0


def plant_link(path, tmp_path):
    (tmp_path / "private").mkdir()
    Paths(path).folder.rename(tmp_path / "mine")
    Paths(path).folder.symlink_to(tmp_path / "private")


def plant_file(path, tmp_path):
    Paths(path).folder.rename(tmp_path / "mine")
    Paths(path).folder.write_text("x")


def plant_foreign(path, tmp_path):
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    os.chown(Paths(path).folder, 12345, 12345)


@pytest.mark.parametrize("plant", [plant_link, plant_file, plant_foreign])
def test_a_planted_folder_is_neither_written_to_nor_asked(path, tmp_path, plant):
    work(path, add("one", images(tmp_path / "data.npz")))
    plant(path, tmp_path)
    for use in (lambda: list(run_job.run(path, Evaluate())), lambda: client.start(path)):
        with pytest.raises(RequestError, match="works only in a folder of its own user"):
            use()
    assert client.connect(path) is None
    assert not Paths(path).is_locked()
    if plant is plant_link:
        assert not list((tmp_path / "private").iterdir())


def test_a_journal_that_is_a_link_is_not_followed(path, tmp_path):
    private = tmp_path / "private.txt"
    private.write_text("mine\n")
    Paths(path).journal.unlink(missing_ok=True)
    Paths(path).journal.symlink_to(private)
    with pytest.raises(DiskError, match="symbolic link"), closing(Journal(Paths(path).journal)):
        pass
    assert private.read_text() == "mine\n"


def test_files_of_different_names_have_different_folders(tmp_path):
    names = ["m", "m.safetensors", "m.packnet", "m.packnet.safetensors", "m.pt", "m.pt.safetensors", "m.packnet.d"]
    folders = {Paths(tmp_path / name).folder for name in names}
    assert len(folders) == len(names)
    assert Paths(tmp_path / "m.safetensors").folder == tmp_path / "m.packnet"


def test_jobs_on_files_of_similar_names_do_not_meet(tmp_path):
    one, other = pack_file(tmp_path / "m"), pack_file(tmp_path / "m.safetensors")
    with Paths(one).locked():
        work(other, add("one", images(tmp_path / "data.npz")))
    assert not journal.read(Paths(one).journal)
