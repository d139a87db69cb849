"""LLVM text of readout and loss: from the last layer's outputs to the loss and its gradients, or to a score.

The rows in the loss mask are processed in blocks, so that logits and errors stay in a fast cache and a large vocabulary
takes no more memory than a small one. A block takes one product, the loss, and in training three more products. The
gradient of the logits overwrites them, and there is no one-hot matrix.

Legend: R rows of a block, H units, V symbols or notes, S and W: H and V rounded up to whole vectors.
"""

from search.kernels.codegen.function import Function
from search.kernels.codegen.gather import GATHER, SCATTER
from search.kernels.codegen.gemm import GEMM, panel_columns
from search.kernels.codegen.host import Host

LOSS_FUNCTIONS = {
    (multi_label, train): f"gatesearch_{'multi_label' if multi_label else 'symbols'}_{'train' if train else 'score'}"
    for multi_label in (False, True)
    for train in (False, True)
}
"""Names of the functions by (whether the output is multi-label, whether gradients are computed)."""

ARGUMENTS = (
    "count", "index", "outputs", "packed", "start", "targets", "gathered", "logits", "nats", "correct", "picked",
    "results", "R:i64", "H:i64", "V:i64", "W:i64", "all:i64",
)  # fmt: skip
"""Arguments of a score.

`count` and `index` are the number and the indices of the rows in the loss mask; `outputs` (T B, S) and `targets` are
those of all rows; `packed` holds the weights (H, V) in panels. `start` is a row of W numbers: the biases, and beyond V
minus infinity for symbols, any number for notes. `gathered` (R, S), `logits` (R, W) and `picked` (R) are scratch
memory. `nats` receives the nats of each row in the loss mask, and `correct`, by a score of symbols only, 1 or 0 for
each row; both have room for whole blocks of R rows. `results` receives the sum of nats as a double. R is a multiple of
the vector width, and `all` is T B.

If all rows are in the loss mask, they are read, and their gradients written, where they are. Otherwise those in the
mask are gathered.
"""

TRAINING_ARGUMENTS = (*ARGUMENTS, "packed.back", "inverse", "zeros", "one", "d.outputs", "d.readout", "d.bias")
"""Arguments of training: those of a score, then weights (V, H) in panels, 1 / B, a row of zeros, and the number 1.

The gradients of the outputs are written to `d.outputs` (T B, S), zeros for rows that are not in the loss mask; those of
weights (V, H) and biases (W) are added to `d.readout` and `d.bias`.
"""


def loss_text(host: Host) -> str:
    """Return the four functions of `LOSS_FUNCTIONS`."""
    width = host.width
    declarations = [
        f"declare float @llvm.vector.reduce.fmax.v{width}f32(<{width} x float>)",
        f"declare float @llvm.vector.reduce.fadd.v{width}f32(float, <{width} x float>)",
        f"declare i1 @llvm.vector.reduce.or.v{width}i1(<{width} x i1>)",
        f"declare <{width} x float> @llvm.fabs.v{width}f32(<{width} x float>)",
        f"declare <{width} x float> @llvm.masked.load.v{width}f32.p0(ptr, i32, <{width} x i1>, <{width} x float>)",
    ]
    return "\n".join([*declarations, *(_readout(host, *kind) for kind in LOSS_FUNCTIONS)])


