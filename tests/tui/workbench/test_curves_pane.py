"""Pane 3: charts as values, which task's curve is shown, and the keys that change its look."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Evaluate
from packnet_core.schema.events import JobFinished, JobStarted, PhaseStarted
from packnet_tui.state.chart import ACROSS, Chart, Other, error_chart, loss_chart, x_ticks
from packnet_tui.state.scale import DOWN, LABEL, Scale, label, nice
from packnet_tui.state.series import Curve, Sample
from packnet_tui.workbench.widgets.curves_pane import CurvesPane, CurveView
from packnet_tui.workbench.widgets.plot import Plot
from tests.tui.made_up import NOON, SEALED, append, at_rest, document, entries, running, task, training, write
from tests.tui.still import SMALL, WIDE, Desk, opened

positive = st.floats(1e-6, 1e6)
curves = st.builds(
    lambda loss, validation, end: Curve(
        task="cars",
        loss=tuple(Sample(end * i / len(loss), min(pair), max(pair)) for i, pair in enumerate(loss)),
        validation_loss=tuple((end * i / len(validation), value) for i, value in enumerate(validation)),
        validation_error=tuple((end * i / len(validation), min(value, 100.0)) for i, value in enumerate(validation)),
        pruned=((end / 2, 0.75),),
        before=(end / 2, 20.0),
        end=end,
    ),
    st.lists(st.tuples(positive, positive), max_size=80),
    st.lists(positive, max_size=80),
    st.integers(1, 500).map(float),
)
sizes = {"columns": st.integers(12, 120), "rows": st.integers(2, 30)}


def dots(chart: Chart) -> list[tuple[int, int]]:
    return [*chart.points, *chart.level, *(dot for line, _ in chart.lines for dot in line)]


@given(curve=curves, **sizes, log=st.booleans(), smooth=st.booleans())
def test_all_of_a_chart_is_inside_it(curve, columns, rows, log, smooth):
    for chart in (loss_chart(curve, columns, rows, "", log, smooth), error_chart(curve, columns, rows, "")):
        assert all(0 <= x < ACROSS * columns and 0 <= y < DOWN * rows for x, y in dots(chart))
        assert all(0 <= tick <= ACROSS * columns for tick, _ in chart.x_ticks)
        assert all(0 <= tick <= DOWN * rows and len(text) <= LABEL for tick, text in chart.y_ticks)
        assert sum(len(text) for text, _ in chart.legend) <= columns
        places = sorted(tick for tick, _ in chart.y_ticks)
        assert (places[0], places[-1]) == (0, DOWN * rows)


@given(st.floats(1, 1e5).map(round).map(float), st.integers(12, 200))
def test_labels_of_epochs_do_not_touch(end, columns):
    ticks = x_ticks(end, columns)
    assert ticks[0] == (0, "0")
    assert ticks[-1][1].split()[0] == f"{end:g}"
    right = columns - len(ticks[-1][1])
    ends = [(tick / ACROSS - len(text) / 2, tick / ACROSS + len(text) / 2) for tick, text in ticks[:-1]]
    assert all(a[1] < b[0] for a, b in pairwise([*ends, (right, columns)]) if a[0] >= 0)


async def test_charts_that_the_closing_screen_has_taken_apart_have_no_room(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("3")
        pane = desk.bench.query_one(CurvesPane)
        await desk.until(lambda: pane.query(Plot))
        plot = pane.query(Plot).first()
        await plot.query("*").remove()
        assert plot.room == (0, 0)
        await pane.query(CurveView).remove()
        assert pane.footnote() == ""
        pane.redraw()


@given(positive)
def test_the_top_of_an_axis_is_round_and_not_far_above(value):
    assert value * (1 - 1e-9) <= nice(value) <= 2 * value
    assert len(label(nice(value))) <= LABEL


@pytest.mark.parametrize("value", [0.001, 0.3, 3, 6, 100, 1e5])
def test_a_round_number_is_its_own_top(value):
    assert nice(value) == pytest.approx(value)


@given(st.lists(positive, min_size=2, max_size=2, unique=True).map(sorted), st.integers(2, 30), st.booleans())
def test_larger_values_are_drawn_no_lower(values, rows, log):
    scale = Scale(1e-7, 1e7, log)
    low, high = (scale.dot(value, rows) for value in values)
    assert 0 <= low <= high < DOWN * rows


def test_on_a_log_scale_decades_are_equally_high():
    line = tuple(Sample(i, 10.0**-i, 10.0**-i) for i in range(4))
    chart = loss_chart(Curve(task="cars", loss=line, end=4.0), 40, 9, "", log=True)
    assert [text for _, text in sorted(chart.y_ticks)] == ["0.001", "0.01", "0.1", "1"]
    assert [tick for tick, _ in sorted(chart.y_ticks)] == pytest.approx([0, 12, 24, 36])


def test_a_loss_of_zero_is_drawn_on_a_log_scale_too():
    chart = loss_chart(Curve(task="cars", loss=(Sample(0, 0, 0), Sample(1, 0, 0))), 40, 9, "", log=True)
    assert {y for _, y in chart.lines[0][0]} == {0}


def test_the_error_before_pruning_is_a_level_from_there_on():
    curve = Curve(task="cars", validation_error=((1.0, 40.0), (2.0, 20.0)), before=(2.0, 20.0), end=4.0)
    chart = error_chart(curve, 40, 9, "green")
    assert {y for _, y in chart.level} == {18}
    assert (chart.level[0][0], chart.level[-1][0]) == (42, 78)
    assert chart.points == ((20, 35), (40, 18))


@pytest.mark.parametrize(("columns", "words"), [(60, "before pruning 17.50"), (40, "before 17.50"), (12, "error %")])
def test_a_legend_gives_way_word_by_word(columns, words):
    curve = Curve(task="cars", validation_error=((1.0, 18.0),), before=(1.0, 17.5), end=4.0)
    assert "".join(text for text, _ in error_chart(curve, columns, 9, "").legend).endswith(words)


def test_more_points_than_columns_become_a_line():
    many = Curve(task="cars", validation_loss=tuple((i / 10, 1.0) for i in range(100)), end=10.0)
    chart = loss_chart(many, 40, 9, "")
    assert (chart.points, len(chart.lines)) == ((), 2)


def test_a_first_spike_is_cut_off_and_that_is_said():
    loss = (Sample(0.0, 12.4, 12.4), *(Sample(i / 10, 0.5, 0.6) for i in range(1, 40)))
    chart = loss_chart(Curve(task="cars", loss=loss, end=4.0), 40, 9, "")
    assert max(chart.y_ticks) == (36, "0.6")
    assert ("  ↑ 12.4 beyond", "") in chart.legend
    assert chart.beyond == ((0, 35),)


@pytest.mark.parametrize("columns", range(12, 60))
def test_a_cut_is_shown_at_every_width(columns):
    loss = (Sample(0.0, 900.0, 900.0), *(Sample(i / 25, 0.5, 0.6) for i in range(1, 100)))
    chart = loss_chart(Curve(task="cars", loss=loss, validation_loss=((1.0, 0.7),), end=4.0), columns, 9, "")
    assert chart.beyond


def test_a_usual_descent_is_shown_whole():
    loss = tuple(Sample(i / 20, value, value) for i in range(200) for value in (0.7 + 3.5 * 0.95**i,))
    chart = loss_chart(Curve(task="cars", loss=loss, end=10.0), 40, 9, "")
    assert chart.beyond == ()
    assert not any("beyond" in text for text, _ in chart.legend)


OTHER = Other(Curve(task="cars", loss=(Sample(0, 2, 2), Sample(3, 1, 1)), end=8.0), "red", ("job 3", "job 1"))


@given(curve=curves, other=curves, **sizes, log=st.booleans())
def test_two_curves_share_their_axes_and_stay_inside(curve, other, columns, rows, log):
    both = Other(other, "red", ("job 3", "job 1"))
    for chart in (
        loss_chart(curve, columns, rows, "", log, other=both),
        error_chart(curve, columns, rows, "", other=both),
    ):
        assert chart.x_ticks[-1][1].split()[0] == f"{max(curve.end, other.end):g}"
        inside = [*dots(chart), *chart.crosses, *chart.beyond]
        assert all(0 <= x < ACROSS * columns and 0 <= y < DOWN * rows for x, y in inside)
        assert sum(len(text) for text, _ in chart.legend) <= columns


def test_two_curves_differ_by_colour_and_by_sign_and_the_legend_names_both():
    curve = Curve(task="cars", loss=(Sample(0, 4, 4), Sample(2, 3, 3)), validation_error=((1.0, 30.0),), end=4.0)
    chart = loss_chart(curve, 60, 9, "green", other=OTHER)
    assert [style for _, style in chart.lines] == ["green", "red"]
    assert chart.legend == (("loss", "bold"), ("  ─ job 3 3", "green"), ("  × job 1 1", "red"))
    assert {x for x, _ in chart.crosses} == {0, 45}
    assert error_chart(curve, 60, 9, "green", other=OTHER).legend[1:] == (
        ("  • job 3 30.00", "green"),
        ("  × job 1 none", "red"),
    )


# -- whose curve it is ------------------------------------------------------------------------------------------------


def pane(desk: Desk) -> str:
    return desk.text(desk.bench.query_one(CurvesPane))


def title(desk: Desk) -> str:
    return str(desk.bench.query_one(CurvesPane).border_title)


def plots(desk: Desk) -> list[Plot]:
    return [plot for plot in desk.bench.query_one(CurveView).plots if plot.region]


def two_trained(path):
    """Both tasks were trained, the second one is open; nothing runs."""
    write(path, document((SEALED[0], task("cubs", 0.75, 22.1, "retrained"))))
    for job, (name, best) in enumerate((("imagenet", 28.0), ("cubs", 22.0)), 1):
        add = Add(task=name, data=f"/data/{name}")
        begun = JobStarted(command=add, pid=1, device="cpu")
        end = JobFinished(outcome="done", message=f"add {name}: done", seconds=60.0, status=0)
        append(path, entries([begun, *training(name, 10, 10, 96.0, best), end], job=job, at=NOON + 1000 * job))
    return path


async def test_at_rest_the_selected_tasks_curve_is_shown(tmp_path):
    async with opened(two_trained(tmp_path / "model.safetensors")) as desk:
        assert title(desk) == "3 Curves  cubs"
        await desk.press("2", "k")
        assert title(desk) == "3 Curves  imagenet"
        assert "validation 28.00" in pane(desk)
        await desk.press("j")
        assert "validation 22.00" in pane(desk)


async def test_a_task_that_was_not_trained_here_says_so(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        assert len(plots(desk)) == 2
        await desk.press("2", "k")
        assert "no training of cubs in the journal" in pane(desk)
        assert plots(desk) == []
        await desk.press("j")
        assert len(plots(desk)) == 2


async def test_the_task_in_training_is_followed_until_f_is_pressed(tmp_path):
    path = two_trained(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            begun = JobStarted(command=Add(task="cars", data="/data/cars"), pid=1, device="cpu")
            append(path, entries([begun, *training("cars", 10, 2, 96.0, 17.5)], job=3, at=NOON + 9000))
            await desk.until(lambda: title(desk) == "3 Curves  cars", "the curve of cars")
            await desk.press("2", "g")
            assert title(desk) == "3 Curves  cars"
            await desk.press("3", "f")
            assert title(desk) == "3 Curves  imagenet no follow"
            await desk.press("f")
            assert title(desk) == "3 Curves  cars"


async def test_without_a_training_job_the_selected_tasks_curve_stays(tmp_path):
    path = two_trained(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("2", "k")
            phase = PhaseStarted(phase="eval", task="cubs", epochs=0, images=5794)
            append(path, entries([JobStarted(command=Evaluate(), pid=1, device="cpu"), phase], job=3, at=NOON + 9000))
            await desk.until(lambda: desk.app.picture.job, "the job")
            assert title(desk) == "3 Curves  imagenet"


# -- keys -------------------------------------------------------------------------------------------------------------


async def test_l_and_s_change_how_the_loss_looks_and_say_so_in_the_title(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("3")
        plain = pane(desk)
        await desk.press("l")
        assert title(desk) == "3 Curves  cars log"
        logarithmic = pane(desk)
        await desk.press("s")
        assert title(desk) == "3 Curves  cars log smooth"
        smooth = pane(desk)
        assert len({plain, logarithmic, smooth}) == 3
        await desk.press("l", "s")
        assert pane(desk) == plain


@pytest.mark.parametrize("keys", [["l", "s", "f"], ["2", "s", "f"]], ids=str)
async def test_in_other_panes_these_keys_do_not_change_the_curves(tmp_path, keys):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press(*keys)
        assert title(desk) == "3 Curves  cars"


@pytest.mark.parametrize(("key", "lands"), [("h", 1), ("tab", 4), ("2", 2), ("j", 3)])
async def test_the_plots_take_no_key_away(tmp_path, key, lands):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("3", key)
        assert desk.bench.focused.number == lands


async def test_c_shows_both_charts_then_one_then_the_other(tmp_path):
    for size in (WIDE, SMALL):
        async with opened(at_rest(tmp_path / "model.safetensors"), size) as desk:
            await desk.press("3")
            for says, charts, sees, not_sees in (
                ("3 Curves  cars loss only", 1, "loss", "error %"),
                ("3 Curves  cars error only", 1, "error %", "loss  "),
                ("3 Curves  cars", 2, "loss", "nothing"),
            ):
                await desk.press("c")
                await desk.until(lambda charts=charts: len(plots(desk)) == charts, f"{charts} charts")
                await desk.until(lambda: all(p.room == (p.chart.columns, p.chart.rows) for p in plots(desk)))
                assert (title(desk), sees in pane(desk), not_sees in pane(desk)) == (says, True, False)


def reading(desk: Desk) -> str:
    return str(desk.bench.query_one(CurvesPane).border_subtitle)


async def test_a_cursor_reads_the_values_and_esc_removes_it(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("3", "left")
        assert reading(desk) == "epoch 15 step 300: train 0.811 val 0.833 error 18.33"
        assert "│" in pane(desk).replace("││", "")
        await desk.press("left")
        newer = reading(desk)
        assert newer.startswith("epoch 14.")
        await desk.press("shift+left")
        assert float(reading(desk).split()[1].strip(",:")) < 13
        await desk.press("ctrl+right", "right", "right")
        assert reading(desk).startswith("epoch 15 ")
        await desk.press("escape")
        assert reading(desk) == ""
        await desk.press("right")
        assert reading(desk).startswith("epoch 0.")
        await desk.press("left")
        assert reading(desk).startswith("epoch 0.")


async def test_without_a_curve_the_cursor_keys_do_nothing(tmp_path):
    async with opened(write(tmp_path / "model.safetensors", document(SEALED))) as desk:
        await desk.press("3", "left", "right", "shift+left")
        assert (reading(desk), desk.bench.focused.number) == ("", 3)


async def test_the_readout_fits_and_stays_in_words_in_a_small_terminal(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors"), SMALL) as desk:
        await desk.press("3", "left")
        assert reading(desk) == "epoch 15 train 0.811 val 0.833 error 18.33"


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=str)
async def test_a_long_name_is_cut_in_its_middle_and_no_word_is(tmp_path, size):
    name = "a-rather-long-name-of-a-task-that-somebody-gave-number-1"
    path = write(tmp_path / "model.safetensors", document((task(name, 0.75, 22.1, "retrained"),)))
    begun = JobStarted(command=Add(task=name, data="/data"), pid=1, device="cpu")
    append(path, entries([begun, *training(name, 10, 10, 96.0, 20.0)], job=1))
    async with opened(path, size) as desk:
        await desk.press("3", "l", "s", "f", "c")
        shown = title(desk)
        assert len(shown) <= desk.bench.query_one(CurvesPane).size.width - 2
        assert shown.endswith("smooth no follow")
        assert shown.startswith("3 Curves  a-")
        assert "…" in shown


async def finished(desk: Desk) -> str:
    """The pane once each chart has its axes, which the plot library draws last."""
    await desk.until(lambda: "0 └" in pane(desk) and "┼" not in pane(desk), "the axes")
    return pane(desk)


async def test_the_mouse_wheel_leaves_the_plots_alone_and_a_click_goes_to_the_pane(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        before = await finished(desk)
        plot = plots(desk)[0]
        x, y = plot.region.center
        wheel = {"x": 5, "y": 3, "delta_x": 0, "delta_y": 1, "button": 0, "screen_x": int(x), "screen_y": int(y)}
        keys = {"shift": False, "meta": False, "ctrl": False}
        for kind in (events.MouseScrollDown, events.MouseScrollUp, events.MouseScrollDown):
            plot.query_one("#plot").post_message(kind(plot, **wheel, **keys))
            await desk.pilot.pause()
        assert pane(desk) == before
        await desk.pilot.click(plot)
        assert desk.bench.focused.number == 3


# -- the room there is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "charts"), [(WIDE, 2), (SMALL, 2), ((80, 20), 0)], ids=str)
async def test_as_many_charts_as_there_is_room_for(tmp_path, size, charts):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, size) as desk:
            assert len(plots(desk)) == charts
            if charts:
                assert ("pruned 0.75" if size == WIDE else " 0.75") in pane(desk)
                assert "15 epochs" in pane(desk)


async def test_while_the_screen_closes_nothing_is_drawn(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        curves = desk.bench.query_one(CurvesPane)
        for closed in curves.query_one(CurveView).plots:
            await closed.remove()  # Textual removes widgets one by one
            curves.charts = "loss"
            curves.redraw()
        await desk.pilot.pause()
        assert desk.app.is_running


async def test_a_resize_redraws_the_charts(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        wide = await finished(desk)
        for size, charts in ((SMALL, 2), ((150, 50), 2), (WIDE, 2)):
            await desk.pilot.resize_terminal(*size)
            await desk.until(lambda charts=charts: len(plots(desk)) == charts, f"{charts} charts")
            await desk.until(lambda size=size: desk.app.size == size)
            await desk.until(lambda: all(p.room == (p.chart.columns, p.chart.rows) for p in plots(desk)))
            await desk.pilot.pause()
            assert "15 epochs" in pane(desk)
        await desk.until(lambda: pane(desk) == wide, "the picture of before")


async def test_the_plot_library_is_not_imported_before_a_curve_is_drawn(tmp_path):
    async with opened(write(tmp_path / "model.safetensors", document(()))) as desk:
        assert "nothing was trained yet" in pane(desk)
        assert desk.bench.query_one(CurveView).plots == []


async def test_a_change_too_soon_after_a_drawing_is_drawn_a_moment_later(tmp_path):
    path = running(tmp_path / "model.safetensors")
    last = list(training("cars", 5, 5, 61.0, 17.8, retrain=True, before=17.5))
    with Paths(path).locked():
        async with opened(path) as desk:
            for event in last[44:]:
                append(path, entries([event], job=3, at=NOON + 1000))
                await desk.pilot.pause()
            await desk.until(lambda: "validation 18.33" in pane(desk), "the last epoch")
            assert title(desk) == "3 Curves  cars"
