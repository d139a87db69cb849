"""Series task: forecasts of columns of numbers over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.cache import key_of
from tasks.description import Description, Fact, Kind
from tasks.errors import TaskError
from tasks.metrics import MEAN_SQUARED_ERROR, METRICS, metrics_of, metrics_of_task
from tasks.parameters import check_integer, check_number
from tasks.pieces import Steps, evaluation_windows, training_windows
from tasks.series_data import Missing, Part, Rows, parts_of, read_rows, splits_by_group, splits_by_time
from tasks.table_facts import COUNTER, rising, skipped_facts
from tasks.table_files import checksum_of, date_column
from tasks.tables import Floats, shown
from tasks.task import Batch, Input, Output, Split, Task

_FORMAT = "series 2"  # version of the cache's content; increases when the same file gives other rows
_LEAST = 10  # steps of an evaluated part, so that the errors of parts are independent enough
FAR = 10.0
"""Standardised value above which a task is warned about: what was trained says little about such values."""

IRREGULAR = 0.05
"""Share of steps of another length than usual above which a task is warned about."""


@dataclass(frozen=True, kw_only=True)
class Series(Task):
    """Forecast of columns of numbers: of each step, the values that the targets have `horizon` rows later.

    The data are a CSV, Parquet or `.npz` file (`tasks.table_files`) with a row for each step. Every column of numbers
    is an input; all values are standardised by mean and standard deviation of the training rows. The constant baseline
    is the naive forecast, which repeats the last value.

    Without `group` the file is one series: the first rows train, the next are validation, the last are test. With
    `group` the rows of each group are a series, and whole series are assigned to the splits by a hash of their values.
    No row is in two splits, neither as input nor as target.

    In training a pass cuts the series at random places into equal pieces, side by side in the columns of a batch. The
    hidden state is carried over between the windows of a piece. Evaluation counts every step once that has a target. It
    cuts long series, and then reads up to `context` steps before each part, which do not count.

    Parameters:
        data: the file.
        targets: names of the columns that are forecast, with commas between them; None for all.
        horizon: number of rows from a step to its target.
        time: column of times, numbers or ISO 8601 dates, in increasing order; no input. None: the first column if it
            has dates, also of digits alone, or the only one with a type of dates; without such a column, rows are in
            the order of time.
        group: column that names the series of each row; no input.
        ignore: names of columns that are left out, with commas between them.
        missing: "refuse" missing values, put the last known value "forward", or "drop" the rows.
        split: "time" or "group"; None for "group" if there is one. Series of one file are cut at the same times.
        validation: share of the rows or series for validation; `test` likewise.
        output: "gaussian", a normal distribution with a learned scale, or "squared-error".
        ranked_by: metric that ranks: mean_squared_error, mean_absolute_error or, of "gaussian", nats_per_step.
        context: least number of steps that a forecast is based on, where the series has them.
        decimal: decimal mark of a CSV file.
        header: whether the first line of a CSV file has the columns' names.

    Raises:
        TaskError: a parameter or the file is unusable, values are missing, or a target is constant in training.
    """

    name = "series"
    metric = MEAN_SQUARED_ERROR
    input = Input.VALUES
    summary = "columns of numbers over time of a CSV, Parquet or .npz file; error of forecasts in standard units"

    data: str
    targets: str | None = None
    horizon: int = 1
    time: str | None = None
    group: str | None = None
    ignore: str | None = None
    missing: str = Missing.REFUSE.value
    split: str | None = None
    validation: float = 0.15
    test: float = 0.15
    output: Output = Output.GAUSSIAN  # type: ignore[misc]
    ranked_by: str = MEAN_SQUARED_ERROR.name
    context: int = 100
    decimal: str = "."
    header: bool = True

    def __post_init__(self) -> None:
        self._check_parameters()
        object.__setattr__(self, "output", Output(self.output))
        object.__setattr__(self, "metric", METRICS[self.ranked_by])
        for split in (Split.VALIDATION, Split.TEST):
            naive = self._naive_errors(split)
            if not naive.any() or not np.isfinite(self.metric.of_errors(naive)):
                raise TaskError(
                    f"data = {self.data!r}: the naive forecast of {split} has no error; leave constant columns out of "
                    "`targets`, or divide the data in another way"
                )

    def _check_parameters(self) -> None:
        for name in ("data", "targets", "time", "group", "ignore"):
            value = getattr(self, name)
            if not isinstance(value, str | Path) and (value is not None or name == "data"):
                what = "the path of a file" if name == "data" else "names of columns"
                raise TaskError(f"task 'series': {name} = {value!r}, but it must be {what}")
        check_integer(self.name, "horizon", self.horizon, 1, 1_000_000)
        check_integer(self.name, "context", self.context, 1, 1_000_000)
        for name in ("validation", "test"):
            check_number(self.name, name, getattr(self, name), 0.01, 0.6)
        if self.validation + self.test > 0.8:
            raise TaskError(
                f"task 'series': validation = {self.validation:g} and test = {self.test:g} leave less than a fifth for "
                "training; make them smaller"
            )
        _check_word("output", self.output, [Output.GAUSSIAN, Output.SQUARED_ERROR])
        _check_word("missing", self.missing, list(Missing))
        _check_word("decimal", self.decimal, [".", ","])
        _check_word("split", self.split, [None, "time", "group"])
        _check_word("ranked_by", self.ranked_by, [metric.name for metric in metrics_of(Output(self.output))])
        if not isinstance(self.header, bool):
            raise TaskError(f"task 'series': header = {self.header!r}, but it must be true or false")
        if self.split == "group" and self.group is None:
            raise TaskError("task 'series': split = 'group' needs `group`, the column that names the series")
        if self.group is not None and self.group == self.time:
            raise TaskError(f"task 'series': time and group are both {self.group!r}; name two columns")

    @property
    def input_size(self) -> int:
        return len(self._rows.names)

    @property
    def output_size(self) -> int:
        return len(self._targets)

    def label(self, index: int) -> str:
        return self._rows.names[int(self._targets[index])]

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        return training_windows(self._steps[Split.TRAIN], batch, steps, self.context, rng)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        least = max(_LEAST, 2 * self.horizon)  # errors of forecasts that overlap depend on each other
        return evaluation_windows(self._steps[split], batch, steps, self.context, least)

    def constant_baseline(self, split: Split = Split.VALIDATION) -> float:
        """Return the metric of the naive forecast: each target's value at the step itself."""
        return self.metric.of_errors(self._naive_errors(split))

    @property
    def baseline_name(self) -> str:
        return "naive forecast"

    def chance_level(self) -> float:
        """Return the metric of the mean of training: a model that is behind the naive forecast may have learnt much."""
        return self.metric.of_errors(self._errors(Split.VALIDATION)["mean"])

    def content(self) -> Iterator[bytes]:
        yield "\n".join((*self._rows.names, *map(self.label, range(self.output_size)))).encode()
        yield f"\n{self.output} {self.metric.name} {self.context}\n".encode()
        for split in Split:
            steps = self._steps[split]
            yield f"\n{split}\n".encode()
            for array in (steps.inputs, steps.targets, steps.loss_mask, steps.lengths):
                yield np.ascontiguousarray(array).tobytes()

    def describe(self) -> dict[Split, Description]:
        """Describe series and forecasts, with the metrics of two that need no training: the naive and the mean."""
        source = str(self.data) if self._time is None else f"{self.data} (time: {shown(self._time)})"
        found = {}
        for split in Split:
            part, steps = self._parts[split], self._steps[split]
            others = {digest for other in Split if other is not split for digest in self._parts[other].digests}
            again = np.array([digest in others for digest in part.digests])
            found[split] = Description(
                source=source,
                sequences=len(part.lengths),
                unit="series",
                steps=int(steps.lengths.sum()),
                counted=int(steps.loss_mask.sum()),
                seen=int((np.ptp(steps.targets, axis=0) > 0).sum()),
                repeated=int(again.sum()),
                repeated_steps=int(steps.lengths[again].sum()),
                facts=self._facts(split, part, steps),
            )
        return found

    def _facts(self, split: Split, part: Part, steps: Steps) -> tuple[Fact, ...]:
        remedy = "the rows of other splits are alike there; leave them out by `ignore`"
        constant = int(self._constant.sum()) if split is Split.TRAIN else 0
        counters = int(rising(np.split(part.values, np.cumsum(part.lengths)[:-1])).sum())
        facts = [
            Fact("rows", len(part.values), Kind.COUNT),
            *(skipped_facts(self._rows.skipped) if split is Split.TRAIN else ()),
            Fact("rows left out, with missing values", part.dropped, Kind.COUNT),
            Fact("series left out, too short", part.short, Kind.COUNT),
            Fact("missing values filled", int(part.filled.sum()), Kind.COUNT),
            Fact("inputs that are constant in training", constant, Kind.COUNT, 0, remedy),
            Fact("columns that rise by the same at every row", counters, Kind.COUNT, 0, COUNTER),
        ]
        if part.irregular is not None:
            every = max(len(part.values) - len(part.lengths), 1)
            remedy = "bring the rows to equal steps first, since a step is a row to the model"
            facts.append(Fact("irregular steps", part.irregular / every, Kind.SHARE, IRREGULAR, remedy))
        remedy = "forecast differences or logarithms if the series grow, and look for wrong values"
        largest = max(float(np.abs(values).max()) for values in (steps.inputs, steps.targets))
        facts.append(Fact("largest value in standard units", largest, Kind.MEAN, FAR, remedy))
        for name, errors in self._errors(split).items():
            facts += [
                Fact(f"{name} forecast, {metric.name}", metric.of_errors(errors), Kind.METRIC)
                for metric in metrics_of_task(self)
            ]
        return tuple(fact for fact in facts if fact.value or fact.kind is not Kind.COUNT)

    def _errors(self, split: Split) -> dict[str, Floats]:
        """Return the errors (N, W) of two forecasts that need no training: the last value, and the mean, 0."""
        steps = self._steps[split]
        return {
            "naive": self._naive_errors(split),
            "mean": steps.targets[steps.loss_mask > 0].astype(np.float64),
        }

    def _naive_errors(self, split: Split) -> Floats:
        """Return targets minus the last values of the steps that count, (N, W)."""
        steps = self._steps[split]
        counted = steps.loss_mask > 0
        now = steps.inputs[counted][:, self._targets].astype(np.float64)
        errors: Floats = steps.targets[counted].astype(np.float64) - now
        return errors

    @cached_property
    def _time(self) -> str | None:
        """Name of the time column."""
        if self.time is not None:
            return self.time
        ignore = _listed(self.ignore)
        return date_column(Path(self.data), self.group, ignore, decimal=self.decimal, header=self.header)

    @cached_property
    def _rows(self) -> Rows:
        path = Path(self.data)
        texts = [_FORMAT, *map(repr, (self._time, self.group, self.ignore, self.decimal, self.header))]
        key = key_of([*texts, path.suffix.lower(), checksum_of(path)])
        ignore = _listed(self.ignore)
        return read_rows(path, self._time, self.group, ignore, self.decimal, self.header, key)

    @cached_property
    def _targets(self) -> npt.NDArray[np.int64]:
        """Places of the targets among the columns."""
        names = self._rows.names
        chosen = names if self.targets is None else _listed(self.targets)
        for name in chosen:
            if name not in names:
                raise TaskError(
                    f"task 'series': targets has {shown(name)}; the columns of numbers are "
                    f"{', '.join(map(shown, names[:20]))}"
                )
        return np.array([names.index(name) for name in dict.fromkeys(chosen)], np.int64)

    @cached_property
    def _parts(self) -> Mapping[Split, Part]:
        where = f"data = {self.data!r}"
        by_group = self.split == "group" or (self.split is None and self.group is not None)
        if by_group:
            splits = splits_by_group(where, self._rows, self.validation, self.test)
        else:
            splits = splits_by_time(self._rows, self.validation, self.test)
        return parts_of(where, self._rows, splits, self.horizon, Missing(self.missing))

    @cached_property
    def _constant(self) -> npt.NDArray[np.bool_]:
        """Mask of the columns that are constant in the training rows, up to rounding."""
        values = self._parts[Split.TRAIN].values
        found: npt.NDArray[np.bool_] = values.std(axis=0) <= 1e-12 * np.abs(values).max(axis=0)
        return found

    @cached_property
    def _steps(self) -> Mapping[Split, Steps]:
        values = self._parts[Split.TRAIN].values
        unusable = [shown(self._rows.names[place]) for place in self._targets if self._constant[place]]
        if unusable:
            raise TaskError(
                f"data = {self.data!r}: {', '.join(unusable[:5])} is constant in the training rows, so it has no "
                "standard unit; leave it out of `targets`"
            )
        centre, scale = values.mean(axis=0), np.where(self._constant, 1.0, values.std(axis=0))
        steps = {split: part.steps(self.horizon, self._targets, centre, scale) for split, part in self._parts.items()}
        for split, each in steps.items():
            each.inputs[:, self._constant] = 0.0
            if not each.loss_mask.any():
                raise TaskError(f"data = {self.data!r}: no target of {split} is known; fill missing values in")
            for array in (each.inputs, each.targets, each.loss_mask, each.lengths):
                array.flags.writeable = False
        return steps


def _listed(names: str | None) -> tuple[str, ...]:
    """Return names that are written with commas between them."""
    return () if names is None else tuple(name.strip() for name in names.split(",") if name.strip())


def _check_word(name: str, value: object, known: Sequence[str | None]) -> None:
    """Raise `TaskError` unless a parameter is one of the known words."""
    if value not in known:
        words = ", ".join("none" if word is None else repr(str(word)) for word in known)
        raise TaskError(f"task 'series': {name} = {value!r}, but it must be one of {words}")
