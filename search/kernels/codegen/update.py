"""LLVM text of the end of a training step: the gradient's norm, clipping, and the update of each optimiser.

Each function reads the gradient twice: for its norm, and for the update, which goes over all arrays once.

Legend: P parameters, M moments of the optimiser. `control` holds the largest norm and then the numbers of the step
(`search.kernels.optimisers`), as doubles. `results` holds nats, gradient norm, and number of steps in the loss mask.
"""

from collections.abc import Callable

from search.kernels.codegen.function import Function
from search.kernels.codegen.host import Host
from search.kernels.optimisers import BETA1, BETA2, EPSILON, OptimiserName

ARGUMENTS = ("gradient", "parameters", "P:i64", "control", "inverse", "results", "moments", "parts", "count:i64")
"""Arguments of an update.

`inverse` is 1 / B in single precision. `moments` are (M, P) floats. `parts` are three integers for each of `count`
parts of the parameters: the first and the one after the last, and 1 if weight decay applies to them, else 0.
"""

_SGD, _ADAM = "gatesearch_sgd", "gatesearch_adam"

UPDATES = {OptimiserName.SGD: _SGD, OptimiserName.ADAM: _ADAM, OptimiserName.ADAMW: _ADAM}
"""Function of each optimiser: write the gradient's norm and take a step with the clipped gradient.

If the loss or the norm is not finite in single precision, no parameter and no moment changes.
"""

CONTROL = 8
"""Size of `control`: more than any optimiser has numbers."""


def update_text(host: Host) -> str:
    """Return the functions of `UPDATES`."""
    declared = [
        f"declare double @llvm.vector.reduce.fadd.v{host.width}f64(double, <{host.width} x double>)",
        "declare double @llvm.sqrt.f64(double)",
        "declare <1 x float> @llvm.fma.v1f32(<1 x float>, <1 x float>, <1 x float>)",
    ]
    declared += [f"declare <{n} x float> @llvm.sqrt.v{n}f32(<{n} x float>)" for n in (host.width, 1)]
    bodies: dict[str, Callable[[Function, str, str], None]] = {_SGD: _sgd, _ADAM: _adam}
    return "\n".join([*declared, *(_update(name, body, host) for name, body in bodies.items())])


def _update(name: str, body: Callable[[Function, str, str], None], host: Host) -> str:
    """Return an update; `body` gets whether loss and norm are finite, and the clipping factor, a double."""
    f = Function(name, ARGUMENTS, host)
    whole = f.value(f"and i64 %P, {-host.width}")
    wide = f"<{host.width} x double>"
    with f.loop(whole, host.width) as part:
        squares = part.carry(wide, "zeroinitializer")
        value = f.value(f"fpext {f.vector} {f.load(f.vector, f.at('%gradient', part.counter))} to {wide}")
        square = f.value(f"fmul contract {wide} {value}, {value}")
        part.leave(squares, f.value(f"fadd contract {wide} {squares}, {square}"))
    most = f.value(f"call reassoc double @llvm.vector.reduce.fadd.v{host.width}f64(double -0.0, {wide} {squares})")
    with f.loop("%P", start=whole) as rest:
        total = rest.carry("double", most)
        value = f.value(f"fpext float {f.load('float', f.at('%gradient', rest.counter))} to double")
        rest.leave(total, f.value(f"fadd double {total}, {f.value(f'fmul double {value}, {value}')}"))
    # A sum of squares beyond single precision counts as infinite: such a gradient is of no use.
    single = f.value(f"fpext float {f.value(f'fptrunc double {total} to float')} to double")
    norm = f.value(f"call double @llvm.sqrt.f64(double {single})")
    f.store("double", norm, f.at("%results", "1", "double"))
    loss = f.value(f"fptrunc double {f.load('double', '%results')} to float")
    f.store("double", f.value(f"fpext float {loss} to double"), "%results")
    mean = f.value(f"fmul float {loss}, {f.load('float', '%inverse')}")
    loss = f.value(f"fpext float {mean} to double")
    both = f.value(f"fadd double {loss}, {norm}")
    finite = f.value(f"fcmp oeq double {f.value(f'fsub double {both}, {both}')}, 0.0")
    longest = f.load("double", "%control")
    longer = f.value(f"fcmp ogt double {norm}, {longest}")
    factor = f.value(f"select i1 {longer}, double {f.value(f'fdiv double {longest}, {norm}')}, double 1.0")
    body(f, finite, factor)
    return f.text()


