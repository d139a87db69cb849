"""Series are divided, cleaned and standardised as a few lines of pandas do it; what is lost is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from tasks.checking import check_task
from tasks.errors import TaskError
from tasks.registry import load_task, parameters_of
from tasks.series import Series
from tasks.task import Output, Split
from tests.test_tasks.worker_copies import assert_a_copy_trains_alike

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "day": pd.date_range("2001-01-01", periods=200).strftime("%Y-%m-%d"),
        "x": np.cumsum(RNG.normal(size=200)) + 50.0,
        "count": RNG.integers(0, 9, 200),
        "wet": RNG.random(200) < 0.3,
    }
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "series.csv"
    FRAME.to_csv(path, index=False)
    return path


def saved(path: Path, frame: pd.DataFrame) -> str:
    frame.to_csv(path, index=False)
    return str(path)


def pairs(task: Series, split: Split) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return inputs and targets of the steps that count, in the order of an evaluation with one column."""
    windows = list(task.evaluation(split, 1, 10_000))
    mask = [window.loss_mask > 0 for window in windows]
    inputs = np.concatenate([window.inputs[own] for window, own in zip(windows, mask, strict=True)])
    return inputs, np.concatenate([window.targets[own] for window, own in zip(windows, mask, strict=True)])


def facts(task: Series, split: Split) -> dict[str, float]:
    return {fact.name: fact.value for fact in task.description(split).facts}


