import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from packnet_core.schema.commands import Add, Compare, Drop, Evaluate, Prune
from packnet_tui.state.format import (
    clock,
    cut,
    cut_after_word,
    cut_middle,
    drift,
    fitting,
    joined,
    long,
    pad,
    pad_name,
    percent,
    short,
    short_summary,
    two_digits,
)

UNITS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
counts = st.one_of(st.integers(0, 2000), st.integers(0, 10**12), st.sampled_from([9_949, 9_950, 999_499, 999_500]))
texts = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Mn", "Me", "Mc")), max_size=40)
names = st.one_of(texts, st.text("日本語ab.", max_size=30))


def value(text: str) -> float:
    return float(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else float(text)


@given(counts)
def test_a_short_count_takes_four_cells_at_most(count):
    assert len(short(count)) <= 4
    assert abs(value(short(count)) - count) <= count / 3


@given(counts)
def test_a_long_count_has_three_significant_digits(count):
    assert len(long(count)) <= 5
    assert abs(value(long(count)) - count) <= 0.005 * count + 1e-9


def test_counts_read_as_a_person_writes_them():
    assert [short(n) for n in (0, 864, 1728, 73_728, 102_760_448, 1_200_000_000)] == [
        "0", "864", "2k", "74k", "103M", "1.2G",
    ]  # fmt: skip
    assert [long(n) for n in (864, 73_400, 73_400_000, 999_999)] == ["864", "73.4k", "73.4M", "1.00M"]


@given(st.integers(1, 10**9), st.data())
def test_only_nothing_reads_0_percent_and_only_all_reads_100(of, data):
    count = data.draw(st.one_of(st.integers(0, of), st.sampled_from([0, 1, of - 1, of])))
    text = percent(count, of)
    assert (text == "0.0%") == (count == 0)
    assert (text == "100.0%") == (count == of)
    assert len(text) <= 6


@given(st.floats(-100, 100))
def test_only_an_error_that_did_not_move_at_all_reads_0(change):
    assert (drift(change) == "0.00") == (change == 0)
    assert change == 0 or drift(change)[0] == ("+" if change > 0 else "-")
    assert change == 0 or float(drift(change)) != 0


@given(st.integers(0, 10**6))
def test_a_clock_shows_seconds(seconds):
    total = 0
    for part in clock(seconds).split(":"):
        total = 60 * total + int(part)
    assert total == seconds


@pytest.mark.parametrize(("value", "shown"), [(None, "–"), (0.0, "0.00"), (28.4159, "28.42")])
def test_an_error_has_two_digits(value, shown):
    assert two_digits(value) == shown


@given(names, st.integers(0, 50))
def test_a_padded_text_is_exactly_as_wide_as_asked(text, width):
    padded = pad(text, width)
    assert cell_len(padded) == width
    if cell_len(text) <= width:
        assert padded == text + " " * (width - cell_len(text))


@pytest.mark.parametrize("shortened", [cut, cut_after_word, cut_middle])
@given(text=names, width=st.integers(0, 50))
def test_a_cut_text_fits_and_says_that_it_was_cut(shortened, text, width):
    made = shortened(text, width)
    assert cell_len(made) <= width
    assert made == text if cell_len(text) <= width else width == 0 or "…" in made


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("a GPU, if any", 9, "a GPU …"),
        ("0.0001 (a tenth)", 11, "0.0001 …"),
        ("a GPU, if any", 13, "a GPU, if any"),
        ("unbreakable", 5, "unbr…"),
    ],
)
def test_a_hint_is_cut_after_a_word(text, width, shown):
    assert cut_after_word(text, width) == shown


def test_both_ends_of_a_layers_name_are_kept():
    assert cut_middle("encoder.layers.11.self_attention.out_proj", 20) == "encoder.l…n.out_proj"


def test_both_ends_of_a_tasks_name_are_kept_even_in_few_cells():
    assert cut_middle("a_rather_long_task_name_1", 16) == "a_rathe…k_name_1"
    assert pad_name("task_1", 4) == "t…_1"
    assert pad_name("task_1", 8) == "task_1  "


def test_a_commands_summary_has_short_names():
    name = "a_very_long_name_of_a_task_of_many_birds_1"
    short = "a_very_long…many_birds_1"
    assert short_summary(Add(task=name, data="x", prune=0.5)) == f"add {short} --prune 0.5"
    assert short_summary(Drop(task=name)) == f"drop {short}"
    assert short_summary(Evaluate(tasks=(name, "birds"))) == f"eval {short} birds"
    assert short_summary(Compare(baseline="lwf", tasks=(name,))) == f"baseline lwf {short}"
    assert short_summary(Prune(ratio=0.5)) == "prune 0.5"


@given(st.lists(texts.filter(str.strip), min_size=1, max_size=5), st.integers(1, 50))
def test_the_first_variant_that_fits_is_taken(variants, width):
    taken = fitting(width, *variants)
    assert cell_len(taken) <= width
    short = [text for text in variants if cell_len(text) <= width]
    assert taken == short[0] if short else "…" in taken


def test_parts_are_never_broken():
    assert joined(["one two", "three", "four"], 15) == ["one two · three", "four"]
    assert joined([], 15) == []
