"""Known answers: published ones for the algorithms, files for our own derivations."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.identity import primitives, ratchet


def h(text: str) -> bytes:
    return bytes.fromhex(text)


def published(vectors):
    return json.loads((vectors / "published.json").read_text())


def test_sealing_is_hpke_with_kem_0x647a_kdf_1_aead_3(vectors):
    known = published(vectors)["hpke"]
    key = primitives.SealingKey(hashlib.shake_256(h(known["skRm"])).digest(96))
    assert key.public() == h(known["pkRm"])
    # The published ciphertexts carry associated data, of which single-shot HPKE has none: encrypt anew.
    encrypted = known["encryption"]
    box = ChaCha20Poly1305(h(known["key"]))
    assert box.encrypt(h(encrypted["nonce"]), h(encrypted["pt"]), h(encrypted["aad"])) == h(encrypted["ct"])
    ciphertext = h(known["enc"]) + box.encrypt(h(known["base_nonce"]), b"a table", None)
    assert key.open(ciphertext, h(known["info"])) == b"a table"
    assert key.open(ciphertext, h(known["info"]) + b"x") is None


def test_signing_keys_are_those_of_rfc_8032_and_fips_204(vectors):
    known = published(vectors)
    curve = known["ed25519"]
    for lattice in known["ml_dsa_65_keygen"]:
        key = primitives.SigningKey(h(curve["seed"]) + h(lattice["xi"]))
        ed25519, ml_dsa = key.public()
        assert ed25519 == h(curve["public"])
        assert hashlib.sha256(ml_dsa).hexdigest() == lattice["pk_sha256"]
        assert key.sign(h(curve["message"]))[:64] == h(curve["signature"])


def test_key_derivation_is_rfc_5869(vectors):
    known = published(vectors)["hkdf"]
    prk = primitives.hkdf_extract(h(known["salt"]), h(known["ikm"]))
    assert prk == h(known["prk"])
    assert primitives.hkdf_expand(prk, h(known["info"])) == h(known["okm32"])


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80))
def test_expansion_is_that_of_the_library(key, info):
    assert primitives.hkdf_expand(key, info) == HKDFExpand(hashes.SHA256(), 32, info).derive(key)


def test_the_ratchet_gives_the_keys_in_the_file(vectors):
    known = json.loads((vectors / "ratchet.json").read_text())
    study, binding = h(known["study"]), h(known["binding"])
    link = ratchet.first_link(study, h(known["secret"]), known["lower"], known["higher"], h(known["transcript"]))
    for row in known["sessions"]:
        assert link == h(row["link"])
        session = ratchet.session_id(study, row["number"], binding)
        assert session == h(row["session"])
        key = ratchet.session_keys({"peer": link}, session)["peer"]
        assert key == h(row["key"])
        assert primitives.hkdf_expand(key, b"mask") == h(row["mask"])
        link = ratchet.next_link(link)


WITHOUT_THE_MODULE = "sys.modules['cryptography.hazmat.primitives.hpke'] = None"
WITHOUT_THE_ALGORITHM = """
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa
class MLDSA65PrivateKey:
    @staticmethod
    def from_seed_bytes(seed):
        raise UnsupportedAlgorithm("ML-DSA-65 is not supported by this backend.")
mldsa.MLDSA65PrivateKey = MLDSA65PrivateKey
"""


@pytest.mark.parametrize("lacking", [WITHOUT_THE_MODULE, WITHOUT_THE_ALGORITHM])
def test_an_older_library_is_refused_at_import_with_the_version_that_is_needed(lacking):
    program = f"""
import sys
{lacking}
from pets.errors import UnsupportedCryptography
try:
    import pets.identity
except UnsupportedCryptography as error:
    assert error.needed == "{primitives.NEEDED}" and "pip install" in str(error)
else:
    raise SystemExit("it was accepted")
"""
    environment = os.environ | {"PYTHONPATH": str(Path(pets.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def test_the_package_asks_for_the_version_that_is_needed():
    project = Path(pets.__file__).parents[1] / "pyproject.toml"
    if not project.exists():
        pytest.skip("installed without its project file")
    assert f'"cryptography>={primitives.NEEDED}"' in project.read_text()
