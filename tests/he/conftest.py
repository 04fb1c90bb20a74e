"""Parameters, keys and SEAL itself as an independent implementation."""

from __future__ import annotations

import os
import struct

import numpy as np
import pytest

pytest.importorskip("tenseal.sealapi")


class Seal:
    """BFV by SEAL alone: its own encoder, encryptor and decryptor, with our modulus and, if wanted, our key."""

    def __init__(self, parameters):
        import tenseal.sealapi as api

        self.api, self.parameters = api, parameters
        chain = list(parameters.primes)
        settings = api.EncryptionParameters(api.SCHEME_TYPE.BFV)
        settings.set_poly_modulus_degree(parameters.dimension)
        if len(chain) > 1:
            chain.append(api.CoeffModulus.Create(parameters.dimension, [60])[0].value())
        settings.set_coeff_modulus([api.Modulus(p) for p in chain])
        settings.set_plain_modulus(2**parameters.plain_bits)
        level = api.SEC_LEVEL_TYPE.TC128 if len(chain) == 1 else api.SEC_LEVEL_TYPE.NONE
        self.context = api.SEALContext(settings, False, level)
        assert self.context.parameters_set(), self.context.parameters_error_message()

    def _frame(self, body):
        header = self.api.Serialization.SEALHeader()
        return (
            struct.pack("<HBBBBHQ", 0xA15E, 16, header.version_major, header.version_minor, 0, 0, 16 + len(body)) + body
        )

    def _array(self, words):
        return self._frame(struct.pack("<Q", words.size) + words.astype("<u8").tobytes())

    def _load(self, thing, body):
        descriptor = os.memfd_create("test")
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(self._frame(body))
            thing.load(self.context, f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return thing

    def ciphertext(self, first, second):
        """Return polynomials of shape ``(primes, n)`` as SEAL's ciphertext."""
        level = struct.pack("<4Q", *self.context.first_parms_id())
        shape = struct.pack("<BQQQdQ", 0, 2, self.parameters.dimension, len(self.parameters.primes), 1.0, 1)
        return self._load(self.api.Ciphertext(), level + shape + self._array(np.stack([first, second]).reshape(-1)))

    def secret_key(self, coefficients):
        """Return our secret key as SEAL's."""
        plain = self.api.Plaintext(
            " + ".join(
                f"{int(c) % 2**self.parameters.plain_bits:X}x^{i}"
                for i, c in reversed(list(enumerate(coefficients)))
                if c
            )
        )
        self.api.Evaluator(self.context).transform_to_ntt_inplace(plain, self.context.key_parms_id())
        words = np.array([plain.data(i) for i in range(plain.coeff_count())], dtype=np.uint64)
        level = struct.pack("<4Q", *self.context.key_parms_id())
        return self._load(self.api.SecretKey(), level + struct.pack("<Qd", words.size, 1.0) + self._array(words))

    def decryptor(self, coefficients):
        return self.api.Decryptor(self.context, self.secret_key(coefficients))

    def open(self, decryptor, ciphertext):
        """Return the coefficients, centred modulo t."""
        plain = self.api.Plaintext()
        decryptor.decrypt(ciphertext, plain)
        t = 2**self.parameters.plain_bits
        found = np.zeros(self.parameters.dimension, dtype=np.int64)
        for i in range(plain.coeff_count()):
            found[i] = plain.data(i) - t if plain.data(i) >= t // 2 else plain.data(i)
        return found


@pytest.fixture
def seal():
    if not hasattr(os, "memfd_create"):
        pytest.skip("SEAL's own keys can be loaded from files in memory only")
    return Seal
