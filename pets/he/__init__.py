"""Homomorphic encryption: sums of ciphertexts that only a key holder, or all key holders together, can open."""