@pytest.mark.parametrize("horizon", [1, 5])
def test_rows_are_cut_by_time_and_standardised_by_the_training_part(file: Path, horizon: int) -> None:
    task = Series(data=str(file), targets="x, wet", horizon=horizon)
    values = FRAME[["x", "count", "wet"]].to_numpy(np.float64)
    centre, scale = values[:140].mean(axis=0), values[:140].std(axis=0)
    standard = (values - centre) / scale
    assert (task.input_size, task.output_size) == (3, 2)
    assert [task.label(place) for place in range(2)] == ["x", "wet"]
    for split, begin, end in (Split.TRAIN, 0, 140), (Split.VALIDATION, 140, 170), (Split.TEST, 170, 200):
        inputs, targets = pairs(task, split)
        np.testing.assert_allclose(inputs, standard[begin : end - horizon], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(targets, standard[begin + horizon : end, [0, 2]], rtol=1e-6, atol=1e-6)
        naive = standard[begin + horizon : end, [0, 2]] - standard[begin : end - horizon, [0, 2]]
        assert task.constant_baseline(split) == pytest.approx(np.mean(naive**2), rel=1e-5)
        told = facts(task, split)
        assert told["naive forecast, mean_absolute_error"] == pytest.approx(np.abs(naive).mean(), rel=1e-5)
        assert told["mean forecast, mean_squared_error"] == pytest.approx(np.mean(targets**2.0), rel=1e-5)
        variances = np.mean(naive**2, axis=0)
        nats = (0.5 * np.log(2 * np.pi * np.e * variances)).sum()
        assert told["naive forecast, nats_per_step"] == pytest.approx(nats, rel=1e-5)
        described = task.description(split)
        assert (described.sequences, described.steps, described.counted) == (1, end - begin - horizon, len(targets))
        assert described.source == f"{file} (time: 'day')"


@pytest.mark.parametrize("ranked_by", ["mean_squared_error", "mean_absolute_error", "nats_per_step"])
def test_a_trial_must_exceed_the_mean_of_training_to_go_on(ranked_by: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=400)
    metrics: dict[str, Callable[[npt.NDArray[Any]], float]] = {
        "mean_squared_error": lambda e: float(np.mean(e**2)),
        "mean_absolute_error": lambda e: float(np.abs(e).mean()),
        "nats_per_step": lambda e: float(0.5 * np.log(2 * np.pi * np.e * np.mean(e**2))),
    }
    for name, values in ("walk", np.cumsum(noise)), ("noise", noise):
        file = tmp_path / f"{name}.csv"
        pd.DataFrame({"x": values}).to_csv(file, index=False)
        task = Series(data=str(file), ranked_by=ranked_by)
        shown = (values[280:340] - values[:280].mean()) / values[:280].std()
        assert task.chance_level() == pytest.approx(metrics[ranked_by](shown[1:]), rel=1e-5)
        assert task.constant_baseline() == pytest.approx(metrics[ranked_by](np.diff(shown)), rel=1e-5)
        assert (task.chance_level() < task.constant_baseline()) == (name == "noise")


def test_every_rule_of_tasks_is_kept(file: Path, tmp_path: Path) -> None:
    check_task(Series(data=str(file)), thorough=True)
    frame = pd.concat([FRAME.assign(id=k, x=FRAME["x"] + RNG.normal(size=200)).head(20 * k) for k in range(1, 9)])
    check_task(
        Series(data=saved(tmp_path / "groups.csv", frame), group="id", output=Output.SQUARED_ERROR), thorough=True
    )


def test_the_same_table_in_other_formats_is_the_same_task(file: Path, tmp_path: Path) -> None:
    expected = Series(data=str(file)).checksum
    assert Series(data=saved(tmp_path / "packed.csv.gz", FRAME)).checksum == expected
    np.savez(
        tmp_path / "arrays.npz",
        day=FRAME["day"].to_numpy("datetime64[D]"),
        x=FRAME["x"].to_numpy(),
        count=FRAME["count"].to_numpy(),
        wet=FRAME["wet"].to_numpy(),
    )
    assert Series(data=str(tmp_path / "arrays.npz")).checksum == expected
    FRAME.to_csv(tmp_path / "german.csv", index=False, sep=";", decimal=",")
    assert Series(data=str(tmp_path / "german.csv"), decimal=",").checksum == expected
    assert Series(data=str(file), horizon=2).checksum != expected
    assert Series(data=saved(tmp_path / "other.csv", FRAME.assign(x=FRAME["x"] ** 2))).checksum != expected


def test_a_parquet_file_is_the_same_task(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    FRAME.assign(day=pd.to_datetime(FRAME["day"])).to_parquet(tmp_path / "table.parquet")
    assert Series(data=str(tmp_path / "table.parquet")).checksum == Series(data=str(file)).checksum


def test_groups_are_whole_series_of_one_split_and_copies_stand_together(tmp_path: Path) -> None:
    lengths = {f"g{k}": 10 + k for k in range(20)} | {"tiny": 2, "copy": 13}
    series = {name: RNG.normal(size=length) for name, length in lengths.items()}
    series["copy"] = series["g3"]
    frame = pd.DataFrame([(name, value) for name, values in series.items() for value in values], columns=["id", "x"])
    shuffled = frame.sample(frac=1.0, random_state=0).sort_index(
        key=lambda places: frame.groupby("id").cumcount()[places]
    )
    task = Series(data=saved(tmp_path / "groups.csv", shuffled), group="id", horizon=3)
    seen: dict[str, Split] = {}
    for split in Split:
        described = task.description(split)
        assert described.repeated == 0
        for whole in _sequences(task, split):
            centred = [name for name, values in series.items() if len(values) == len(whole) + 3]
            matching = [name for name in centred if np.corrcoef(series[name][:-3], whole)[0, 1] > 1 - 1e-6]
            assert matching
            for name in matching:
                assert seen.setdefault(name, split) is split
    assert set(seen) == set(series) - {"tiny"}
    assert sum(facts(task, split).get("series left out, too short", 0) for split in Split) == 1
    counts = [task.description(split).sequences for split in Split]
    assert counts[1] in (3, 4)
    assert counts[2] in (3, 4)
    assert sum(counts) == 21


def _sequences(task: Series, split: Split) -> list[npt.NDArray[Any]]:
    return [window.inputs[:, 0, 0] for window in task.evaluation(split, 1, 10_000)]


def test_groups_may_be_cut_at_the_same_times(tmp_path: Path) -> None:
    frame = pd.concat([FRAME.assign(id="long"), FRAME.tail(60).assign(id="late", x=FRAME["x"].tail(60) + 1.0)])
    task = Series(data=saved(tmp_path / "groups.csv", frame), group="id", split="time", targets="x")
    days = sorted(frame["day"])
    first, last = days[round(260 * 0.7)], days[round(260 * 0.85)]
    for split, rows in (
        (Split.TRAIN, frame[frame["day"] < first]),
        (Split.VALIDATION, frame[(frame["day"] >= first) & (frame["day"] < last)]),
        (Split.TEST, frame[frame["day"] >= last]),
    ):
        assert facts(task, split)["rows"] == len(rows)
        assert task.description(split).sequences == rows["id"].nunique() == 2


def test_missing_values_are_refused_filled_or_dropped(tmp_path: Path) -> None:
    frame = FRAME[["x", "count"]].astype(float)
    frame.loc[[0, 5, 6, 150], "x"] = np.nan
    path = saved(tmp_path / "gaps.csv", frame)
    message = (
        r": 4 cells are missing \(line 2, column 'x'; line 7, column 'x'; line 8, column 'x'; line 152, column 'x'\); "
        r"set missing = 'forward' \(the last known value\) or 'drop'"
    )
    with pytest.raises(TaskError, match=message):
        Series(data=path)

    filled = Series(data=path, missing="forward", targets="x")
    known = frame.iloc[1:140].ffill()
    standard = (known - known.mean()) / known.std(ddof=0)
    counted = frame["x"].iloc[2:140].notna().to_numpy()  # targets
    inputs, targets = pairs(filled, Split.TRAIN)
    np.testing.assert_allclose(inputs, standard.to_numpy()[:-1][counted], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(targets[:, 0], standard["x"].to_numpy()[1:][counted], rtol=1e-5, atol=1e-6)
    assert facts(filled, Split.TRAIN)["missing values filled"] == 2
    assert facts(filled, Split.TRAIN)["rows left out, with missing values"] == 1
    assert facts(filled, Split.VALIDATION)["missing values filled"] == 1
    assert "missing values filled" not in facts(filled, Split.TEST)
    described = filled.description(Split.TRAIN)
    assert (described.steps, described.counted) == (138, 136)

    dropped = Series(data=path, missing="drop", targets="x")
    known = frame.iloc[:140].dropna()
    standard = (known - known.mean()) / known.std(ddof=0)
    np.testing.assert_allclose(pairs(dropped, Split.TRAIN)[0], standard.to_numpy()[:-1], rtol=1e-5, atol=1e-6)
    assert facts(dropped, Split.TRAIN)["rows left out, with missing values"] == 3
    assert facts(dropped, Split.VALIDATION)["rows left out, with missing values"] == 1


def test_constant_columns_and_far_values_are_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": RNG.normal(size=100), "still": [3.3] * 80 + [9.9] * 20, "x2": RNG.normal(size=100)})
    path = saved(tmp_path / "still.csv", frame)
    with pytest.raises(
        TaskError, match="'still' is constant in the training rows, so it has no standard unit; leave it"
    ):
        Series(data=path)
    task = Series(data=path, targets="x")
    assert facts(task, Split.TRAIN)["inputs that are constant in training"] == 1
    for split in Split:
        assert not pairs(task, split)[0][:, 1].any()
    path = saved(tmp_path / "far.csv", frame.assign(x2=np.r_[frame["x2"][:99], 1e9]).drop(columns="still"))
    far = next(
        fact
        for fact in Series(data=path).description(Split.TEST).facts
        if fact.name == "largest value in standard units"
    )
    assert far.value > far.limit
    assert "logarithms" in far.remedy
    path = saved(tmp_path / "late.csv", frame[["x"]].assign(x=np.r_[frame["x"][:80], [1.0] * 20]))
    with pytest.raises(TaskError, match="the naive forecast of test has no error; leave constant columns out"):
        Series(data=path)


def test_times_in_disorder_are_named_and_irregular_ones_counted(tmp_path: Path) -> None:
    swapped = FRAME.copy()
    swapped.loc[[10, 11], "day"] = swapped.loc[[11, 10], "day"].to_numpy()
    message = (
        r": 1 cell is not later than the row before \(line 13, column 'day': '2001-01-11' after '2001-01-12'\); sort"
    )
    with pytest.raises(TaskError, match=message):
        Series(data=saved(tmp_path / "a.csv", swapped))
    twice = pd.concat([FRAME, FRAME])
    with pytest.raises(TaskError, match="and name the column of the series in `group` if there are several"):
        Series(data=saved(tmp_path / "b.csv", twice))
    gaps = FRAME.drop(index=[20, 40, 60])
    task = Series(data=saved(tmp_path / "c.csv", gaps))
    assert facts(task, Split.TRAIN)["irregular steps"] == pytest.approx(3 / (round(197 * 0.7) - 1))
    monthly = FRAME.assign(day=pd.date_range("1950-01-31", periods=200, freq="ME").strftime("%Y-%m-%d"))
    assert facts(Series(data=saved(tmp_path / "d.csv", monthly)), Split.TRAIN)["irregular steps"] == 0
    yearly = FRAME.assign(day=np.arange(1800, 2000)).rename(columns={"day": "year"})
    assert Series(data=saved(tmp_path / "e.csv", yearly)).input_size == 4
    assert Series(data=str(tmp_path / "e.csv"), time="year").input_size == 3
    with pytest.raises(
        TaskError, match=r"cell is no time \(line 2, column 'day': '01/02/2001'\); write numbers, or ISO 8601 dates"
    ):
        Series(data=saved(tmp_path / "f.csv", FRAME.assign(day=["01/02/2001", *FRAME["day"][1:]])), time="day")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"horizon": 0}, "horizon = 0, but it must be an integer from 1"),
        ({"horizon": 29}, None),
        ({"horizon": 30}, "the longest series of validation has 30 rows, but horizon = 30 needs 31; give"),
        ({"targets": "x,z"}, "targets has 'z'; the columns of numbers are 'x', 'count', 'wet'"),
        ({"targets": "day"}, "targets has 'day'; the columns of numbers are 'x'"),
        ({"missing": "fill"}, "missing = 'fill', but it must be one of 'refuse', 'forward', 'drop'"),
        ({"output": "symbols"}, "output = 'symbols', but it must be one of 'gaussian', 'squared-error'"),
        ({"ranked_by": "accuracy"}, "ranked_by = 'accuracy', but it must be one of 'nats_per_step', 'mean_squared"),
        ({"output": "squared-error", "ranked_by": "nats_per_step"}, "must be one of 'mean_squared_error', 'mean_abs"),
        ({"split": "group"}, "split = 'group' needs `group`, the column that names the series"),
        ({"group": "day"}, "the longest series of train has 1 rows, but horizon = 1 needs 2"),
        ({"group": "wet"}, "has 2 different series; a split by group needs at least 3, so set split = 'time'"),
        ({"group": "where"}, "has no column 'where'; it has 'day', 'x', 'count', 'wet'"),
        ({"time": "day", "group": "day"}, "time and group are both 'day'; name two columns"),
        ({"ignore": "x,count,wet"}, "has no column of numbers beside 'day', 'x', 'count', 'wet'"),
        ({"validation": 0.5, "test": 0.5}, "validation = 0.5 and test = 0.5 leave less than a fifth for training"),
        ({"validation": "much"}, "validation = 'much', but it must be a number from 0.01 to 0.6"),
        ({"header": "yes"}, "header = 'yes', but it must be true or false"),
        ({"data": 5}, "data = 5, but it must be the path of a file"),
    ],
)
def test_bad_parameters_are_refused(file: Path, parameters: dict[str, Any], message: str | None) -> None:
    given = {"data": str(file), "targets": "x"} | parameters
    if message is None:
        Series(**given)
        return
    with pytest.raises(TaskError) as caught:
        Series(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_registry_asks_for_the_data_and_keeps_the_parameters(file: Path) -> None:
    with pytest.raises(TaskError, match=r"^task 'series' needs the path of your data; give --data PATH"):
        load_task("series")
    task = load_task("series", data=str(file), output="squared-error", ranked_by="mean_absolute_error")
    assert task.metric.name == "mean_absolute_error"
    again = load_task("series", **parameters_of(task))
    assert again == task
    assert again.checksum == task.checksum


def test_a_cached_file_is_read_once(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATESEARCH_CACHE", str(tmp_path / "cache"))
    expected = Series(data=str(file)).checksum
    (stored,) = (tmp_path / "cache").iterdir()
    changed = stored.stat().st_mtime_ns
    monkeypatch.setattr("tasks.series_data.read_table", None)  # is not called again
    assert Series(data=str(file)).checksum == expected
    assert stored.stat().st_mtime_ns == changed


def test_a_copy_of_a_worker_reads_memory_that_it_cannot_write(file: Path) -> None:
    task = Series(data=str(file))
    copy = assert_a_copy_trains_alike(task, file)
    assert copy.constant_baseline(Split.TEST) == task.constant_baseline(Split.TEST)


def test_a_counter_of_rows_is_told(tmp_path: Path) -> None:
    """It would be an input and a target, and halve the naive forecast's error."""
    rows = np.arange(600)
    file = tmp_path / "counted.csv"
    file.write_text("t,a\n" + "".join(f"{t},{t % 7}\n" for t in rows))
    task = Series(data=str(file))
    facts = {fact.name: fact for fact in task.description(Split.TRAIN).facts}
    told = facts["columns that rise by the same at every row"]
    assert told.value == 1 > told.limit
    assert "`time` or `ignore`" in told.remedy
    for other in (Series(data=str(file), time="t"), Series(data=str(file), ignore="t")):
        names = {fact.name for fact in other.description(Split.TRAIN).facts}
        assert "columns that rise by the same at every row" not in names


def test_the_row_index_of_a_filtered_frame_is_no_input(tmp_path: Path) -> None:
    filtered, whole = FRAME[FRAME["count"] > 1], tmp_path / "whole.parquet"
    filtered.to_parquet(tmp_path / "filtered.parquet")
    filtered.reset_index(drop=True).to_parquet(whole)
    task = Series(data=str(tmp_path / "filtered.parquet"), time="day")
    assert (task.input_size, task.output_size) == (3, 3)
    assert task.checksum == Series(data=str(whole), time="day").checksum
    assert facts(task, Split.TRAIN)["columns left out, the row index of pandas"] == 1
    assert "columns left out, the row index of pandas" not in facts(Series(data=str(whole), time="day"), Split.TRAIN)


@pytest.mark.parametrize("seed", range(6))
def test_the_longest_series_trains_where_others_are_much_shorter(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=660), "g": ["a"] * 80 + ["b"] * 500 + ["c"] * 80})
    task = Series(data=saved(tmp_path / "groups.csv", frame), group="g")
    assert [task.description(split).steps for split in Split] == [499, 79, 79]


