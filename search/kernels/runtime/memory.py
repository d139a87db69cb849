"""Memory that machine code reads and writes: float32, rows padded to whole vectors."""

import threading

import torch
from torch import Tensor


def empty(*shape: int) -> Tensor:
    """An array that lives on after the call that it is made for."""
    return torch.empty(shape)


def zeros(*shape: int) -> Tensor:
    """As `empty`, filled with zeros."""
    return empty(*shape).zero_()


def scratch(floats: int) -> int:
    """The address of that much memory, good until the next call in this thread.

    It is kept, since fresh memory of a few megabytes costs the system more than the arithmetic on it.
    """
    if getattr(_kept, "size", -1) < floats:
        _kept.size, _kept.tensor = floats, empty(floats)
    address: int = _kept.tensor.data_ptr()
    return address


def pad(values: Tensor, padded: int) -> Tensor:
    """(..., H) as contiguous (..., P) with zeros: the tensor itself where it is that already."""
    units = values.shape[-1]
    if units == padded:
        return values.contiguous()
    wider = zeros(*values.shape[:-1], padded)
    wider[..., :units] = values
    return wider


class Arena:
    """Memory by name, kept from call to call; a name's memory is the largest that was asked for under it so far."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def take(self, name: str, floats: int, fill: float | None = None) -> int:
        """The address of so many floats; with `fill`, all set to it when the memory is new."""
        found = self._kept.get(name)
        if found is None or found.numel() < floats:
            found = self._kept[name] = empty(floats)
            if fill is not None:
                found.fill_(fill)
        return found.data_ptr()

    def __getitem__(self, name: str) -> Tensor:
        return self._kept[name]

    def bytes_held(self) -> int:
        """All of it. It grows whenever memory is moved."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._kept.values())


_kept = threading.local()
