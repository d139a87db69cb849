"""Drawing of a cell as plain text: trees that descend from each new state to what it is computed from."""

import io

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from search.cells.drawing.diagram import MINUS, Kind, Part, Port, formula_diagram

_WIDTH = 10_000  # no wrapping: the terminal does that
_WORDS = {Kind.SUM: "+", Kind.COMPLEMENT: f"1 {MINUS}"}
_LEAVES = (Kind.INPUT, Kind.STATE, Kind.VECTOR, Kind.NUMBER)


def draw_tree(formula: str) -> str:
    """Return the diagram of the cell in a formula as text, one tree for each new state and each named value.

    The parts and labels are those of `search.cells.drawing.picture`, the names those of the formula. Raises
    `FormulaError`.
    """
    console = Console(file=io.StringIO(), width=_WIDTH, emoji=False)
    with console.capture() as captured:
        console.print(*_Forest(formula_diagram(formula)).trees(), sep="\n", soft_wrap=True)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


class _Forest:
    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts
        reads = [port.source for part in parts for port in part.ports]
        self.names: dict[int, str] = {}
        for number, part in enumerate(parts):
            if part.kind in _LEAVES:
                self.names[number] = part.label
            elif part.kind is not Kind.OUTPUT and (part.name or reads.count(number) > 1):
                self.names[number] = part.name or f"#{number}"
        for part in reversed(parts):  # new values are named with a prime, a shared one after the first of its states
            if part.kind is Kind.OUTPUT and parts[part.ports[0].source].kind not in _LEAVES:
                self.names[part.ports[0].source] = f"{part.label}'"

    def trees(self) -> list[Tree]:
        wanted = [part.ports[0].source for part in self.parts if part.kind is Kind.OUTPUT]
        found: dict[int, Tree] = {}
        trees = [  # new values that are a state, the input, or another state's new value
            Tree(Text(f"{part.label}' = {self.names[part.ports[0].source]}"))
            for part in self.parts
            if part.kind is Kind.OUTPUT and self.names[part.ports[0].source] != f"{part.label}'"
        ]
        while wanted:
            number = wanted.pop(0)
            part = self.parts[number]
            if number in found or part.kind in _LEAVES:
                continue
            if len(part.ports) > 1:
                found[number] = Tree(Text(f"{self.names[number]} = {_words(part)}"))
                self._grow(found[number], part, wanted)
                continue
            words, end = self._line(part.ports[0])
            found[number] = Tree(Text(" ".join([self.names[number], "=", _words(part), *words])))
            if end in self.names:
                wanted.append(end)
            else:
                self._grow(found[number], self.parts[end], wanted)
        return [*trees, *found.values()]

    def _grow(self, tree: Tree, part: Part, wanted: list[int]) -> None:
        for port in part.ports:
            words, end = self._line(port)
            branch = tree.add(Text(" ".join(words)))
            if end in self.names:
                wanted.append(end)
            else:
                self._grow(branch, self.parts[end], wanted)

    def _line(self, port: Port) -> tuple[list[str], int]:
        """Return a line in words, back to the first part with a name or several inputs, and that part."""
        words, end = _labels(port), port.source
        while end not in self.names:
            part = self.parts[end]
            words.append(_words(part))
            if len(part.ports) > 1:
                return words, end
            words += _labels(part.ports[0])
            end = part.ports[0].source
        return [*words, self.names[end]], end


def _words(part: Part) -> str:
    """Return the words for what a part does with the lines below it."""
    return (
        f"{part.label} +" if part.kind is Kind.ACTIVATION and len(part.ports) > 1 else _WORDS.get(part.kind, part.label)
    )


def _labels(port: Port) -> list[str]:
    """Return the labels of a line, the last factor first as in a matrix product."""
    return [*([MINUS] if port.minus else []), *reversed(port.factors)]
