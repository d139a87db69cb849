"""Vector arithmetic against numpy in double precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from search.kernels.codegen.function import Function
from search.kernels.codegen.host import Host
from tests.test_search.test_kernels.hosts import HOSTS
from tests.test_search.test_kernels.machine import Floats, call, compile_text

Doubles = npt.NDArray[np.float64]


def apply(host: Host, build: Callable[[Function, str], str], values: npt.ArrayLike) -> Floats:
    """Compute what `build` builds for each value."""
    f = Function("apply", ("count:i64", "from", "to"), host)
    with f.loop("%count", host.width) as part:
        result = build(f, f.load(f.vector, f.at("%from", part.counter)))
        f.store(f.vector, result, f.at("%to", part.counter))
    code = compile_text(f.text(), host)
    given = np.asarray(values, np.float32)
    padded = np.zeros(-(-len(given) // host.width) * host.width, np.float32)
    padded[: len(given)] = given
    found = np.empty_like(padded)
    assert call(code.address("apply"), len(padded), padded, found) == 0
    return found[: len(given)]


def relative_error(found: Floats, exact: Doubles) -> float:
    return float(np.max(np.abs(found - exact) / np.abs(exact)))


POINTS = np.concatenate([np.linspace(-20, 20, 40_001), np.logspace(-30, 1, 5_000), -np.logspace(-30, 1, 5_000)]).astype(
    np.float32
)
FUNCTIONS: dict[str, tuple[Callable[[Function, str], str], Callable[[Doubles], Doubles], Floats]] = {
    "tanh": (Function.tanh, np.tanh, POINTS[POINTS != 0]),
    "sigmoid": (Function.sigmoid, lambda v: 1 / (1 + np.exp(-v)), POINTS),
    "exp": (Function.exp, np.exp, np.linspace(-87, 87, 50_001).astype(np.float32)),
    "log1p": (Function.log1p, np.log1p, np.linspace(1e-6, 1, 50_001).astype(np.float32)),
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_exact_to_a_few_units_in_the_last_place(name: str, host: Host) -> None:
    build, exact, points = FUNCTIONS[name]
    assert relative_error(apply(host, build, points), exact(points.astype(np.float64))) <= 6e-7


@pytest.mark.parametrize("host", HOSTS)
def test_the_logarithm_is_exact_over_all_normal_numbers(host: Host) -> None:
    points = np.logspace(-37.9, 38.5, 50_001).astype(np.float32)
    exact = np.log(points.astype(np.float64))
    error = np.abs(apply(host, Function.log, points) - exact)
    assert (error <= 2.5e-7 * np.maximum(np.abs(exact), 1.0)).all()
    assert apply(host, Function.log, [1.0]).tolist() == [0.0]


@pytest.mark.parametrize("host", HOSTS)
def test_functions_saturate_exactly_and_keep_nan(host: Host) -> None:
    ends = [-np.inf, -200.0, 200.0, np.inf]
    assert apply(host, Function.tanh, ends).tolist() == [-1.0, -1.0, 1.0, 1.0]
    assert apply(host, Function.sigmoid, ends).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert apply(host, Function.exp, ends[:2]).tolist() == [0.0, 0.0]
    for build in (Function.tanh, Function.sigmoid, Function.exp, Function.log):
        assert np.isnan(apply(host, build, [np.nan])).all()
    assert np.isnan(apply(host, Function.log, [np.inf])).all()


@pytest.mark.parametrize("host", HOSTS)
def test_arithmetic_is_that_of_single_precision(host: Host) -> None:
    values = np.random.default_rng(0).normal(size=100).astype(np.float32)
    third = np.float32(1 / 3)
    for op, expected in (("fadd", values + third), ("fsub", values - third), ("fdiv", values / third)):
        found = apply(host, lambda f, v, op=op: f.binary(op, v, f.constant(1 / 3)), values)  # type: ignore[misc]
        np.testing.assert_array_equal(found, expected)
    fused = apply(host, lambda f, v: f.fma(v, v, f.constant(-1.0)), values)
    wide = values.astype(np.float64)
    np.testing.assert_array_equal(fused, (wide * wide - 1.0).astype(np.float32))  # one rounding
    horner = apply(host, lambda f, v: f.polynomial(v, (2.0, -3.0, 0.5)), values)
    np.testing.assert_allclose(horner, np.polyval((2.0, -3.0, 0.5), wide), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("host", HOSTS)
def test_clamp_and_where_keep_or_reject_nan(host: Host) -> None:
    values = [-5.0, -2.0, 0.5, 2.0, 5.0]
    assert apply(host, lambda f, v: f.clamp(v, 2.0), values).tolist() == [-2.0, -2.0, 0.5, 2.0, 2.0]
    assert np.isnan(apply(host, lambda f, v: f.clamp(v, 2.0), [np.nan])).all()
    chosen = apply(
        host, lambda f, v: f.where("ogt", v, f.constant(0.0), f.constant(1.0), f.constant(2.0)), [3.0, -3.0, np.nan]
    )
    assert chosen.tolist() == [1.0, 2.0, 2.0]


def test_a_constant_is_rounded_to_single_precision_and_written_as_a_double() -> None:
    f = Function("f", (), Host(4, 32, "", ""))
    assert f.constant(1.0) == f"<{', '.join(['float 0x3FF0000000000000'] * 4)}>"
    assert f.constant(0.1) == f"<{', '.join(['float 0x3FB99999A0000000'] * 4)}>"


def test_no_name_is_given_twice() -> None:
    f = Function("f", (), Host(4, 32, "", ""))
    assert len({f.fresh() for _ in range(100)}) == 100
