"""Who somebody is to oneself: the secret keys."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Self

from pets.csprng import random_bytes
from pets.errors import IdentityError, InvalidArgument
from pets.identity import primitives
from pets.identity.encoding import check_bytes, check_name, frame
from pets.identity.public import PublicIdentity, sealing_info, signed_message

_SALT = 32


class Unpicklable:
    """Secrets are not copied by accident: neither pickled nor deep-copied."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> str:
        raise InvalidArgument(
            type(self).__name__, "holds secret keys and cannot be pickled or copied", "Use save() and load()."
        )


class Identity(Unpicklable):
    """The secret keys of one party. Make one with :meth:`new`, keep it with :meth:`save`.

    Examples
    --------
    >>> france = Identity.new("FR")
    >>> signature = france.sign(b"the table of 2024", "greeting")
    >>> france.public.verify(signature, b"the table of 2024", "greeting")

    Notes
    -----
    Python cannot promise to wipe a secret from memory; a process that holds an identity must be trusted.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        self._name = check_name(name)
        seed = check_bytes(seed, primitives.SIGNING_SEED + primitives.SEALING_SEED, "seed")
        self._signing = primitives.SigningKey(seed[: primitives.SIGNING_SEED])
        self._sealing = primitives.SealingKey(seed[primitives.SIGNING_SEED :])

    @classmethod
    def new(cls, name: str) -> Self:
        """Return an identity with fresh keys.

        Raises
        ------
        InvalidArgument
            `name` is not 1 to 64 printable characters that begin with a letter or digit.
        """
        identity = cls.__new__(cls)
        identity._name = check_name(name)
        identity._signing, identity._sealing = primitives.SigningKey.new(), primitives.SealingKey.new()
        return identity

    @property
    def name(self) -> str:
        """What the party is called."""
        return self._name

    @cached_property
    def public(self) -> PublicIdentity:
        """What others may know."""
        return PublicIdentity(self._name, *self._signing.public(), self._sealing.public())

    def __repr__(self) -> str:
        return f"<Identity {self._name}, {self.public.fingerprint}, secret>"

    def sign(self, statement: bytes, context: str) -> bytes:
        """Return a signature by Ed25519 and ML-DSA-65, always 3373 bytes.

        Parameters
        ----------
        statement
            What is signed; it is hashed with SHA-512.
        context
            What kind of statement it is. A signature for one purpose never verifies for another.

        Notes
        -----
        ML-DSA signs with fresh randomness: signing twice gives two different, equally good signatures.
        """
        return self._signing.sign(signed_message(self.public, statement, context))

    def open(self, ciphertext: bytes, context: str) -> bytes:
        """Return what somebody sealed with :meth:`PublicIdentity.seal` for the same `context`.

        Raises
        ------
        IdentityError
            It was sealed to other keys or for another purpose, or was changed on its way.
        """
        plaintext = self._sealing.open(check_bytes(ciphertext, None, "ciphertext"), sealing_info(self.public, context))
        if plaintext is None:
            raise IdentityError(f"{self._name!r} cannot open this: it was sealed to other keys, or changed on its way.")
        return plaintext

    def lock(self, plaintext: bytes, context: str) -> bytes:
        """Return `plaintext` encrypted for this party's own disk; :meth:`unlock` reverses it.

        Each call uses a key of its own, derived from the identity and 32 random bytes. 48 bytes are added.
        """
        salt = random_bytes(_SALT)
        key = primitives.hkdf_expand(self._storage_key, frame("pets file v1", context, salt))
        return salt + primitives.aead_encrypt(key, plaintext, frame(context, self.public.digest))

    def unlock(self, content: bytes, context: str) -> bytes | None:
        """Return what :meth:`lock` encrypted, or None if identity, context or content are not the same."""
        key = primitives.hkdf_expand(self._storage_key, frame("pets file v1", context, content[:_SALT]))
        return primitives.aead_decrypt(key, content[_SALT:], frame(context, self.public.digest))

    def storage_key(self, purpose: str) -> bytes:
        """Return 32 bytes that only this identity can derive, to encrypt files of its own for one `purpose`."""
        return primitives.hkdf_expand(self._storage_key, frame("pets storage purpose v1", purpose))

    @cached_property
    def _storage_key(self) -> bytes:
        return primitives.hkdf_extract(b"pets storage v1", self._seed())

    def _seed(self) -> bytes:
        return self._signing.seed() + self._sealing.seed()

    def save(self, path: str | os.PathLike[str], passphrase: str | None = None) -> None:
        """Write the secret keys to a new file that only its owner can read (mode 0600), all or nothing.

        Parameters
        ----------
        path
            A file that does not exist yet.
        passphrase
            Encrypts the file (Argon2id, ChaCha20-Poly1305). Without one, whoever reads the file has the keys.

        Raises
        ------
        KeyFileError
            The file exists or cannot be written. Nothing is ever overwritten.
        """
        from pets.identity.disk import create
        from pets.identity.key_file import render

        create(path, render(self.public, self._seed(), passphrase))

    @classmethod
    def load(cls, path: str | os.PathLike[str], passphrase: str | None = None) -> Self:
        """Return the identity in a file written by :meth:`save`.

        Raises
        ------
        KeyFileError
            The file is missing, damaged, of another format, readable by others than its owner, or the
            passphrase is missing or wrong.
        """
        from pets.identity.disk import read_secret
        from pets.identity.key_file import parse

        return parse(cls, path, read_secret(path), passphrase)