def _number(f: Function, index: int) -> str:
    """Return a number of the step, a double."""
    return f.load("double", f.at("%control", str(index + 1), "double"))


def _sgd(f: Function, finite: str, factor: str) -> None:
    step = f.value(f"fneg double {f.value(f'fmul double {_number(f, 0)}, {factor}')}")
    single = f.value(f"fptrunc double {step} to float")
    count = f.value(f"select i1 {finite}, i64 %P, i64 0")
    whole = f.value(f"and i64 {count}, {-f.width}")
    steps = f.spread(single)
    with f.loop(whole, f.width) as part:
        at = f.at("%parameters", part.counter)
        value = f.load(f.vector, f.at("%gradient", part.counter))
        f.store(f.vector, f.fma(value, steps, f.load(f.vector, at)), at)
    with f.loop(count, start=whole) as rest:
        at = f.at("%parameters", rest.counter)
        value = f.load("float", f.at("%gradient", rest.counter))
        moved = f.value(f"fmul contract float {value}, {single}")
        moved = f.value(f"fadd contract float {f.load('float', at)}, {moved}")
        f.store("float", moved, at)


def _adam(f: Function, finite: str, factor: str) -> None:
    clip, size, scale, kept = (
        f.value(f"fptrunc double {number} to float") for number in (factor, *(_number(f, k) for k in range(3)))
    )
    back = f.value(f"fneg float {size}")
    second = f.at("%moments", "%P")
    parts = f.value(f"select i1 {finite}, i64 %count, i64 0")
    with f.loop(parts) as part:
        entry = f.at("%parts", f.multiply(part.counter, "3"), "i64")
        start, stop, decays = (f.load("i64", f.at(entry, str(k), "i64")) for k in range(3))
        decaying = f.value(f"icmp ne i64 {decays}, 0")
        keep = f.value(f"select i1 {decaying}, float {kept}, float 1.0")
        length = f.value(f"sub i64 {stop}, {start}")
        whole = f.value(f"add i64 {start}, {f.value(f'and i64 {length}, {-f.width}')}")
        for width, first, last in ((f.width, start, whole), (1, whole, stop)):
            with f.lanes(width):
                numbers = [f.spread(number) for number in (clip, back, scale, keep)]
                with f.loop(last, width, first) as run:
                    arrays = (f.at(array, run.counter) for array in ("%gradient", "%parameters", "%moments", second))
                    _adam_step(f, *arrays, *numbers)


def _adam_step(
    f: Function, gradient: str, parameters: str, first: str, second: str, clip: str, back: str, scale: str, keep: str
) -> None:
    """Build a step of Adam for the numbers at four addresses (Kingma and Ba 2015, algorithm 1)."""
    clipped = f.binary("fmul", f.load(f.vector, gradient), clip)
    mean = f.load(f.vector, first)
    mean = f.fma(f.binary("fsub", clipped, mean), f.constant(1.0 - BETA1), mean)
    f.store(f.vector, mean, first)
    square = f.binary("fmul", clipped, clipped)
    kept = f.binary("fmul", f.load(f.vector, second), f.constant(BETA2))
    variance = f.fma(square, f.constant(1.0 - BETA2), kept)
    f.store(f.vector, variance, second)
    root = f.value(f"call {f.vector} @llvm.sqrt.v{f.width}f32({f.vector} {variance})")
    ratio = f.binary("fdiv", mean, f.fma(root, scale, f.constant(EPSILON)))
    value = f.binary("fmul", f.load(f.vector, parameters), keep)
    f.store(f.vector, f.fma(ratio, back, value), parameters)
