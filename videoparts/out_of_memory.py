"""Is it that memory ran out? Every library says so in its own way."""

from __future__ import annotations

# What torch says of a GPU's memory where it has no error for that; then what it and OpenCV say of the machine's.
_GPU = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
_MACHINE = ("DefaultCPUAllocator", "(-4:Insufficient memory)")


def out_of_memory(error: BaseException) -> str | None:
    """What to tell a user whose memory ran out, with which memory it was; None where the error is another.

    torch has an error of its own for a GPU alone; it is told by its name, so that torch is not loaded for it.
    """
    text = str(error)
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__) or any(said in text for said in _GPU):
        return "the GPU's memory ran out"
    if isinstance(error, MemoryError) or any(said in text for said in _MACHINE):
        return "memory ran out"
    return None
