"""LLVM text of the packing of matrices into panels, the layout in which the matrix product reads its right matrix.

Weights are packed anew in each training step, forward and backward, and a small model has few steps to use them in.
So whole vectors are copied. A matrix whose columns are contiguous is read in squares, which are transposed in registers
by exchanging ever larger blocks of two rows (Eklundh, "A fast computer method for matrix transposing", 1972).
"""

from search.kernels.codegen.function import InnerFunction
from search.kernels.codegen.host import Host

PACK = "gatesearch_pack"
"""pack(count, K, N, panels, row_stride, column_stride, weight, packed): write each (K, N) matrix as panels of K rows.

Element (k, n) of a matrix is at k * row_stride + n * column_stride; one of the strides is 1. Columns beyond N are zero.
"""


def pack_text(host: Host, panel_columns: int) -> str:
    """Return the function `PACK`; the declarations are those of `gemm.masks_text`."""
    parameters = [f"i64 %{name}" for name in ("count", "K", "N", "panels", "row_stride", "column_stride")]
    f = _Pack(PACK, (*parameters, "ptr %weight", "ptr %packed"), host)
    size, panel_size = f.multiply("%K", "%N"), f.multiply("%K", str(panel_columns))
    by_rows = f.value(f"zext i1 {f.value('icmp eq i64 %column_stride, 1')} to i64")
    by_columns = f.value(f"sub i64 1, {by_rows}")
    with f.loop(f.multiply("%count", "%panels")) as panel:
        matrix, place = (f.value(f"{op} i64 {panel.counter}, %panels") for op in ("udiv", "urem"))
        source, target = (
            f.at("%weight", f.multiply(matrix, size)),
            f.at("%packed", f.multiply(panel.counter, panel_size)),
        )
        first = f.multiply(place, str(panel_columns))
        for half in range(0, panel_columns, host.width):
            column = f.value(f"add i64 {first}, {half}")
            with f.loop(by_rows):
                f.rows(source, column, f.at(target, str(half)), panel_columns)
            with f.loop(by_columns):
                f.columns(source, column, f.at(target, str(half)), panel_columns)
    return f.text().replace("define internal i64", "define void").replace("ret i64 0", "ret void")


class _Pack(InnerFunction):
    """Function that copies a vector of columns of a panel, from a row of the source on or from a column on."""

    def rows(self, source: str, column: str, target: str, panel_columns: int) -> None:
        """Copy columns from `column` on, of contiguous rows, to rows of the target."""
        mask = self._first_lanes(self._left("%N", column))
        with self.loop("%K") as row:
            at = self.at(self.at(source, self.multiply(row.counter, "%row_stride")), column)
            to = self.at(target, self.multiply(row.counter, str(panel_columns)))
            self.store(self.vector, self._masked_load(at, mask), to)

    def columns(self, source: str, column: str, target: str, panel_columns: int) -> None:
        """Copy columns from `column` on, each of them contiguous, to rows of the target."""
        columns = self._left("%N", column)
        with self.loop("%K", self.width) as square:
            rows = self._left("%K", square.counter)
            mask = self._first_lanes(rows)
            read = []
            for n in range(self.width):
                inside = self.value(f"icmp ult i64 {n}, {columns}")
                chosen = self.value(f"select i1 {inside}, {self._mask} {mask}, {self._mask} zeroinitializer")
                offset = self.multiply(self.value(f"add i64 {column}, {n}"), "%column_stride")
                read.append(self._masked_load(self.at(self.at(source, offset), square.counter), chosen))
            for k, value in enumerate(self._transposed(read)):
                row = self.value(f"add i64 {square.counter}, {k}")
                to = self.at(target, self.multiply(row, str(panel_columns)))
                inside = self.value(f"icmp ult i64 {k}, {rows}")
                ones = f"<{', '.join(['i1 1'] * self.width)}>"
                chosen = self.value(f"select i1 {inside}, {self._mask} {ones}, {self._mask} zeroinitializer")
                self.lines.append(
                    f"  call void @llvm.masked.store.v{self.width}f32.p0({self.vector} {value}, ptr {to}, i32 4, "
                    f"{self._mask} {chosen})"
                )

    def _transposed(self, rows: list[str]) -> list[str]:
        block = 1
        while block < self.width:
            lanes = range(self.width)
            first = [lane if not lane & block else self.width + lane - block for lane in lanes]
            second = [lane + block if not lane & block else self.width + lane for lane in lanes]
            found = list(rows)
            for i in lanes:
                if not i & block:
                    found[i] = self._shuffled(rows[i], rows[i + block], first)
                    found[i + block] = self._shuffled(rows[i], rows[i + block], second)
            rows = found
            block *= 2
        return rows

    def _shuffled(self, a: str, b: str, lanes: list[int]) -> str:
        chosen = f"<{', '.join(f'i32 {lane}' for lane in lanes)}>"
        return self.value(f"shufflevector {self.vector} {a}, {self.vector} {b}, <{self.width} x i32> {chosen}")

    @property
    def _mask(self) -> str:
        return f"<{self.width} x i1>"

    def _left(self, count: str, first: str) -> str:
        """Return how many of `count` are left from `first` on, 0 if it is beyond."""
        left = self.value(f"sub i64 {count}, {first}")
        some = self.value(f"icmp sgt i64 {left}, 0")
        return self.value(f"select i1 {some}, i64 {left}, i64 0")

    def _first_lanes(self, count: str) -> str:
        integers = f"<{self.width} x i64>"
        one = self.value(f"insertelement {integers} poison, i64 {count}, i64 0")
        counts = self.value(f"shufflevector {integers} {one}, {integers} poison, <{self.width} x i32> zeroinitializer")
        lanes = f"<{', '.join(f'i64 {n}' for n in range(self.width))}>"
        return self.value(f"icmp ult {integers} {lanes}, {counts}")

    def _masked_load(self, address: str, mask: str) -> str:
        return self.value(
            f"call {self.vector} @llvm.masked.load.v{self.width}f32.p0(ptr {address}, i32 4, {self._mask} {mask}, "
            f"{self.vector} zeroinitializer)"
        )
