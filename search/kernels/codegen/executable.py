"""Check for executable memory: machine code made at run time needs memory that is written, and then executed."""

import ctypes
import mmap
import sys
from functools import cache

_MAP_FAILED = ctypes.c_void_p(-1).value


@cache
def may_execute() -> bool:
    """Return whether a page can be made executable, in the way that LLVM does it.

    Hardened systems refuse it (SELinux, seccomp, PR_SET_MDWE of systemd's `MemoryDenyWriteExecute`). LLVM does not look
    at the refusal, so that the first call of the code would be a segmentation fault.
    """
    if sys.platform == "win32":  # pragma: no cover - not supported
        return True
    library = ctypes.CDLL(None)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    )
    library.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    library.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    size = mmap.PAGESIZE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    page = library.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if page == _MAP_FAILED:
        return False
    try:
        return bool(library.mprotect(page, size, mmap.PROT_READ | mmap.PROT_EXEC) == 0)
    finally:
        library.munmap(page, size)
