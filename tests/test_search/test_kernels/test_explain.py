"""The explanation of a cell shows the operations that run."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.notation.formula import parse_formula
from search.kernels.codegen.host import host
from search.kernels.explain import explain, stage_formulas
from search.kernels.plan.adjoint import Stage
from search.kernels.plan.build import program_of

Array = NDArray[np.float64]

PLAIN = """\
formula
  h' = tanh(linear(x) + linear(h))

before the loop, all steps at once
  sum0 = matrix0 x

in the loop, at each step
  sum0 += matrix1 h
  stage, element by element:
    h' = tanh(sum0)

backward in the loop, from the last step to the first
  stage, element by element:
    d sum0 = ([d h'] + [d output]) * (1 - (h' * h'))
  d h = matrix1.T d sum0

gradients of weights, all steps at once
  d matrix1 = (d sum0).T h

backward of what comes before the loop, all steps at once
  d x = matrix0.T d sum0

gradients of weights, all steps at once
  d matrix0 = (d sum0).T x"""


def test_the_plain_network_is_explained_from_formula_to_machine_code() -> None:
    text = explain(LIBRARY["tanh"].graph)
    assert text.startswith(PLAIN)
    assert ("llvm.fma" in text) == (host() is not None)


NORMALISED = """\
in the loop, at each step
  sum0 += matrix1 h
  scale0 = 1 / sqrt(mean((sum0 - mean(sum0))^2) + 1e-05)
  sum0 = scale0 * (sum0 - mean(sum0))
  stage, element by element:
    h' = tanh(param1 + (sum0 * param0))

backward in the loop, from the last step to the first
  stage, element by element:
    t1 = ([d h'] + [d output]) * (1 - (h' * h'))
    d param1 += t1
    d param0 += t1 * sum0
    d sum0 = t1 * param0
  d sum0 = scale0 * ([d sum0] - mean([d sum0]) - sum0 * mean([d sum0] * sum0))
  d h = matrix1.T d sum0
"""


def test_a_norm_is_explained_with_its_gradient() -> None:
    text = explain(parse_formula("h' = tanh(norm(linear(x) + linear(h, groups=2)))").canonical())
    assert "  matrix1 is block-diagonal, of 2 blocks\n" in text
    assert NORMALISED in text


def test_formulas_of_stages_mean_what_their_instructions_do(
    mutants: list[GateGraph], enriched_mutants: list[GateGraph]
) -> None:
    rng = np.random.default_rng(0)
    functions: dict[str, Callable[..., Array]] = {
        "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
        "tanh": np.tanh,
        "relu": lambda v: np.maximum(v, 0),
        "leaky_relu": lambda v: np.maximum(v, 0.01 * v),
        "softplus": lambda v: np.logaddexp(0.0, v),
    }
    operations = {"add": np.add, "sub": np.subtract, "mul": np.multiply} | functions
    held = 0
    for graph in [cell.graph for cell in STUDY.values()] + mutants + enriched_mutants:
        for step in (step for part in program_of(graph).forward.loops for step in part.operations):
            if not isinstance(step, Stage):
                continue
            memory = {str(p): rng.normal(size=5) for p in step.buffers()}
            values: list[Array] = []
            for instruction in step.instructions:
                read = [values[a] for a in instruction.arguments]
                load = instruction.buffer is not None
                if instruction.op == "number":
                    values.append(np.full(1, instruction.number))
                else:
                    values.append(memory[str(instruction.buffer)] if load else operations[instruction.op](*read))
            names: dict[str, Any] = {re.sub("'", "_", name): value for name, value in memory.items()} | functions
            for line in stage_formulas(step)[: -len(step.stores)]:
                name, formula = line.split(" = ")
                names[name] = eval(formula.replace("'", "_"), names)  # noqa: S307 - printed by this package
            for line, (buffer, number) in zip(stage_formulas(step)[-len(step.stores) :], step.stores, strict=True):
                name, formula = line.split(" = ")
                assert name == str(buffer)
                found = eval(formula.replace("'", "_"), names)  # noqa: S307
                np.testing.assert_allclose(found, values[number], rtol=1e-4)  # numbers are printed with six digits
                held += 1
    assert held > 100
