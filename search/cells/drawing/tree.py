"""A picture of a cell in words: its diagram as trees, from each new state down to what it is made of."""

import io

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from search.cells.drawing.diagram import MINUS, Kind, Part, Port, formula_diagram


def picture(formula: str) -> str:
    """Trees of what `search.cells.drawing.picture` draws, one for each new state and for each value that is read again.

    Everything is called as in the formula. Raises `FormulaError`.
    """
    console = Console(file=io.StringIO(), width=_WIDTH)
    with console.capture() as captured:
        console.print(*_Picture(formula_diagram(formula)).trees(), sep="\n", soft_wrap=True)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


_WIDTH = 10_000  # lines are never broken: the terminal does that

_WORDS = {Kind.SUM: "+", Kind.COMPLEMENT: f"1 {MINUS}"}


class _Picture:
    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts
        reads = [port.source for part in parts for port in part.ports]
        self.names: dict[int, str] = {}
        for number, part in enumerate(parts):
            if part.kind in (Kind.INPUT, Kind.STATE):
                self.names[number] = part.label
            elif part.kind is not Kind.OUTPUT and (part.name or reads.count(number) > 1):
                self.names[number] = part.name or f"#{number}"
        for part in parts:  # a new state is called by its prime wherever else it is read
            if part.kind is Kind.OUTPUT and parts[part.ports[0].source].kind not in (Kind.INPUT, Kind.STATE):
                self.names[part.ports[0].source] = f"{part.label}'"

    def trees(self) -> list[Tree]:
        wanted = [part.ports[0].source for part in self.parts if part.kind is Kind.OUTPUT]
        found: dict[int, Tree] = {}
        trees = [  # a state that is handed on as it came, or shares another's new value
            Tree(Text(f"{part.label}' = {self.names[part.ports[0].source]}"))
            for part in self.parts
            if part.kind is Kind.OUTPUT and self.names[part.ports[0].source] != f"{part.label}'"
        ]
        while wanted:
            number = wanted.pop(0)
            part = self.parts[number]
            if number in found or part.kind in (Kind.INPUT, Kind.STATE):
                continue
            if len(part.ports) > 1:
                found[number] = Tree(Text(f"{self.names[number]} = {_said(part)}"))
                self._grow(found[number], part, wanted)
                continue
            words, end = self._line(part.ports[0])
            found[number] = Tree(Text(" ".join([self.names[number], "=", _said(part), *words])))
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
        """A line in words, as far back as nothing joins it; and where that ends: what has a name, or several inputs."""
        words, end = _labels(port), port.source
        while end not in self.names:
            part = self.parts[end]
            words.append(_said(part))
            if len(part.ports) > 1:
                return words, end
            words += _labels(part.ports[0])
            end = part.ports[0].source
        return [*words, self.names[end]], end


def _said(part: Part) -> str:
    """What a part does with the lines below it."""
    return (
        f"{part.label} +" if part.kind is Kind.ACTIVATION and len(part.ports) > 1 else _WORDS.get(part.kind, part.label)
    )


def _labels(port: Port) -> list[str]:
    """The last matrix first, as in a product."""
    return [*([MINUS] if port.minus else []), *reversed(port.matrices)]
