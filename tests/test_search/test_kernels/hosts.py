"""CPUs that tests generate machine code for: this machine's, and narrower ones that it can stand in for."""

from __future__ import annotations

import platform

import pytest
import torch

from search.kernels.codegen.host import Host, host


def expected_width() -> int:
    """Return the floats in a vector of this CPU as PyTorch and Python see it, 0 if it has no fused multiply-add."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return 4
    return {"AVX512": 16, "AVX2": 8}.get(torch.backends.cpu.get_cpu_capability(), 0)


def require_host() -> Host:
    """Return this machine's CPU; skip the test where no machine code can be expected, fail where it is missing."""
    found = host()
    if found is None and expected_width() == 0:
        pytest.skip("this CPU has no vectors with fused multiply-add, so it gets no machine code")
    assert found is not None, "this CPU should get machine code"
    return found


def _hosts() -> list[Host]:
    here = host()
    if here is None:
        return []
    older = [Host(8, 16, "haswell", "")] if here.width == 16 else []
    return [here, *older, *([Host(4, here.registers, here.cpu, here.features)] if here.width > 4 else [])]


HOSTS = [pytest.param(host, id=f"{host.cpu}-{host.width}") for host in _hosts()] or [
    pytest.param(None, marks=pytest.mark.skip(reason="this CPU gets no machine code"))
]
"""Parameters of a test over all CPUs. That the list is not empty where it should not be is tested in `test_host`."""
