"""Formulas of many kinds to export: named cells, mutants as stored, and unusual ones."""

from __future__ import annotations

import numpy as np

from search.cells.graph import GateGraph
from search.cells.library import STUDY
from search.cells.mutation import propose
from search.cells.notation.formula import format_formula
from search.cells.operations import Node, Op
from tests.test_search.test_cells.shapes import MUTANTS
from tests.test_search.test_cells.vocabulary import sprinkled

ODD = {
    "names that Python, torch and the module use": "self = sigmoid(linear(x)); torch' = self * torch + linear(h)\n"
    "nn = linear(torch'); parts = tanh(nn + linear(nn)); states = parts * parts\n"
    "h' = states - linear(states) + nn",
    "a name of a new value that is taken": "h_new = tanh(linear(x) + h); h' = h_new * h; c' = c + h' + h\nh_new2 = c'",
    "long names": "a_very_long_name_indeed_1' = h; a_very_long_name_indeed_2' = x * a_very_long_name_indeed_1\n"
    "h' = tanh(linear(a_very_long_name_indeed_1) + linear(a_very_long_name_indeed_2))",
    "swapped states": "c' = h; h' = tanh(linear(c) + linear(h) + x)",
    "states handed on and read late": "c' = tanh(linear(x) + h); d' = c; h' = c' * d + h",
    "the old value of a state after its line": "h' = tanh(linear(x) + linear(h)); c' = c * h + h'; d' = linear(c) * d",
    "one value, two states": "n = tanh(linear(x) + linear(c)); h' = n; c' = n",
    "no matrix": "h' = leaky_relu(x - h) * relu(h)",
    "no state is read": "h' = tanh(linear(x))",
    "x is not read": "h' = tanh(linear(h)) + h",
    "the output is the input": "h' = x",
    "ones that nest": "h' = (1 - sigmoid(x)) * ((1 - sigmoid(linear(h))) * ((1 - h) * tanh(linear(x))))",
    "a complement that is a name": "z = sigmoid(linear(x)); u = 1 - z; n = linear(h); h' = u * n + z * (n - h * n)",
    "eleven states": "; ".join(f"s{k}' = tanh(linear(h) + s{k} * s{(k + 1) % 7})" for k in range(7))
    + "; h' = linear(s0) + linear(s1) * s2 - s3 * s4 + s5 * s6 + x",
    "wide": "h' = tanh("
    + " + ".join(f"tanh(linear(h) * linear(x) + linear(tanh(h - x * {'h * ' * k}x)))" for k in range(9))
    + ")",
    "deep": "h' = " + "tanh(" * 40 + "linear(x) + linear(h)" + ")" * 40,
    "initial values with many digits": "; ".join(
        f"v{k} = linear(tanh(leaky_relu(h)), -0.123456789012345{k}, bias=-0.123456789012345{k})" for k in range(8)
    )
    + "; h' = x + "
    + " * ".join(f"v{k}" for k in range(8)),
    "hidden zeros": "z = h - h; c' = c * linear(x); a' = tanh(linear(x) + c + a); b = tanh(a') + z; "
    "h' = h * b + linear(c, 0.9) - linear(z * x + c) * (c - tanh(a)) + sigmoid(c)",
    "peepholes": "i = sigmoid(linear(x) + linear(h) + param(0) * c); f = sigmoid(linear(x) + param(0) * c)\n"
    "c' = f * c + i * tanh(linear(x) + linear(h)); o = sigmoid(linear(x) + linear(h) + param(0) * c')\n"
    "h' = o * tanh(c')",
    "layer norms": "i = sigmoid(norm(linear(x, bias=False)) + norm(linear(h, bias=False)) + param(0))\n"
    "c' = i * norm(x) + (1 - i) * norm(tanh(norm(linear(x)) + norm(c))); h' = tanh(norm(c')) - norm(norm(h))",
    "sLSTM": "z = tanh(linear(x) + linear(h)); o = sigmoid(linear(x) + linear(h)); a = linear(x) + linear(h)\n"
    "s = l - a - softplus(-(linear(x, bias=linspace(3, 6)) + linear(h)))\n"
    "g = sigmoid(s); q' = g * q + (1 - g) * z; l' = a + softplus(s); h' = o * q'",
    "block-diagonal matrices": "h' = tanh(linear(x, groups=2) + linear(h, groups=4) + linear(h, groups=4, random=0.5)"
    "+ linear(h, 1, bias=False, groups=4) + linear(x, groups=2, bias=False) + linear(h, random=orthogonal, groups=8))",
    "vectors and numbers alone": "half = 0.5; a = sigmoid(param(0)); b = norm(a) * linear(1) + half; c' = a; d' = 0.25;"
    "h' = c * a + b * d - softplus(-linear(x)) - 2 * -h + -3 + 1 - a * linear(a) * linear(a, groups=2) + linear(b * x)",
    "a learned vector before, in and after the loop": "p = param(1); q = p * p; c' = p; "
    "h' = q * linear(x) + p * tanh(h + q) - linear(p) * linear(p) * c + linear(c)",
    "a gate one way": "g = sigmoid(linear(x, bias=1) + linear(h, 0.5) + param(2) * h)\n"
    "h' = g * h + (1 - g) * tanh(linear(x))",
    "a gate the other way": "g = sigmoid(linear(x, bias=-1) + linear(h, -0.5) + param(-2) * h + linear(h, groups=2))\n"
    "h' = (1 - g) * h + g * tanh(linear(x))",
    "names of modules": "half = param(1); step = param(chrono(9)); parameters = half * step * x\n"
    "from_h = param(uniform(0, 1)); h' = parameters + tanh(from_h * linear(h) - half * h)",
    "initial values": "f = sigmoid(linear(x, bias=1) + linear(h, 0.9)); h' = f * h + linear(tanh(x), bias=-2) * f",
}