def test_empty_lines_are_told(tmp_path: Path) -> None:
    lines = FRAME.to_csv(index=False).splitlines()
    (tmp_path / "gap.csv").write_text("\n".join([*lines[:50], "", "", *lines[50:]]))
    task = Series(data=str(tmp_path / "gap.csv"))
    assert facts(task, Split.TRAIN)["empty lines between rows, not read"] == 2
    assert task.checksum == Series(data=saved(tmp_path / "whole.csv", FRAME)).checksum


def test_dates_of_digits_are_the_time(tmp_path: Path) -> None:
    compact = FRAME.assign(day=FRAME["day"].str.replace("-", ""))
    task = Series(data=saved(tmp_path / "compact.csv", compact))
    assert task.describe()[Split.TRAIN].source == f"{tmp_path / 'compact.csv'} (time: 'day')"
    assert task.checksum == Series(data=saved(tmp_path / "dashes.csv", FRAME)).checksum
    assert facts(task, Split.TRAIN)["irregular steps"] == 0


def test_series_of_any_century_are_cut_at_the_same_times(tmp_path: Path) -> None:
    """Nanoseconds would hold the years from 1678 to 2261 alone, and those before would come after them."""
    found = []
    for begin in (1500, 1600, 1700, 1950, 2250):
        frame = pd.DataFrame(
            {
                "when": [f"{begin + year}-01-01" for year in (*range(60), *range(90, 150))],
                "x": RNG.permutation(120) * 1.0,
                "g": ["a"] * 60 + ["b"] * 60,
            }
        )
        frame["x"] = np.sin(np.arange(120))
        task = Series(data=saved(tmp_path / f"{begin}.csv", frame), group="g", split="time")
        whole = Series(data=saved(tmp_path / "one.csv", frame), ignore="g")
        frame.assign(when=frame["when"].to_numpy(np.str_).astype("datetime64[us]")).to_parquet(tmp_path / "one.parquet")
        parquet = Series(data=str(tmp_path / "one.parquet"), group="g", split="time")
        assert parquet.checksum == task.checksum
        found.append([*(task.description(split).steps for split in Split), facts(whole, Split.TEST)["irregular steps"]])
    assert found == [[82, 17, 17, 0.0]] * 5


@pytest.mark.parametrize(("lengths", "shortest"), [((1000, 1010, 990), False), ((5000, 60, 70), True)])
def test_the_shortest_series_are_held_out_only_where_training_would_get_little(
    lengths: tuple[int, ...], shortest: bool, tmp_path: Path
) -> None:
    """Over files whose hashes fall in all orders."""
    trained = set()
    for seed in range(12):
        values = np.random.default_rng(seed).normal(size=sum(lengths))
        groups = np.repeat(["a", "b", "c"], lengths)
        file = tmp_path / f"{seed}.csv"
        pd.DataFrame({"group": groups, "x": values}).to_csv(file, index=False)
        task = Series(data=str(file), group="group", context=5)
        trained.add(task.description(Split.TRAIN).steps + 1)
    assert trained == ({max(lengths)} if shortest else set(lengths))
