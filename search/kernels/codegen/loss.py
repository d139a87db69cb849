"""LLVM text of readout and loss: from the last layer's outputs to the loss and its gradients, or to a score.

The rows in the loss mask are processed in blocks, so that logits and errors stay in a fast cache and a large vocabulary
takes no more memory than a small one. A block takes one product, the loss, and in training three more products. The
gradient of the logits overwrites them, and there is no one-hot matrix.

Legend: R rows of a block, H units, V symbols or notes, S and W: H and V rounded up to whole vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from search.kernels.codegen.function import Function, Loop
from search.kernels.codegen.gather import GATHER, SCATTER
from search.kernels.codegen.gemm import GEMM, panel_columns
from search.kernels.codegen.host import Host

HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)

ARGUMENTS = (
    "count", "index", "outputs", "packed", "start", "targets", "gathered", "logits", "nats", "first", "second",
    "picked", "log.scale", "scales", "results", "R:i64", "H:i64", "V:i64", "W:i64", "all:i64",
)  # fmt: skip
"""Arguments of a score.

`count` and `index` are the number and the indices of the rows in the loss mask; `outputs` (T B, S) and `targets` are
those of all rows; `packed` holds the weights (H, V) in panels. `start` is a row of W numbers: the biases, and beyond V
minus infinity for symbols, any number for others. `gathered` (R, S), `logits` (R, W), `picked` (R) and `scales` (2, W)
are scratch memory. `log.scale` (V) are the logarithms of the learned scales, where the head has them. `nats` receives
the nats of each row in the loss mask. A score writes `first` and, for real values, `second`: the symbol with the
largest logit, as a float; or the sums of the squared and of the absolute errors. They have room for whole blocks of R
rows. `results` receives the sum of nats as a double. R is a multiple of the vector width, and `all` is T B.

If all rows are in the loss mask, they are read, and their gradients written, where they are. Otherwise those in the
mask are gathered.
"""

TRAINING_ARGUMENTS = (
    *ARGUMENTS, "packed.back", "inverse", "zeros", "one", "d.outputs", "d.readout", "d.bias", "d.scale",
)  # fmt: skip
"""Arguments of training: those of a score, then weights (V, H) in panels, 1 / B, a row of zeros, and the number 1.