def _readout(host: Host, multi_label: bool, train: bool) -> str:
    f = _Readout(LOSS_FUNCTIONS[multi_label, train], TRAINING_ARGUMENTS if train else ARGUMENTS, host)
    columns = panel_columns(host)
    total = f.load("i64", "%count")
    stride = f.value(f"and i64 {f.value(f'add i64 %H, {host.width - 1}')}, {-host.width}")  # S
    panel, panel_back = f.multiply("%H", str(columns)), f.multiply("%V", str(columns))
    f.scale = f.spread(f.load("float", "%inverse")) if train else ""
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
        by_row = f.at("%nats", block.counter), f.at("%correct", block.counter)
        if multi_label:
            added = f.multi_label_rows(rows, index, by_row[0], train)
        else:
            added = f.symbol_rows(rows, index, *by_row, train)
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

    def symbol_rows(self, rows: str, index: str, nats: str, correct: str, train: bool) -> str:
        """Add the softmax loss, which stores the nats of each row, and in a score whether it is correct.

        Returns:
            The sum of nats.
        """
        vector = self.vector
        with self.loop(rows) as row:
            logits = self.at("%logits", self.multiply(row.counter, "%W"))
            target = self.load("i64", self.at("%targets", self.load("i64", self.at(index, row.counter, "i64")), "i64"))
            with self.loop("%W", self.width) as part:
                best = part.carry(vector, self.constant(float("-inf")))
                x = self.load(vector, self.at(logits, part.counter))
                part.leave(best, self.where("ogt", x, best, x, best))
            top = self.value(f"call float @llvm.vector.reduce.fmax.v{self.width}f32({vector} {best})")
            chosen = self.load("float", self.at(logits, target))
            if not train:
                hit = self.value(f"uitofp i1 {self._hit(logits, target, top, chosen)} to float")
                self.store("float", hit, self.at(correct, row.counter))
            tops = self.spread(top)
            with self.loop("%W", self.width) as part:
                sums = part.carry(vector, "zeroinitializer")
                at = self.at(logits, part.counter)
                power = self.exp(self.binary("fsub", self.load(vector, at), tops))
                if train:
                    self.store(vector, power, at)
                part.leave(sums, self.binary("fadd", sums, power))
            total = self.total(sums)
            self.store("float", total, self.at(nats, row.counter))
            self.store("float", self.value(f"fsub float {chosen}, {top}"), self.at("%picked", row.counter))
            if train:
                factor = self.binary("fdiv", self.scale, self.spread(total))
                with self.loop("%W", self.width) as part:
                    at = self.at(logits, part.counter)
                    self.store(vector, self.binary("fmul", self.load(vector, at), factor), at)
                at = self.at(logits, target)
                one = self.value(f"extractelement {vector} {self.scale}, i64 0")
                self.store("float", self.value(f"fsub float {self.load('float', at)}, {one}"), at)
        return self._logarithms(rows, nats)

    def multi_label_rows(self, rows: str, index: str, nats: str, train: bool) -> str:
        """Add the loss of independent sigmoids, which stores the nats of each row.

        Returns:
            The sum of nats.
        """
        vector, masks = self.vector, f"<{self.width} x i1>"
        lanes = f"<{', '.join(f'i64 {n}' for n in range(self.width))}>"
        integers = f"<{self.width} x i64>"
        ends = self._spread_integer("%V")
        with self.loop(rows) as row:
            sum_of_nats = row.carry("double", "0.0")
            logits = self.at("%logits", self.multiply(row.counter, "%W"))
            number = self.load("i64", self.at(index, row.counter, "i64"))
            targets = self.at("%targets", self.multiply(number, "%V"))
            with self.loop("%W", self.width) as part:
                sums = part.carry(vector, "zeroinitializer")
                columns = self.value(f"add {integers} {self._spread_integer(part.counter)}, {lanes}")
                inside = self.value(f"icmp ult {integers} {columns}, {ends}")
                target = self.value(
                    f"call {vector} @llvm.masked.load.v{self.width}f32.p0(ptr {self.at(targets, part.counter)}, i32 4, "
                    f"{masks} {inside}, {vector} zeroinitializer)"
                )
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
            total = self.total(sums)
            self.store("float", total, self.at(nats, row.counter))
            wide = self.value(f"fpext float {total} to double")
            row.leave(sum_of_nats, self.value(f"fadd double {sum_of_nats}, {wide}"))
        return sum_of_nats

    def _hit(self, logits: str, target: str, top: str, chosen: str) -> str:
        """Return (as i1) whether the target's logit is the largest and no earlier symbol has the same one."""
        integers = f"<{self.width} x i64>"
        lanes = f"<{', '.join(f'i64 {n}' for n in range(self.width))}>"
        tops, ends = self.spread(top), self._spread_integer(target)
        with self.loop("%W", self.width) as part:
            seen = part.carry("i1", "0")
            columns = self.value(f"add {integers} {self._spread_integer(part.counter)}, {lanes}")
            before = self.value(f"icmp ult {integers} {columns}, {ends}")
            equal = self.value(
                f"fcmp oeq {self.vector} {self.load(self.vector, self.at(logits, part.counter))}, {tops}"
            )
            both = self.value(f"and <{self.width} x i1> {before}, {equal}")
            some = self.value(f"call i1 @llvm.vector.reduce.or.v{self.width}i1(<{self.width} x i1> {both})")
            part.leave(seen, self.value(f"or i1 {seen}, {some}"))
        largest = self.value(f"fcmp oeq float {chosen}, {top}")
        first = self.value(f"xor i1 {seen}, true")
        return self.value(f"and i1 {largest}, {first}")

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
