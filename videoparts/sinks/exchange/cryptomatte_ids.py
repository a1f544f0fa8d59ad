"""How Cryptomatte makes numbers of names: MurmurHash3 (x86, 32 bits, seed 0) of the UTF-8, as the bits of a float.

Specification 1.2.0: https://github.com/Psyop/Cryptomatte/blob/master/specification/cryptomatte_specification.pdf
"""

from __future__ import annotations

import struct

_WORD = 0xFFFFFFFF


def name_bits(name: str) -> int:
    """The bits of the float that stands for ``name``.

    Its exponent is neither 0 nor 255 (that bit is turned over): no program takes it for zero, infinite or no number.

    >>> f"{name_bits('torus'):08x}"
    'f19c73fd'
    """
    bits = murmur3(name.encode())
    return bits ^ 1 << 23 if bits >> 23 & 255 in (0, 255) else bits


def float_of(bits: int) -> float:
    """The 32-bit float that has these bits."""
    value: float = struct.unpack("<f", struct.pack("<I", bits))[0]
    return value


def murmur3(text: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0 (Austin Appleby, public domain).

    >>> murmur3(b"torus")
    4053562365
    """
    state = 0
    whole = len(text) // 4 * 4
    for (word,) in struct.iter_unpack("<I", text[:whole]):
        state ^= _scramble(word)
        state = (_rotate(state, 13) * 5 + 0xE6546B64) & _WORD
    state ^= _scramble(int.from_bytes(text[whole:], "little"))
    state ^= len(text)
    state = ((state ^ state >> 16) * 0x85EBCA6B) & _WORD
    state = ((state ^ state >> 13) * 0xC2B2AE35) & _WORD
    return state ^ state >> 16


def _scramble(word: int) -> int:
    return _rotate(word * 0xCC9E2D51 & _WORD, 15) * 0x1B873593 & _WORD


def _rotate(word: int, by: int) -> int:
    return (word << by | word >> 32 - by) & _WORD