The gradients of the outputs are written to `d.outputs` (T B, S), zeros for rows that are not in the loss mask; those of
weights (V, H), biases (W) and logarithms of scales (W) are added to `d.readout`, `d.bias` and `d.scale`.
"""


class Rows(NamedTuple):
    """Rows of a block: their number, the address of their numbers, and where their results go."""

    total: str
    numbers: str
    nats: str
    first: str
    second: str


@dataclass(frozen=True)
class Head:
    """Kind of output of a model, as readout and loss see it.

    Attributes:
        rows: adds the loss of the rows of a block, and returns the sum of their nats. In training it overwrites the
            logits by their gradients, in a score it writes what `ARGUMENTS` says.
        symbols: whether a target is one symbol, not V numbers.
        real: whether a score has the squared and absolute errors of each row.
        scaled: whether the model has a learned scale for each output.
    """

    rows: Callable[[_Readout, Rows, bool], str]
    symbols: bool = False
    real: bool = False
    scaled: bool = False


def loss_function(head: str, train: bool) -> str:
    """Return the name of the function of a head: a score, or training with gradients."""
    return f"gatesearch_{head.replace('-', '_')}_{'train' if train else 'score'}"


def loss_text(host: Host) -> str:
    """Return the functions of all heads, a score and training for each."""
    width = host.width
    declarations = [
        f"declare float @llvm.vector.reduce.fmax.v{width}f32(<{width} x float>)",
        f"declare float @llvm.vector.reduce.fadd.v{width}f32(float, <{width} x float>)",
        f"declare i64 @llvm.vector.reduce.umin.v{width}i64(<{width} x i64>)",
        f"declare <{width} x float> @llvm.fabs.v{width}f32(<{width} x float>)",
        f"declare <{width} x float> @llvm.masked.load.v{width}f32.p0(ptr, i32, <{width} x i1>, <{width} x float>)",
    ]
    return "\n".join([*declarations, *(_readout(host, name, train) for name in HEADS for train in (False, True))])


def _readout(host: Host, name: str, train: bool) -> str:
    head = HEADS[name]
    f = _Readout(loss_function(name, train), TRAINING_ARGUMENTS if train else ARGUMENTS, host)
    columns = panel_columns(host)
    total = f.load("i64", "%count")
    stride = f.value(f"and i64 {f.value(f'add i64 %H, {host.width - 1}')}, {-host.width}")  # S
    panel, panel_back = f.multiply("%H", str(columns)), f.multiply("%V", str(columns))
    f.scale = f.spread(f.load("float", "%inverse")) if train else ""
    if head.scaled:
        f.scale_rows()
    whole = f.value(f"icmp eq i64 {total}, %all")
    gathers = f.value(f"zext i1 {f.value(f'xor i1 {whole}, true')} to i64")
    if train:
        with f.loop(gathers), f.loop(f.multiply("%all", stride), host.width) as part:
            f.store(f.vector, "zeroinitializer", f.at("%d.outputs", part.counter))
    with f.loop(total, "%R") as block:
        nats = block.carry("double", "0.0")
        left = f.value(f"sub i64 {total}, {block.counter}")
        fits = f.value(f"icmp ult i64 {left}, %R")
        rows = f.value(f"select i1 {fits}, i64 {left}, i64 %R")
        index = f.at("%index", block.counter, "i64")
        with f.loop(gathers):
            f.rows(GATHER, rows, stride, index, "%outputs", "%gathered")
        first = f.multiply(block.counter, stride)
        source = f.value(f"select i1 {whole}, ptr {f.at('%outputs', first)}, ptr %gathered")
        f.product(rows, "%W", "%H", source, stride, "1", "%packed", panel, columns, "%start", "0", "%logits", "%W")
        by_row = (f.at(f"%{name}", block.counter) for name in ("nats", "first", "second"))
        added = head.rows(f, Rows(rows, index, *by_row), train)
        block.leave(nats, f.value(f"fadd double {nats}, {added}"))
        if train:
            f.product(
                "%V", "%H", rows, "%logits", "1", "%W", source, str(columns), stride, "%d.readout", "%H",
                "%d.readout", "%H",
            )  # fmt: skip
            f.product(
                "1", "%W", rows, "%one", "0", "0", "%logits", str(columns), "%W", "%d.bias", "%W", "%d.bias", "%W"
            )
            target = f.value(f"select i1 {whole}, ptr {f.at('%d.outputs', first)}, ptr %gathered")
            f.product(
                rows, stride, "%V", "%logits", "%W", "1", "%packed.back", panel_back, columns, "%zeros", "0",
                target, stride,
            )  # fmt: skip
            with f.loop(gathers):
                f.rows(SCATTER, rows, stride, index, "%d.outputs", "%gathered")
    f.store("double", nats, "%results")
    return f.text()


class _Readout(Function):
    """Builder of the loops over the rows of a block."""

    scale = ""  # 1 / B, as a vector

    def product(self, *arguments: object) -> None:
        """Add C = start + A @ B; arguments are those of `gemm.GEMM`."""
        kinds = ("i64",) * 3 + ("ptr", "i64", "i64") * 2 + ("ptr", "i64") * 2
        given = (f"{kind} {value}" for kind, value in zip(kinds, arguments, strict=True))
        self.call(f"{GEMM}{self.width}", *given)

    def rows(self, kernel: str, count: str, stride: str, index: str, table: str, rows: str) -> None:
        """Add a gather or scatter of `count` whole rows of `stride` floats."""
        self.call(
            f"{kernel}{self.width}", f"i64 {count}", f"i64 {stride}", f"ptr {index}", f"ptr {table}", f"i64 {stride}",
            f"ptr {rows}", f"i64 {stride}",
        )  # fmt: skip

    def symbol_rows(self, rows: Rows, train: bool) -> str:
        """Add the softmax loss, which stores the nats of each row, and in a score its most probable symbol."""
        vector = self.vector
        with self.loop(rows.total) as row:
            logits = self.at("%logits", self.multiply(row.counter, "%W"))
            number = self.load("i64", self.at(rows.numbers, row.counter, "i64"))
            target = self.load("i64", self.at("%targets", number, "i64"))
            with self.loop("%W", self.width) as part:
                best = part.carry(vector, self.constant(float("-inf")))
                x = self.load(vector, self.at(logits, part.counter))
                part.leave(best, self.where("ogt", x, best, x, best))
            top = self.value(f"call float @llvm.vector.reduce.fmax.v{self.width}f32({vector} {best})")
            chosen = self.load("float", self.at(logits, target))
            if not train:
                self.store("float", self._first(logits, top), self.at(rows.first, row.counter))
            tops = self.spread(top)
            with self.loop("%W", self.width) as part:
                sums = part.carry(vector, "zeroinitializer")
                at = self.at(logits, part.counter)
                power = self.exp(self.binary("fsub", self.load(vector, at), tops))
                if train:
                    self.store(vector, power, at)
                part.leave(sums, self.binary("fadd", sums, power))
            total = self.total(sums)
            self.store("float", total, self.at(rows.nats, row.counter))
            self.store("float", self.value(f"fsub float {chosen}, {top}"), self.at("%picked", row.counter))
            if train:
                factor = self.binary("fdiv", self.scale, self.spread(total))
                with self.loop("%W", self.width) as part:
                    at = self.at(logits, part.counter)
                    self.store(vector, self.binary("fmul", self.load(vector, at), factor), at)
                at = self.at(logits, target)
                one = self.value(f"extractelement {vector} {self.scale}, i64 0")
                self.store("float", self.value(f"fsub float {self.load('float', at)}, {one}"), at)
        return self._logarithms(rows.total, rows.nats)

    def multi_label_rows(self, rows: Rows, train: bool) -> str:
        """Add the loss of independent sigmoids, which stores the nats of each row."""
        vector, masks = self.vector, f"<{self.width} x i1>"
        with self.loop(rows.total) as row:
            sum_of_nats = row.carry("double", "0.0")
            logits, targets = self._of_row(rows, row)
            with self.loop("%W", self.width) as part:
                sums = part.carry(vector, "zeroinitializer")
                inside = self._inside(part)
                target = self._load_inside(self.at(targets, part.counter), inside)
                at = self.at(logits, part.counter)
                x = self.load(vector, at)
                size = self.value(f"call {vector} @llvm.fabs.v{self.width}f32({vector} {x})")
                small = self.exp(self.value(f"fneg {vector} {size}"))
                zero = self.constant(0.0)
                lost = self.binary("fsub", self.where("ole", x, zero, zero, x), self.binary("fmul", x, target))
                lost = self.binary("fadd", lost, self.log1p(small))
                lost = self.value(f"select {masks} {inside}, {vector} {lost}, {vector} {zero}")
                part.leave(sums, self.binary("fadd", sums, lost))
                if train:
                    above = self.where("ole", x, zero, small, self.constant(1.0))
                    below = self.binary("fadd", small, self.constant(1.0))
                    error = self.binary("fsub", self.binary("fdiv", above, below), target)
                    error = self.binary("fmul", error, self.scale)
                    self.store(vector, self.value(f"select {masks} {inside}, {vector} {error}, {vector} {zero}"), at)
            self._end_row(row, rows, sum_of_nats, sums)
        return sum_of_nats

    def real_rows(self, rows: Rows, train: bool, scaled: bool) -> str:
        """Add the loss of real values, which stores the nats of each row, and in a score its errors.

        The loss is that of normal distributions, z^2 / 2 + ln scale + ln(2 pi) / 2 with z = error / scale; without
        scales it is half the squared error.
        """
        vector, half = self.vector, self.constant(0.5)
        with self.loop(rows.total) as row:
            sum_of_nats = row.carry("double", "0.0")
            logits, targets = self._of_row(rows, row)
            with self.loop("%W", self.width) as part:
                sums = part.carry(vector, "zeroinitializer")
                errors = [part.carry(vector, "zeroinitializer") for _ in range(0 if train else 2)]
                inside = self._inside(part)
                target = self._load_inside(self.at(targets, part.counter), inside)
                at = self.at(logits, part.counter)
                error = self._only(inside, self.binary("fsub", self.load(vector, at), target))
                inverse = self.load(vector, self.at("%scales", part.counter)) if scaled else ""
                z = self.binary("fmul", error, inverse) if scaled else error
                square = self.binary("fmul", z, z)
                lost = self.binary("fmul", square, half)
                if scaled:
                    constant = self.at("%scales", self.value(f"add i64 {part.counter}, %W"))
                    lost = self.binary("fadd", lost, self.load(vector, constant))
                part.leave(sums, self.binary("fadd", sums, lost))
                if train:
                    d_error = self.binary("fmul", z, self.scale)
                    self.store(vector, self.binary("fmul", d_error, inverse) if scaled else d_error, at)
                else:
                    size = self.value(f"call {vector} @llvm.fabs.v{self.width}f32({vector} {error})")
                    part.leave(errors[0], self.binary("fadd", errors[0], self.binary("fmul", error, error)))
                    part.leave(errors[1], self.binary("fadd", errors[1], size))
                if train and scaled:
                    to = self.at("%d.scale", part.counter)
                    change = self.binary("fmul", self.binary("fsub", self.constant(1.0), square), self.scale)
                    self.store(vector, self.binary("fadd", self.load(vector, to), self._only(inside, change)), to)
            for address, error in zip((rows.first, rows.second), errors, strict=False):
                self.store("float", self.total(error), self.at(address, row.counter))
            self._end_row(row, rows, sum_of_nats, sums)
        return sum_of_nats

    def scale_rows(self) -> None:
        """Add the two rows of `scales`: 1 / scale, and ln scale + ln(2 pi) / 2; both 0 beyond V."""
        with self.loop("%W", self.width) as part:
            inside = self._inside(part)
            logarithm = self._load_inside(self.at("%log.scale", part.counter), inside)
            inverse = self.exp(self.value(f"fneg {self.vector} {logarithm}"))
            self.store(self.vector, self._only(inside, inverse), self.at("%scales", part.counter))
            constant = self.binary("fadd", logarithm, self.constant(HALF_LOG_2_PI))
            to = self.at("%scales", self.value(f"add i64 {part.counter}, %W"))
            self.store(self.vector, self._only(inside, constant), to)

    def _of_row(self, rows: Rows, row: Loop) -> tuple[str, str]:
        """Return the addresses of the logits (W) and of the targets (V) of a row."""
        logits = self.at("%logits", self.multiply(row.counter, "%W"))
        number = self.load("i64", self.at(rows.numbers, row.counter, "i64"))
        return logits, self.at("%targets", self.multiply(number, "%V"))

    def _end_row(self, row: Loop, rows: Rows, sum_of_nats: str, sums: str) -> None:
        """Store the nats of a row, and add them to the sum that the loop carries."""
        total = self.total(sums)
        self.store("float", total, self.at(rows.nats, row.counter))
        wide = self.value(f"fpext float {total} to double")
        row.leave(sum_of_nats, self.value(f"fadd double {sum_of_nats}, {wide}"))

    def _inside(self, part: Loop) -> str:
        """Return which columns of a vector are below V."""
        integers = f"<{self.width} x i64>"
        columns = self.value(f"add {integers} {self._spread_integer(part.counter)}, {self._lanes}")
        return self.value(f"icmp ult {integers} {columns}, {self._spread_integer('%V')}")

    def _load_inside(self, address: str, inside: str) -> str:
        """Return the vector at an address with zeros beyond V, where nothing is read."""
        return self.value(
            f"call {self.vector} @llvm.masked.load.v{self.width}f32.p0(ptr {address}, i32 4, "
            f"<{self.width} x i1> {inside}, {self.vector} zeroinitializer)"
        )

    def _only(self, inside: str, value: str) -> str:
        """Return a vector with zeros beyond V."""
        masks = f"<{self.width} x i1>"
        return self.value(f"select {masks} {inside}, {self.vector} {value}, {self.vector} zeroinitializer")

    @property
    def _lanes(self) -> str:
        return f"<{', '.join(f'i64 {n}' for n in range(self.width))}>"

    def _first(self, logits: str, top: str) -> str:
        """Return (as a float) the first symbol whose logit is the largest."""
        integers, masks = f"<{self.width} x i64>", f"<{self.width} x i1>"
        tops = self.spread(top)
        with self.loop("%W", self.width) as part:
            firsts = part.carry(integers, self._all_integers(_NO_SYMBOL))
            columns = self.value(f"add {integers} {self._spread_integer(part.counter)}, {self._lanes}")
            x = self.load(self.vector, self.at(logits, part.counter))
            equal = self.value(f"fcmp oeq {self.vector} {x}, {tops}")
            found = self.value(f"select {masks} {equal}, {integers} {columns}, {integers} {firsts}")
            earlier = self.value(f"icmp ult {integers} {found}, {firsts}")
            part.leave(firsts, self.value(f"select {masks} {earlier}, {integers} {found}, {integers} {firsts}"))
        first = self.value(f"call i64 @llvm.vector.reduce.umin.v{self.width}i64({integers} {firsts})")
        return self.value(f"uitofp i64 {first} to float")

    def _all_integers(self, number: int) -> str:
        return f"<{', '.join([f'i64 {number}'] * self.width)}>"

    def _logarithms(self, rows: str, sums: str) -> str:
        """Overwrite the sum of each row by its nats, ln(sum) - picked, and return the sum of nats."""
        rounded = self.value(f"add i64 {rows}, {self.width - 1}")
        rounded = self.value(f"and i64 {rounded}, {-self.width}")
        with self.loop(rounded, start=rows) as rest:
            self.store("float", "1.0", self.at(sums, rest.counter))
            self.store("float", "0.0", self.at("%picked", rest.counter))
        with self.loop(rounded, self.width) as part:
            nats = part.carry("double", "0.0")
            at = self.at(sums, part.counter)
            lost = self.binary(
                "fsub", self.log(self.load(self.vector, at)), self.load(self.vector, self.at("%picked", part.counter))
            )
            self.store(self.vector, lost, at)
            wide = self.value(f"fpext float {self.total(lost)} to double")
            part.leave(nats, self.value(f"fadd double {nats}, {wide}"))
        return nats

    def _spread_integer(self, number: str) -> str:
        integers = f"<{self.width} x i64>"
        first = self.value(f"insertelement {integers} poison, i64 {number}, i64 0")
        return self.value(f"shufflevector {integers} {first}, {integers} poison, <{self.width} x i32> zeroinitializer")


_NO_SYMBOL = 1 << 24
"""Number above all symbols. It is what a score finds if all logits are NaN; a float holds it exactly."""

HEADS: Mapping[str, Head] = {
    "symbols": Head(_Readout.symbol_rows, symbols=True),
    "multi-label": Head(_Readout.multi_label_rows),
    "gaussian": Head(lambda f, rows, train: f.real_rows(rows, train, scaled=True), real=True, scaled=True),
    "squared-error": Head(lambda f, rows, train: f.real_rows(rows, train, scaled=False), real=True),
}
"""Every head by its name, that of the kind of output."""
