"""Formulas: each denotes exactly one cell, printing round-trips, and any other text is rejected without being run."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.cells.errors import CellError, FormulaError
from search.cells.graph import MAX_NODES, GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.notation.formula import MAX_CHARACTERS, format_formula, format_graph, parse_formula
from search.cells.operations import Node, Op
from tests.test_search.test_cells.shapes import MUTANTS, graphs, isomorphic, mutants, renumbered
from tests.test_search.test_cells.vocabulary import sprinkled

# --- Text to graph


def test_a_formula_is_read_as_the_graph_that_it_says() -> None:
    graph = parse_formula(
        "# a comment\n\nr = sigm(linear(x, 0.9, bias=-1) + linear(h))\n  c' = relu(c) - r # more\nh' = c' * r"
    )
    assert graph == GateGraph(
        (
            Node(Op.INPUT),
            Node(Op.LINEAR, (0,), identity=0.9, bias=-1.0),
            Node(Op.STATE),
            Node(Op.LINEAR, (2,)),
            Node(Op.ADD, (1, 3)),
            Node(Op.SIGMOID, (4,)),
            Node(Op.STATE, state=1),
            Node(Op.RELU, (6,)),
            Node(Op.SUB, (7, 5)),
            Node(Op.MUL, (8, 5)),
        ),
        (9, 8),
    )


SAME = {
    "sigm is sigmoid": ("h' = sigm(x + h)", "h' = sigmoid(x + h)"),
    "operators bind as in arithmetic": ("h' = x - h - x * h + h", "h' = ((x - h) - (x * h)) + h"),
    "products bind from the left": ("h' = x * h * tanh(x)", "h' = (x * h) * tanh(x)"),
    "brackets count": ("h' = x - (h - relu(x))", "t = h - relu(x)\nh' = x - t"),
    "the identity's factor by place or by name": ("h' = linear(x, 0.9) + h", "h' = linear(x, identity=9e-1) + h"),
    "signs before numbers": ("h' = linear(x, --1, bias=-2) + h", "h' = linear(x, 1.0, bias=-2.0) + h"),
    "names of any kind": ("Gate_1 = tanh(x)\nh' = Gate_1 * h", "h' = tanh(x) * h"),
    "a name that looks like Python's private ones": ("a__new = x * h\nh' = tanh(a__new)", "h' = tanh(x * h)"),
    "a name that is a keyword to Python, primed": ("is' = x\nh' = tanh(is') * h", "h' = tanh(x) * h"),
    "an old and a new value": ("c' = c + x\nh' = c - c'", "n = c + x\nh' = c - n\nc' = n"),
    "windows line ends": ("c' = x\r\nh' = c * h\r\n", "c' = x\nh' = c * h"),
    "spaces before a prime's equals sign": ("h'=x+h", "  h'   =   x   +   h  "),
    "(1 - z) * n": ("h' = (1 - h) * x", "h' = x - h * x"),
    "n * (1 - z)": ("h' = x * (1 - h)", "h' = x - h * x"),
    "1 - z with a name": ("z = sigmoid(x)\nk = 1 - z\nh' = k * h", "z = sigmoid(x)\nh' = h - z * h"),
    "1 - z used twice": ("k = 1 - h\nh' = k * x + k * tanh(x)", "h' = (x - h * x) + (tanh(x) - h * tanh(x))"),
    "1 - (1 - z)": ("h' = tanh(1 - (1 - h)) + x", "h' = tanh(h) + x"),
    "1 - a sum": ("h' = (1.0 - x + h) * x".replace("1.0 - x + h", "1.0 - (x + h)"), "h' = x - (x + h) * x"),
    "1 * z": ("h' = 1 * tanh(h) + x", "h' = tanh(h) + x"),
    "a product with 1 - z as a factor": ("h' = (1 - h) * x * tanh(x)", "h' = (x - h * x) * tanh(x)"),
}


@pytest.mark.parametrize("case", SAME)
def test_two_spellings_say_one_cell(case: str) -> None:
    a, b = (parse_formula(text) for text in SAME[case])
    assert a.id == b.id
    assert isomorphic(a.canonical(), b.canonical())


DIFFERENT = {
    "a shared matrix and two": ("m = linear(x)\nh' = m * m + h", "h' = linear(x) * linear(x) + h"),
    "(1 - z) * n and 1 - z the other way": ("h' = (1 - h) * x", "h' = h * x - x"),
    "old and new state": ("c' = tanh(x)\nh' = c + h", "c' = tanh(x)\nh' = c' + h"),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_two_meanings_are_two_cells(case: str) -> None:
    a, b = (parse_formula(text) for text in DIFFERENT[case])
    assert a.id != b.id


# --- Graph to text and back


def assert_round_trip(graph: GateGraph) -> None:
    text = format_formula(graph)
    again = parse_formula(text)
    assert again.id == graph.id, text
    assert format_formula(again) == text
    as_it_stands = parse_formula(format_graph(graph))
    assert as_it_stands.id == graph.id, format_graph(graph)
    assert len(text) <= MAX_CHARACTERS


@pytest.mark.parametrize("name", STUDY)
def test_named_cells_round_trip(name: str) -> None:
    assert_round_trip(parse_formula(LIBRARY[name].formula))


def test_mutants_round_trip() -> None:
    rng = np.random.default_rng(8)
    for graph in mutants(rng, MUTANTS):
        assert_round_trip(renumbered(graph, rng))


def test_mutants_with_every_operation_round_trip() -> None:
    rng = np.random.default_rng(9)
    for graph in mutants(rng, MUTANTS):
        assert_round_trip(sprinkled(graph, rng))


@pytest.mark.parametrize("number", [0.1, 0.5, 2.0, 1.0])
def test_a_number_less_many_terms_stays_a_factor_when_it_is_read_again(number: float) -> None:
    terms = f"({number} - linear(x) - linear(h) - tanh(x) - relu(h))"
    for formula in (f"h' = tanh(x * {terms})", f"h' = x * {terms} * c\nc' = tanh(c - x * {terms})"):
        assert_round_trip(parse_formula(formula))


@settings(max_examples=MUTANTS, deadline=None, database=None, derandomize=True)
@given(graphs())
def test_any_graph_round_trips(graph: GateGraph) -> None:
    assert_round_trip(graph)


def test_the_largest_graphs_print_short_enough_to_be_read_again() -> None:
    number = -1.2345678901234567e-100
    chain = [Node(Op.LINEAR, (i,), identity=number * (1 + i / 999), bias=number) for i in range(MAX_NODES - 1)]
    assert_round_trip(GateGraph((Node(Op.INPUT), *chain), (MAX_NODES - 1,)))
    mixed = [Node((Op.SUB, Op.MUL, Op.ADD)[i % 3], (i, i + 1)) for i in range(MAX_NODES - 2)]
    assert_round_trip(GateGraph((Node(Op.INPUT), Node(Op.STATE), *mixed), (MAX_NODES - 1,)))


def test_printed_formulas_read_like_their_authors_would_write_them() -> None:
    assert format_formula(LIBRARY["tanh"].graph) == "h' = tanh(linear(x) + linear(h))"
    lines = format_formula(LIBRARY["lstm"].graph).splitlines()
    assert [line.split(" = ")[0] for line in lines] == ["g1", "g2", "c'", "g3", "h'"]
    assert format_graph(parse_formula("c' = h\nd' = c'\nh' = x - (c - d) * (d + c)")) == (
        "h' = x - (c - c2) * (c2 + c)\nc' = h\nc2' = h"
    )


# --- Refusals

REFUSED = {
    "empty": ("", "the formula is empty; it needs at least a line for the output, such as h' = tanh(linear(x))"),
    "only comments": ("# h' = x\n \n", "the formula is empty"),
    "no assignment": ("h' = x\ntanh(x)", "line 2: 'tanh(x)' is not of the form NAME = EXPRESSION"),
    "a comparison": ("h' == x", 'line 1: "h\' == x" is not of the form'),
    "two primes": ("h'' = x", "line 1: \"h'' = x\" is not of the form"),
    "an underscore first": ("_a = x\nh' = x", "line 1: '_a = x' is not of the form"),
    "a list on the left": ("a, b = x\nh' = x", "line 1: 'a, b = x' is not of the form"),
    "nothing assigned": ("h' = # later", "line 1: nothing follows the '='"),
    "no output": ("a = tanh(x)", "there is no line h' = ...; every cell computes its output h'"),
    "the input assigned": ("x = h\nh' = x", "line 1: 'x' cannot be assigned; it is the name of the input"),
    "the input primed": ("x' = h\nh' = x", "line 1: 'x' cannot be assigned; it is the name of the input"),
    "a function assigned": ("tanh = x\nh' = x", "line 1: 'tanh' cannot be assigned; it is the name of a function"),
    "a state without a prime": ("c = x\nc' = x\nh' = c", "line 1: 'c' is a state and cannot be assigned without"),
    "h without a prime": ("h = x", "line 1: 'h' is a state and cannot be assigned without a prime; write h' = ..."),
    "a name twice": ("a = x\na = h\nh' = a", "line 2: 'a' is assigned twice; each name has one line"),
    "a state twice": ("h' = x\n\nh' = h", 'line 3: "h\'" is assigned twice; each name has one line'),
    "an unknown name": ("h' = y", "line 1: 'y' is undefined; assign it on a line above"),
    "a name before its line": ("h' = a\na = x", "line 1: 'a' is undefined; assign it on a line above"),
    "a new state before its line": ("h' = c'\nc' = x", "line 1: \"c'\" is read before its line; put c' = ... above"),
    "a name read with a prime": ("a = x\nh' = a'", 'line 2: "a\'" is read before its line'),
    "an unknown function": (
        "h' = softmax(x)",
        "line 1: 'softmax' is not a function; the functions are leaky_relu, linear, norm, param",
    ),
    "two arguments": ("h' = tanh(x, h)", "line 1: tanh takes one value, not 2"),
    "no arguments": ("h' = relu()", "line 1: relu takes one value, not 0"),
    "a keyword": ("h' = tanh(v=x)", "line 1: tanh takes one value, not 1"),
    "linear of nothing": ("h' = linear()", "line 1: linear takes a value and optionally"),
    "linear of three": ("h' = linear(x, 1, 2)", "line 1: linear takes a value and optionally"),
    "linear with another keyword": ("h' = linear(x, scale=1)", "line 1: linear takes a value and optionally"),
    "linear with unpacked keywords": ("h' = linear(x, **x)", "line 1: linear takes a value and optionally"),
    "unpacked arguments": ("h' = linear(*x)", "line 1: '*x' is not allowed"),
    "the factor twice": (
        "h' = linear(x, 1, identity=2)",
        "line 1: linear is given identity twice; give each option once",
    ),
    "a bias that is true": ("h' = linear(x, bias=True)", "line 1: linear has bias=True, which is the default; write"),
    "the bias twice": ("h' = linear(x, bias=1, bias=2)", "line 1: linear is given bias twice; give each option once"),
    "a factor that is a value": ("h' = linear(x, h)", "line 1: 'h' must be a plain number between -1000 and 1000"),
    "a factor that is text": ("h' = linear(x, '1')", "line 1: \"'1'\" must be a plain number"),
    "a factor that is a truth value": ("h' = linear(x, True)", "line 1: 'True' must be a plain number"),
    "a complex factor": ("h' = linear(x, 1j)", "line 1: '1j' must be a plain number"),
    "a factor too large": ("h' = linear(x, 1000.1)", "line 1: '1000.1' must be a plain number"),
    "a factor beyond floats": ("h' = linear(x, 1e999)", "line 1: '1e309' must be a plain number"),
    "a factor beyond floats, negative": ("h' = linear(x, -1e999)", "line 1: '-1e309' must be a plain number"),
    "a huge whole factor": (f"h' = linear(x, 0x{'f' * 6000})", "line 1: 'Constant' must be a plain number"),
    "a huge whole bias": (f"h' = linear(x, bias={'9' * 4000})", "must be a plain number between -1000 and 1000"),
    "a computed factor": ("h' = linear(x, 1 + 1)", "line 1: '1 + 1' must be a plain number"),
    "true less": ("h' = (True - x) * h", "line 1: 'True' must be a plain number between -1000 and 1000"),
    "a number too large": ("h' = x + 1000.5", "line 1: '1000.5' must be a plain number between -1000 and 1000"),
    "a huge number": (f"h' = 0x{'f' * 6000}", "line 1: 'Constant' must be a plain number"),
    "a huge number in decimals": (f"h' = {'9' * 6000}", "is not an expression (Exceeds the limit"),
    "text": ('h\' = "x"', "line 1: \"'x'\" must be a plain number"),
    "bytes": ('h\' = b"x"', "line 1: \"b'x'\" must be a plain number"),
    "an ellipsis": ("h' = ...", "line 1: '...' must be a plain number"),
    "None": ("h' = None", "line 1: 'None' must be a plain number"),
    "a start that is a value": ("h' = param(x)", "line 1: 'x' is not a start; write a number, or one of uniform(a, b)"),
    "a start of nothing": ("h' = param()", "line 1: param takes one value, not 0"),
    "a start that is too large": ("h' = param(1e9)", "line 1: '1000000000.0' must be a plain number"),
    "a rule with too few numbers": (
        "h' = param(uniform(1))",
        "line 1: 'uniform(1)' has 1 arguments; write uniform(a, b)",
    ),
    "a rule with a wrong number": ("h' = x * param(chrono(2))", "must have an argument between 3 and 1,000,000"),
    "a rule upside down": ("h' = param(uniform(1, 0))", "must have a smaller first argument than second"),
    "a rule with a keyword": ("h' = param(uniform(a=0, b=1))", "is not a start; write a number, or one of"),
    "a rule outside of a start": ("h' = chrono(9) + x", "line 1: 'chrono' is not a function"),
    "half a group": (
        "h' = linear(x, groups=2.5)",
        "line 1: linear has groups=2.5; it must be a whole number from 1 to",
    ),
    "too many groups": ("h' = linear(x, groups=65)", "it must be a whole number from 1 to 64"),
    "a negative random part": ("h' = linear(x, random=-1)", "line 1: linear has random=-1; it must not be negative"),
    "an unknown random part": ("h' = linear(x, random=normal)", "line 1: 'normal' must be a plain number"),
    "orthogonal and the identity": (
        "h' = linear(x, 1, random=orthogonal)",
        "line 1: linear is given random=orthogonal and",
    ),
    "a division": ("h' = x / h", "line 1: 'x / h' is not allowed; use names, numbers, + - *, and leaky_relu"),
    "a power": ("h' = x ** h", "line 1: 'x ** h' is not allowed"),
    "a matrix product": ("h' = x @ h", "line 1: 'x @ h' is not allowed"),
    "broken brackets": ("h' = tanh(x", "line 1: 'tanh(x' is not an expression ('(' was never closed)"),
    "two expressions": ("h' = x h", "line 1: 'x h' is not an expression"),
    "an assignment in a line": ("h' = a = x", "line 1: 'a = x' is not an expression"),
    "too many nodes": (
        "h' = x" + "\n".join(f"\nv{i} = tanh(x)" for i in range(300)),
        "the cell has more than 256 nodes",
    ),
    "too many states": (
        "\n".join(f"s{i}' = x" for i in range(8)) + "\nh' = x",
        "the graph has 9 outputs; there must be 1 to 8, one for each state",
    ),
    "letters of other alphabets": (
        "h' = tanh(\uff58)",
        "line 1: 'tanh(\uff58)' has a letter or sign that is not ASCII",
    ),
    "a name of another alphabet": ("é = x\nh' = x", "line 1: 'é = x' is not of the form"),
    "the letter that stands for a prime inside": ("c' = x\nh' = c\u02b9", "has a letter or sign that is not ASCII"),
    "a long name twice": (f"{'a' * 9000} = x\n{'a' * 9000} = x", "line 2: 'aaaaaa"),
    "a long state without a prime": (f"{'a' * 9000}' = x\n{'a' * 9000} = x", "line 2: 'aaaaaa"),
}


def refusal(text: str) -> str:
    with warnings.catch_warnings(record=True, action="always") as warned, pytest.raises(FormulaError) as caught:
        parse_formula(text)
    assert not warned
    message = str(caught.value)
    assert message.isprintable(), message  # one line, and nothing that a terminal would act on
    assert len(message) < 300
    return message


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_formula_is_refused_in_one_line_with_its_number(case: str) -> None:
    text, message = REFUSED[case]
    assert message in refusal(text)


HOSTILE = [
    "h' = __import__('os').abort()",
    "h' = __import__",
    "h' = (lambda: x)()",
    "h' = lambda: x",
    "h' = x.__class__",
    "h' = x.__class__.__bases__[0]",
    "h' = f'{x}'",
    'h\' = f"{exit()}"',
    "h' = [exit() for _ in x]",
    "h' = {exit() for _ in x}",
    "h' = {x: exit() for _ in x}",
    "h' = (exit() for _ in x)",
    "h' = (y := exit())",
    "h' = x if exit() else h",
    "h' = x and exit()",
    "h' = not x",
    "h' = x < h",
    "h' = x is 1",
    "h' = 1if x else h",
    "h' = 0x1for x in h",
    "h' = (yield x)",
    "h' = await x",
    "h' = x[exit()]",
    "h' = *x,",
    "h' = x, h",
    "h' = tanh(x)(exit())",
    "h' = exit()(x)",
    "h' = tanh(exit())",
    "h' = linear(x, exit())",
    "h' = linear(x, bias=exit())",
    "h' = import os",
    "import os",
    "exec('exit()')",
    "h' = x\nexit()",
    "h' = x; exit()",
    "h' = x\\\n + exit()",
    "h' = '\\d' * x",
    "h' = 'a\nb'",
    'h\' = """a\nb"""',
    "h' = \x00",
    "\x00",
    "h\x00' = x",
    "h' = x\x1b[31m",
    "h' = \ud800",
    "\ud800 = x",
    "h' = x + \u202eh",
    "\ufeffh' = x + y",
    "h' = x\u2028+ h",
    "h' = " + "(" * 100_000 + "x" + ")" * 100_000,
    "h' = " + "(" * 12_000 + "x" + ")" * 12_000,
    "h' = " + "[" * 12_000,
    "h' = " + "tanh(" * 180 + "x" + ")" * 180,
    "h' = " + "tanh(" * 5_000 + "x" + ")" * 5_000,
    "h' = " + "x + " * 8_000 + "x",
    "h' = " + "x + " * 950 + "x",
    "h' = " + "x * " * 120 + "x",
    "h' = " + "-" * 30_000 + "x",
    "h' = linear(x, " + "-" * 30_000 + "1)",
    "h' = linear(x, " + "-" * 500 + "y)",
    "h' = " + "1 - (" * 90 + "x" + ")" * 91,
    "h' = " + "x" * 1_000_000,
    "h' = x\n" * 200_000,
    ";" * 1_000_000,
    "'" * 30_000,
    "a'" * 15_000,
    "h' = " + "'" * 30_000,
    "h' = " + "a'" * 15_000,
    "=" * 30_000,
    " " * 30_000 + "=",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_and_nothing_of_it_is_run(text: str) -> None:
    limit = sys.getrecursionlimit()
    refusal(text)
    assert sys.getrecursionlimit() == limit


_PIECES = ["h'", "c'", "c", "h", "x", "=", "(", ")", "+", "-", "*", "1", "tanh(", "linear(", ", 0.9", ", bias="]
_ODD_PIECES = ["sigm", "#", ";", "'", '"', ".", ":=", "lambda", "for", "if", "_", "\x00", "é", " ", "\n", "\t", "h' = "]


@settings(max_examples=2 * MUTANTS, deadline=None, database=None, derandomize=True)
@given(st.lists(st.sampled_from(_PIECES + _ODD_PIECES)).map("".join) | st.text(max_size=80))
def test_any_text_is_a_cell_or_refused(text: str) -> None:
    try:
        graph = parse_formula(text)
    except CellError as error:
        message = str(error)
    else:
        assert_round_trip(graph)
        message = ""
    assert message.isprintable(), text
