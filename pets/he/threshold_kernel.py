"""BFV under a key that no single party has: all P key holders are needed to open a sum. No protocol here.

Each party makes a share of the key over one common polynomial that follows from the session's identity; the joint
public key is the sum of the shares. To open a sum, each party multiplies it by its own secret and adds flooding noise;
whoever adds up all P partial decryptions and c0 has the total.

What a protocol on top must see to:

* Shares are committed to before any is shown (:func:`commitment`), or the last party chooses the joint key.
* A party opens one sum per session. Two partial decryptions of the same sum halve the flooding; of two sums that
  differ in one site they give that site's values away.
* A partial decryption trusts that its sum is the whole sum. An aggregator that asks to open one site's ciphertext gets
  it, unless the key holders recompute the sum from all ciphertexts.

**Flooding.** What a partial decryption says beyond the total is the noise of the sum, which depends on the secrets.
Uniform noise of ``2**f`` hides it up to the statistical distance ``N E / 2**(f+1)``; `Parameters.flooding_bits` and
`Parameters.flooding_distance_bits` say how far. Small moduli leave few bits. With zero-sum masks between the parties
(:func:`zero_sum_mask`) nobody sees a partial decryption, only the sum of all.

References
----------
Asharov et al., "Multiparty computation with low communication, computation and interaction via threshold FHE", 2012.
Mouchet et al., "Multiparty homomorphic encryption from ring-learning-with-errors", PETS 2021.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.errors import InvalidArgument, MessageRejected
from pets.he.arithmetic import Words, add, lift
from pets.he.encoding import decode, scale_down
from pets.he.keys import PublicKey, SecretKey, generate_key, noisy_product
from pets.he.masks import sum_of_masks
from pets.he.parameters import Parameters
from pets.he.rlwe import read_ciphertext, share_of_phase
from pets.he.sampling import SEED_BYTES, flood
from pets.he.wire import ID_BYTES, Kind, pack_residues, read, unpack_residues, write


def generate_key_share(
    parameters: Parameters, session_id: bytes, random: RandomSource | None = None
) -> tuple[SecretKey, bytes]:
    """Return a party's secret and its share of the public key.

    Parameters
    ----------
    parameters
        With at least two key holders.
    session_id
        32 bytes that identify the session; the common polynomial follows from them.
    random
        Where secrets come from; the process's secure generator if not given.

    Raises
    ------
    InvalidArgument
        The parameters are for a single key holder, or the identity has another length.
    """
    seed = _common_seed(parameters, session_id)
    random = random or secure_random()
    secret = generate_key(parameters, random)
    noisy = noisy_product(secret, seed, random)
    # Whole words: every party reads all shares, and these need no unpacking.
    return secret, write(parameters, Kind.KEY_SHARE, seed[:ID_BYTES], noisy.astype("<u8").tobytes())


def commitment(share: bytes) -> bytes:
    """Return 32 bytes that bind a party to its share of the key before anybody shows one."""
    return hashlib.sha256(b"pets/he/share/1\0" + share).digest()


def joint_key(
    parameters: Parameters, session_id: bytes, shares: Iterable[bytes], *, committed: bool = False
) -> PublicKey:
    """Return the public key whose secret is the sum of all parties' secrets.

    Parameters
    ----------
    parameters, session_id
        What was agreed, and 32 bytes that identify the session.
    shares
        One of each key holder.
    committed
        Whether each was compared with its :func:`commitment`, so that its check sum says nothing new.

    Raises
    ------
    InvalidArgument
        There is not exactly one share for each key holder.
    MessageRejected
        A share is damaged, of another session, or there twice.
    """
    seed = _common_seed(parameters, session_id)
    distinct = list(shares)
    if len(distinct) != parameters.key_holders:
        raise InvalidArgument("shares", f"must be {parameters.key_holders}, one of each key holder")
    if len(set(distinct)) != len(distinct):
        raise MessageRejected("repeats another party's share of the key")
    noisy = np.zeros((len(parameters.primes), parameters.dimension), dtype=np.uint64)
    for share in distinct:
        one = read_key_share(parameters, session_id, share, committed=committed)
        noisy = add(noisy, one, parameters.primes)
    return PublicKey(parameters, seed, noisy)


def read_key_share(parameters: Parameters, session_id: bytes, share: bytes, *, committed: bool = False) -> Words:
    """Return a party's noisy product, shape ``(primes, n)``.

    Raises
    ------
    MessageRejected
        The bytes are no share of a key of this session.
    """
    common = _common_seed(parameters, session_id)[:ID_BYTES]
    parsed = read(parameters, share, frozenset({Kind.KEY_SHARE}), common, whole=committed)
    shape = (len(parameters.primes), parameters.dimension)
    if len(parsed.body) != 8 * shape[0] * shape[1]:
        raise MessageRejected("has the wrong length")
    words = np.frombuffer(parsed.body, dtype="<u8").reshape(shape).astype(np.uint64, copy=False)
    if any(int(row.max()) >= prime for row, prime in zip(words, parameters.primes, strict=True)):
        raise MessageRejected("holds a number that is no residue of the modulus")
    return words


def decrypt_partially(
    secret: SecretKey,
    ciphertext: bytes,
    key_id: bytes,
    mask: Words | None = None,
    random: RandomSource | None = None,
) -> bytes:
    """Return a party's flooded part of the phase of `ciphertext`.

    Parameters
    ----------
    secret
        The party's secret.
    ciphertext
        The sum to open.
    key_id
        Identity of the joint public key.
    mask
        From :func:`zero_sum_mask`, or None to send the part unmasked.
    random
        Where the flooding comes from; the process's secure generator if not given. Never use a stream twice.

    Raises
    ------
    InvalidArgument
        The mask has another shape.
    MessageRejected
        The bytes are no ciphertext under the joint key.
    """
    parameters = secret.parameters
    _check_threshold(parameters)
    total = read_ciphertext(parameters, ciphertext, key_id)
    noise = lift(flood(parameters.used, parameters.flood_bits, random or secure_random()), parameters.primes)
    part = add(share_of_phase(secret, total.second), noise, parameters.primes)
    if mask is not None:
        part = add(part, _checked_mask(mask, parameters), parameters.primes)
    body = _digest(ciphertext) + pack_residues(parameters, part)
    return write(parameters, Kind.PARTIAL, key_id, body, total.additions)


def fuse(parameters: Parameters, ciphertext: bytes, partials: Iterable[bytes], key_id: bytes) -> NDArray[np.int64]:
    """Return the exact total from the partial decryptions of all key holders.

    Raises
    ------
    InvalidArgument
        There is not exactly one for each key holder.
    MessageRejected
        One is damaged, of another sum, or there twice; or together they do not decrypt.
    """
    _check_threshold(parameters)
    phase = read_ciphertext(parameters, ciphertext, key_id).first
    distinct = list(partials)
    if len(distinct) != parameters.key_holders:
        raise InvalidArgument("partials", f"must be {parameters.key_holders}, one of each key holder")
    if len(set(distinct)) != len(distinct):
        raise MessageRejected("repeats another partial decryption")
    for partial in distinct:
        phase = add(phase, read_partial(parameters, ciphertext, partial, key_id), parameters.primes)
    return decode(scale_down(phase, parameters), parameters)


def read_partial(parameters: Parameters, ciphertext: bytes, partial: bytes, key_id: bytes) -> Words:
    """Return a party's part of the phase of `ciphertext`, shape ``(primes, used)``.

    Raises
    ------
    MessageRejected
        The bytes are no partial decryption of that sum.
    """
    parsed = read(parameters, partial, frozenset({Kind.PARTIAL}), key_id)
    if bytes(parsed.body[:ID_BYTES]) != _digest(ciphertext):
        raise MessageRejected("is a partial decryption of another sum")
    return unpack_residues(parameters, parsed.body[ID_BYTES:], parameters.used)[0]


def zero_sum_mask(parameters: Parameters, plus: Iterable[bytes], minus: Iterable[bytes]) -> Words:
    """Return this party's mask, such that the masks of all parties add up to zero.

    Parameters
    ----------
    parameters
        What was agreed.
    plus, minus
        Seeds of 32 bytes, one for each peer, known to that pair only and used in this session only. Of each pair, one
        party puts the seed into `plus`, the other into `minus`.

    Returns
    -------
    ndarray
        Shape ``(primes, used)``, uniform residues.

    Raises
    ------
    InvalidArgument
        A seed has another length.
    """
    return sum_of_masks(parameters, plus, minus)


def _common_seed(parameters: Parameters, session_id: bytes) -> bytes:
    """Return the seed of the common polynomial: nothing that anybody could have chosen."""
    _check_threshold(parameters)
    if not isinstance(session_id, bytes) or len(session_id) != SEED_BYTES:
        raise InvalidArgument("session_id", f"must be {SEED_BYTES} bytes")
    return hashlib.sha256(b"pets/he/common/1\0" + parameters.digest + session_id).digest()


def _check_threshold(parameters: Parameters) -> None:
    if not isinstance(parameters, Parameters) or parameters.key_holders < 2:
        raise InvalidArgument("parameters", "are not for several key holders", "Give key_holders and flooding_bits.")


def _checked_mask(mask: Words, parameters: Parameters) -> Words:
    shape = (len(parameters.primes), parameters.used)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint64 or mask.shape != shape:
        raise InvalidArgument("mask", f"must be a uint64 array of shape {shape}")
    if any(int(row.max()) >= prime for row, prime in zip(mask, parameters.primes, strict=True)):
        raise InvalidArgument("mask", "holds a number that is no residue of the modulus")
    return mask


def _digest(ciphertext: bytes) -> bytes:
    return hashlib.sha256(ciphertext).digest()[:ID_BYTES]
