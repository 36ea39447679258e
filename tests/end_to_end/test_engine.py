"""The engine as a real process: jobs, requests, signals, and resumed jobs."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from packnet_core.engine import client
from packnet_core.engine.protocol import address_decoder
from packnet_core.errors import RequestError
from packnet_core.jobs import journal, run_job
from packnet_core.packfile.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Evaluate, Train
from packnet_core.schema.events import (
    EngineLeft,
    EngineStarted,
    Evaluated,
    JobFinished,
    Progress,
    Pruned,
    Saved,
    TrainStep,
)
from tests.waiting import until, until_event
from tests.worlds import LONG, QUICK, add, pack_file, work


def test_it_does_jobs_in_order_and_saves_their_results(path, data):
    with client.start(path) as engine:
        jobs = [engine.submit(add("one", data)), engine.submit(Evaluate())]
        done = [until_event(path, JobFinished, job).event for job in jobs]
    assert [(d.outcome, d.status) for d in done] == [("done", 0)] * 2, done
    assert until_event(path, Evaluated, jobs[1]).event.task == "one"
    assert read_header(path).document.tasks[0].phase == "retrained"
    assert all(checked.ok for checked in verify(path))


def test_it_runs_in_its_own_session_and_only_its_user_reaches_it(path):
    with client.start(path) as engine:
        pid = engine.status().pid
        assert os.getsid(pid) == pid != os.getsid(0)
        socket = Path(address_decoder.decode(Paths(path).address.read_bytes()).socket)
        assert stat.S_IMODE(socket.stat().st_mode) & 0o077 == 0
        assert len(os.fsencode(socket)) < 100


def test_its_log_is_kept_after_it_has_left(path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with client.start(path) as engine:
        engine.leave()
        until_event(path, EngineLeft)
    assert Paths(path).log.read_text() == ""


def test_the_socket_path_stays_short_in_a_deep_folder(tmp_path):
    deep = tmp_path / ("d" * 100) / "e"
    deep.mkdir(parents=True)
    path = pack_file(deep / "net.safetensors")
    with client.start(path) as engine:
        assert len(os.fsencode(address_decoder.decode(Paths(path).address.read_bytes()).socket)) < 100
        engine.leave()
        until_event(path, EngineLeft)


def test_kill_9_during_training_leaves_the_last_saved_file(path, data):
    work(path, add("one", data))
    before = path.read_bytes()
    with client.start(path) as engine:
        job = engine.submit(add("two", data, recipe=LONG))
        until_event(path, TrainStep, job, count=3)
        os.kill(engine.status().pid, signal.SIGKILL)
    until(lambda: not Paths(path).is_locked(), "the lock to be let go")
    assert client.connect(path) is None
    assert path.read_bytes() == before
    assert all(checked.ok for checked in verify(path))
    work(path, add("two", data, yes=True))  # the file can be used again; what was interrupted is given up
    assert len(read_header(path).document.tasks) == 2


def test_a_killed_screen_leaves_the_job_running(path, data):
    """A client in its own session; its whole process group gets SIGHUP, as from a closed terminal."""
    script = (
        "import sys; from packnet_core.engine import client; from tests.worlds import add; "
        "engine = client.start(sys.argv[1]); print(engine.submit(add('one', sys.argv[2])), flush=True); "
        "sys.stdin.read()"
    )
    screen = subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    job = int(screen.stdout.readline())
    until_event(path, TrainStep, job)
    os.killpg(screen.pid, signal.SIGHUP)
    assert screen.wait() == -signal.SIGHUP
    assert until_event(path, JobFinished, job).event.outcome == "done"
    assert read_header(path).document.tasks[0].name == "one"


def test_a_file_has_one_engine_and_no_other_process_may_work_on_it(path, data):
    with client.start(path) as engine, client.start(path) as same:
        assert engine.status().pid == same.status().pid
        with pytest.raises(RequestError, match="another packnet process"):
            list(run_job.run(path, Evaluate()))


def test_a_wrong_request_is_refused_at_once(path):
    with client.start(path) as engine, pytest.raises(RequestError, match="no task to evaluate"):
        engine.submit(Evaluate())


def test_a_waiting_job_can_be_cancelled_and_a_running_one_stopped_and_resumed(path, data):
    with client.start(path) as engine:
        running = engine.submit(add("one", data, recipe=LONG))
        until_event(path, TrainStep, running)
        waiting = engine.submit(add("two", data))
        assert engine.status().waiting == (waiting,)
        engine.stop(waiting)
        cancelled = until_event(path, JobFinished, waiting).event
        assert (cancelled.outcome, cancelled.message.partition(" ")[0]) == ("cancelled", "add")  # it names the command
        engine.stop(running)
        assert until_event(path, JobFinished, running).event.outcome == "stopped"
        with pytest.raises(RequestError, match="neither runs nor waits"):
            engine.stop(running)
        stopped_at = max(e.event.step for e in journal.read(Paths(path).journal) if isinstance(e.event, TrainStep))
        again = engine.submit(Train())
        assert until_event(path, TrainStep, again).event.step > stopped_at
        engine.stop(again)


def test_on_sigterm_it_keeps_a_checkpoint_and_leaves(path, data):
    with client.start(path) as engine:
        job = engine.submit(add("one", data, recipe=LONG))
        until_event(path, TrainStep, job)
        os.kill(engine.status().pid, signal.SIGTERM)
        assert until_event(path, JobFinished, job).event.outcome == "stopped"
        assert until_event(path, EngineLeft).event.reason == "SIGTERM"
    assert Paths(path).checkpoint.exists()
    assert not Paths(path).address.exists()


def test_it_leaves_only_when_idle_and_without_connections(path):
    engine = subprocess.Popen([sys.executable, "-m", "packnet_core.engine", str(path), "2"], start_new_session=True)
    until_event(path, EngineStarted)
    with client.connect(path) as connection:  # its address is written before the event
        begun = time.monotonic()
        while time.monotonic() - begun < 4:  # longer than it waits without a client
            connection.status()
        assert engine.poll() is None
    assert until_event(path, EngineLeft).event.reason == "idle, and no client is connected"
    assert engine.wait() == 0


def test_an_engine_that_cannot_start_says_why(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"nothing")
    with client.start(path) as engine:
        with pytest.raises(RequestError, match="not a whole safetensors file"):
            engine.submit(Evaluate())
        engine.leave()
    until_event(path, EngineLeft)


def stop_after(path, command, kind: type, count: int):
    """Run a command in this process and stop it at the count-th event of a kind. Returns the last event."""
    stop, seen = threading.Event(), 0
    for entry in run_job.run(path, command, stop):
        seen += isinstance(entry.event, kind)
        if seen == count:
            stop.set()
    return entry.event


def test_a_resumed_job_ends_as_if_it_had_never_stopped(tmp_path, data):
    """Bit for bit, with flips and momentum: stopped in training, in the evaluation after it, and in retraining."""
    straight, stopped = (pack_file(tmp_path / f"{name}.safetensors") for name in ("straight", "stopped"))
    command = add("one", data, recipe=replace(QUICK, epochs=3, retrain_epochs=2), flip=True)
    work(straight, command)
    assert stop_after(stopped, command, TrainStep, 5).outcome == "stopped"
    assert stop_after(stopped, Train(), Progress, 1).outcome == "stopped"
    assert read_header(stopped).document.tasks == ()
    assert stop_after(stopped, Train(), Pruned, 1).outcome == "stopped"
    assert read_header(stopped).document.tasks[0].phase == "trained"
    work(stopped, Train())
    for path in (straight, stopped):
        export(path, "one", path.with_suffix(".pt"))
    assert straight.with_suffix(".pt").read_bytes() == stopped.with_suffix(".pt").read_bytes()
    assert not Paths(stopped).checkpoint.exists()


def test_the_file_is_saved_after_every_phase(path, data):
    entries = work(path, add("one", data))
    assert sum(isinstance(entry.event, Saved) for entry in entries) == 2  # trained, then pruned and retrained