def formulas() -> dict[str, str]:
    """Return the named cells in their authors' names, mutants as stored, and unusual formulas."""
    found = {name: cell.formula for name, cell in STUDY.items()} | ODD
    for k in range(MUTANTS // 20):
        rng = np.random.default_rng(k)
        graph = list(STUDY.values())[k % len(STUDY)].graph
        for _ in range(rng.integers(1, 16)):
            child = propose(graph, rng, max_nodes=48).child
            graph = graph if child is None else child.graph
        if k % 3 == 0:
            nodes = [Node(Op.LEAKY_RELU, n.inputs) if n.op in (Op.RELU, Op.TANH) else n for n in graph]
            graph = GateGraph(tuple(nodes), graph.outputs)
        found[f"mutant {k}"] = format_formula(graph)
        found[f"sprinkled mutant {k}"] = format_formula(sprinkled(graph, rng))
    return found


FORMULAS = formulas()

STARTED = """\
f = sigmoid(linear(x, bias=chrono(100)) + linear(h, 0.9, random=0.5))
i = sigmoid(linear(x, bias=-chrono(100)) + linear(h, bias=uniform_gate))
o = sigmoid(linear(x, bias=chrono(9)) + linear(h, random=orthogonal, bias=-uniform_gate(7)))
u = linear(f, 1, random=0) + linear(f, random=0, bias=False) + param(uniform(0, 1)) - param(-uniform(1, 3))
g = linear(i, 1, random=0, groups=4) + linear(i, random=orthogonal, groups=4) + linear(i, groups=4, bias=2)
v = linear(o, random=orthogonal) + linear(o, random=orthogonal) + linear(o, bias=linspace(3, 6))
n = norm(u + v) * param(1) + param(-linspace(0, 1)) + param(-0.5) + param(uniform_gate) * param(chrono(100))
h' = f * h + i * n + o * g"""
"""Formula with starts of all kinds."""
