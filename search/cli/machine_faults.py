"""Message for an error of the machine that no command foresaw: a limit, a full disk, no memory. It is no bug."""

import errno

REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or have the quota raised",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EROFS: "name a folder that can be written to",
    errno.EACCES: "change the permissions",
    errno.EPERM: "change the permissions",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, which have too many files open",
    errno.EAGAIN: "raise the limit of processes (ulimit -u, or that of the container)",
    errno.ENOMEM: "free some memory, or raise its limit",
    errno.EIO: "look at the disk",
    errno.ESTALE: "mount the network file system again",
}
"""Remedies by the number of the system's error."""

_OUT_OF_MEMORY = "DefaultCPUAllocator"
"""Part of the message of PyTorch's error, which has no class of its own on CPUs."""


def machine_fault(error: BaseException) -> str | None:
    """Return the message for an error that the machine caused; None for any other error."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _OUT_OF_MEMORY in str(error)):
        return f"the memory does not suffice; {REMEDIES[errno.ENOMEM]}"
    if not isinstance(error, OSError):
        return None
    if error.filename is None and "temporary directory" in str(error.strerror):
        return (
            "no folder for temporary files can be written to (TMPDIR, /tmp, /var/tmp, /usr/tmp, the working "
            "directory); set TMPDIR to one that can"
        )
    remedy = REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror}; {remedy}, then run it again"
