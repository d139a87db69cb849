"""Sequences of one's own files are learnt from as they are; what was read, cut, filled or copied is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from tasks.checking import check_task
from tasks.classes import Classes
from tasks.errors import TaskError
from tasks.metrics import ACCURACY, CROSS_ENTROPY, MACRO_F1, metrics_of_task
from tasks.registry import build_task, load_task, parameters_of
from tasks.task import Split

Values = npt.NDArray[np.float64]


def waves(count: int, seed: int) -> tuple[list[Values], list[str]]:
    """Return sequences of two channels and unlike lengths; the label says which of them leads."""
    rng = np.random.default_rng(seed)
    sequences, labels = [], []
    for number in range(count):
        steps = np.arange(rng.integers(8, 30)) * 0.7 + rng.uniform(0, 6)
        lead = number % 2
        wave = np.stack([np.sin(steps), np.sin(steps + (1.0 if lead else -1.0))], axis=1)
        sequences.append(5.0 + 3.0 * wave + rng.normal(0, 0.1, wave.shape))
        labels.append(("first", "second")[lead])
    return sequences, labels


def ts_text(sequences: list[Values], labels: list[str], classes: str = "first second") -> str:
    lines = [":".join([*(",".join(f"{value:.6f}" for value in channel) for channel in sequence.T), label])
             for sequence, label in zip(sequences, labels, strict=True)]  # fmt: skip
    head = (
        f"@problemName waves\n@timeStamps false\n@univariate false\n@dimensions 2\n@classLabel true {classes}\n@data\n"
    )
    return head + "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Waves_TRAIN.ts").write_text(ts_text(*waves(100, 0)))
    (tmp_path / "Waves_TEST.ts").write_text(ts_text(*waves(40, 1)))
    return tmp_path


def facts(task: Classes, split: Split) -> dict[str, float]:
    return {fact.name: fact.value for fact in task.description(split).facts}


def columns_of(task: Classes, split: Split) -> list[tuple[str, npt.NDArray[np.float32]]]:
    """Return label and values of each sequence of a split."""
    found = []
    for window in task.evaluation(split, 7, 5):
        for column in range(7):
            for last in np.flatnonzero(window.loss_mask[:, column]):
                label = task.label(int(window.targets[last, column]))
                found.append((label, window.inputs[: last + 1, column]))
    return found


def test_every_rule_of_tasks_is_kept(folder: Path) -> None:
    task = load_task("classes", data=str(folder))
    check_task(task, thorough=True)
    assert (task.input_size, task.output_size, task.metric) == (2, 2, ACCURACY)
    assert metrics_of_task(task) == (ACCURACY, CROSS_ENTROPY, MACRO_F1)
    assert build_task("classes", **parameters_of(task)).checksum == task.checksum
    assert task.constant_baseline() == 0.5


def test_no_sequence_is_lost_or_changed_but_by_one_scale_and_shift(folder: Path) -> None:
    task = Classes(data=str(folder))
    assert (len(columns_of(task, Split.TRAIN)), len(columns_of(task, Split.VALIDATION))) == (80, 20)
    training = np.concatenate([values for _, values in columns_of(task, Split.TRAIN)])
    np.testing.assert_allclose(training.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(training.std(axis=0), 1.0, rtol=1e-5)
    for read, splits in (waves(40, 1), [Split.TEST]), (waves(100, 0), [Split.TRAIN, Split.VALIDATION]):
        shown = [column for split in splits for column in columns_of(task, split)]
        # Standardising keeps the order of first values, so that both sides can be put in the same one.
        raw = sorted(zip(read[1], read[0], strict=True), key=lambda each: each[1][0, 0])
        shown.sort(key=lambda each: each[1][0, 0])
        assert [label for label, _ in shown] == [label for label, _ in raw]
        before = np.concatenate([values for _, values in raw])
        after = np.concatenate([values for _, values in shown])
        for channel in range(2):
            slope, shift = np.polyfit(before[:, channel], after[:, channel], 1)
            np.testing.assert_allclose(before[:, channel] * slope + shift, after[:, channel], atol=1e-5)


def test_a_single_file_is_divided_by_class(folder: Path) -> None:
    task = Classes(data=str(folder / "Waves_TEST.ts"), validation=0.2, test=0.3)
    counts = {}
    for split in Split:
        labels = [label for label, _ in columns_of(task, split)]
        counts[split] = labels.count("first"), labels.count("second")
    assert counts == {Split.TRAIN: (10, 10), Split.VALIDATION: (4, 4), Split.TEST: (6, 6)}
    assert task.description(Split.TEST).repeated == 0
    other = Classes(data=str(folder / "Waves_TEST.ts"), validation=0.2, test=0.2)
    assert other.checksum != task.checksum


def test_the_description_tells_what_was_read(folder: Path) -> None:
    (folder / "notes.txt").write_text("about waves")
    task = Classes(data=str(folder))
    described = task.description(Split.TEST)
    lengths = [len(sequence) for sequence in waves(40, 1)[0]]
    assert described.source == f"{folder} (Waves_TRAIN.ts, Waves_TEST.ts)"
    assert (described.sequences, described.steps, described.counted, described.seen) == (40, sum(lengths), 40, 2)
    told = facts(task, Split.TEST)
    assert told["steps in the shortest sequence"] == min(lengths)
    assert told["steps in the longest sequence"] == max(lengths)
    assert facts(task, Split.TRAIN)["files not read"] == 1
    assert Classes(data=str(folder), every_step=True).description(Split.TEST).counted == sum(lengths)


def test_copies_on_two_sides_are_told_with_their_number(folder: Path) -> None:
    train, test = waves(100, 0), waves(40, 1)
    (folder / "Waves_TEST.ts").write_text(ts_text([*test[0], *train[0][:3]], [*test[1], *train[1][:3]]))
    task = Classes(data=str(folder))
    described = task.description(Split.TEST)
    assert (described.sequences, described.repeated) == (43, 3)
    assert described.repeated_steps == sum(len(sequence) for sequence in train[0][:3])


def test_classes_that_a_part_lacks_are_told_by_name(folder: Path) -> None:
    (folder / "Waves_TRAIN.ts").write_text(ts_text(*waves(100, 0), "first third second"))
    task = Classes(data=str(folder))
    assert [task.label(number) for number in range(3)] == ["first", "third", "second"]
    lacking = [fact for fact in task.description(Split.TRAIN).facts if fact.name == "classes without a sequence"]
    assert (lacking[0].value, lacking[0].limit) == (1, 0)
    assert lacking[0].remedy == "add sequences of third, or leave them out"


def test_missing_values_are_refused_or_told(folder: Path) -> None:
    text = (folder / "Waves_TRAIN.ts").read_text().splitlines()
    text[9] = "?," + text[9].partition(",")[2]
    (folder / "Waves_TRAIN.ts").write_text("\n".join(text))
    with pytest.raises(TaskError, match=r"Waves_TRAIN\.ts, line 10: step 1 of channel 1 is missing; set missing = 'f"):
        Classes(data=str(folder))
    task = Classes(data=str(folder), missing="mean")
    assert sum(facts(task, split)["missing values filled"] for split in Split) == 1
    filled = "of them filled with the mean, as none is before"
    assert filled not in facts(task, Split.TRAIN)
    task = Classes(data=str(folder), missing="forward")
    assert sum(facts(task, split)[filled] for split in Split) == 1


def test_classes_that_are_one_number_or_word_in_two_ways_are_told(tmp_path: Path) -> None:
    sequences, _ = waves(60, 0)
    names = ["1", "1.0", "02", "yes", "Yes", "no"]
    (tmp_path / "set.ts").write_text(ts_text(sequences, [names[k % 6] for k in range(60)], " ".join(names)))
    task = Classes(data=str(tmp_path / "set.ts"))
    (told,) = (fact for fact in task.description(Split.TRAIN).facts if "in writing only" in fact.name)
    assert (told.value, told.limit) == (2, 0)
    assert told.remedy == "write those alike that are one class: '1' and '1.0'"


def test_rows_of_one_sequence_among_those_of_others_are_told(tmp_path: Path) -> None:
    rows = [f"{number},{step * number},{'ab'[number % 2]}" for number in range(30) for step in range(4)]
    text = "\n".join(["id,x,label", *rows, "0,5,a"])
    (tmp_path / "table.csv").write_text(text)
    task = Classes(data=str(tmp_path / "table.csv"), time="")
    apart = [facts(task, split)["sequences with rows of others between"] for split in Split]
    assert sum(apart) == 1


def test_the_data_and_not_their_place_make_the_checksum(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    for file in folder.iterdir():
        (other / file.name.replace("Waves", "Copy")).write_bytes(file.read_bytes())
    task = Classes(data=str(folder))
    assert Classes(data=str(other)).checksum == task.checksum
    assert Classes(data=str(folder)).checksum == task.checksum  # from the cache now
    assert Classes(data=str(folder), every_step=True).checksum != task.checksum
    (folder / "Waves_TEST.ts").write_text(ts_text(*waves(40, 2)))
    assert Classes(data=str(folder)).checksum != task.checksum


def test_the_same_sequences_in_a_table_are_the_same_task(folder: Path) -> None:
    task = Classes(data=str(folder))
    for file in list(folder.iterdir()):
        sequences, labels = waves(*((100, 0) if "TRAIN" in file.name else (40, 1)))
        rows = ["id,label,time,x,y"]
        for number, (sequence, label) in enumerate(zip(sequences, labels, strict=True)):
            rows += [f"{number},{label},{t},{x:.6f},{y:.6f}" for t, (x, y) in enumerate(sequence)]
        file.unlink()
        (folder / f"{file.stem}.csv").write_text("\n".join(rows))
    assert Classes(data=str(folder)).checksum == task.checksum


def test_a_sample_shows_label_and_values(folder: Path) -> None:
    task = Classes(data=str(folder))
    window = next(task.evaluation(Split.TEST, 50, 5))
    text = task.render(window, 0)
    last = int(np.flatnonzero(window.loss_mask[:, 0])[0])
    name = task.label(int(window.targets[last, 0]))
    assert text.splitlines()[0] == f"label {name}, {last + 1} steps of 2 standardised values"
    assert text.splitlines()[2].split()[0] == f"{window.inputs[0, 0, 1]:.2f}"
    assert task.render(window, 49) == "(padding only)"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"validation": 0.9}, r"validation = 0\.9, but it must be a number from 0\.01 to 0\.5"),
        ({"missing": "zero"}, r"missing = 'zero', but it must be one of refuse, forward, mean"),
        ({"average": 0}, r"average = 0, but it must be an integer from 1 to 1000000"),
        ({"ranked_by": "nats_per_step"}, r"ranked_by = 'nats_per_step', but it must be one of accuracy, cross_entropy"),
        ({"every_step": "no"}, r"every_step = 'no', but it must be true or false"),
        ({"sequence": 3}, r"sequence = 3, but it must be the name of a column"),
        ({"decimal": ";"}, r"decimal = ';', but it must be one of \., ,"),
        ({"data": "/nowhere"}, r"data = '/nowhere' does not exist"),
        ({"data": None}, r"task 'classes' needs the path of your data; give --data PATH"),
    ],
)
def test_wrong_parameters_are_one_line(folder: Path, changed: dict[str, str | float | None], message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        build_task("classes", **{"data": str(folder), **changed})
    assert "\n" not in str(caught.value)


def test_other_metrics_rank(folder: Path) -> None:
    assert Classes(data=str(folder), ranked_by="macro_f1").metric is MACRO_F1
    assert Classes(data=str(folder), ranked_by="macro_f1").constant_baseline() == pytest.approx(1 / 3)
    assert Classes(data=str(folder), ranked_by="cross_entropy").constant_baseline() == pytest.approx(np.log(2))


def test_channels_that_count_rows_or_sequences_are_warned_about(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"id": k, "time": t, "v": rng.normal(), "label": "ab"[k < 30], "subject": k}
        for k in range(60)
        for t in range(5)
    ]
    frame = pd.DataFrame(rows)
    filtered = frame[frame["time"] != 2]
    filtered.to_parquet(tmp_path / "filtered.parquet")  # with the numbers of the rows
    lines = filtered.reset_index(names="row").to_csv(index=False).splitlines()
    (tmp_path / "row.csv").write_text("\n".join([*lines[:9], "", *lines[9:]]))
    task = Classes(data=str(tmp_path / "filtered.parquet"), ignore="subject")
    assert task.input_size == 1
    assert facts(task, Split.TRAIN)["columns left out, the row index of pandas"] == 1
    told = {fact.name: fact for fact in Classes(data=str(tmp_path / "row.csv")).description(Split.TRAIN).facts}
    counters = told["channels that count rows or sequences"]
    assert (counters.value, counters.limit) == (2, 0)
    assert told["empty lines between rows, not read"].value == 1
    assert counters.remedy.endswith("so name it in `ignore`: row, subject")
    assert "channels that count rows or sequences" not in facts(task, Split.TRAIN)
