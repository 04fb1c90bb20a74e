"""How many random bits each step of a sampler reveals. No setting changes the law, only the work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Precision:
    """Work settings of the samplers.

    The samplers reveal the bits of a uniform number until they determine the outcome. These numbers say how many
    bits each step adds. With few bits at each step almost every draw passes through every refinement, which is how
    the tests run the paths that a default draw takes once in 10**15.

    Parameters
    ----------
    cell_bits
        Bits decided by table look-up, sign included; 2 to 16.
    word_bits
        Bits known after the second step (binary search); above `cell_bits`, at most 64. Each later step doubles them.
    table_scale
        Laws up to this scale use one table; wider ones are split into a coarse table and uniform low bits.
    coarse_scale
        Scale of the coarse table of a wider law, in its own steps.
    coin_bits, coin_word_bits
        Bits of the uniform number in the first and second step of an acceptance test; the latter at most 52.
    slack
        Claimed bound on the error of the floating-point part of an acceptance test: anything above 2**-45.
    """

    cell_bits: int = 16
    word_bits: int = 64
    table_scale: int = 256
    coarse_scale: int = 128
    coin_bits: int = 30
    coin_word_bits: int = 52
    slack: float = 2.0**-40


DEFAULT = Precision()
