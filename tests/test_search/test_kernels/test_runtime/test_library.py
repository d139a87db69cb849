"""The shared functions of a process: compiled once, for each kind of CPU."""

import numpy as np
import pytest

from search.kernels.codegen.host import Host
from search.kernels.codegen.library import CALL_GATHER, CALLABLE
from search.kernels.runtime.library import kernel_library, publish_kernels
from tests.test_search.test_kernels.hosts import HOSTS, require_host
from tests.test_search.test_kernels.machine import call


@pytest.mark.parametrize("host", HOSTS)
def test_every_callable_function_has_an_address_of_its_own(host: Host) -> None:
    addresses = kernel_library(host).addresses
    assert set(addresses) == set(CALLABLE)
    assert len(set(addresses.values())) == len(CALLABLE)
    assert 0 not in addresses.values()


def test_the_library_and_the_kernels_are_compiled_once_in_a_process() -> None:
    host = require_host()
    assert kernel_library(host) is kernel_library(host)
    assert publish_kernels(host) is publish_kernels(host)


@pytest.mark.parametrize("host", HOSTS)
def test_code_of_several_vector_widths_is_used_in_one_process(host: Host) -> None:
    """Rows of one vector: a kernel of a wider host would copy beyond the row."""
    width = host.width
    table, rows = np.arange(2 * width, dtype=np.float32), np.full(width + 1, -1, np.float32)
    call(kernel_library(host).addresses[CALL_GATHER], 1, width, np.array([1]), table, width, rows, width)
    assert rows.tolist() == [*range(width, 2 * width), -1]
