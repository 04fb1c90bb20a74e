"""Reading and writing configuration: parse strictly, name the key that is wrong, write atomically."""

from pets.config.builder import build
from pets.config.files import read_file, write_atomic
from pets.config.paths import as_config_error, dotted
from pets.config.plain import as_plain, canonical_json, digest
from pets.config.text import MAX_BYTES, parse_json, parse_toml

__all__ = [
    "MAX_BYTES",
    "as_config_error",
    "as_plain",
    "build",
    "canonical_json",
    "digest",
    "dotted",
    "parse_json",
    "parse_toml",
    "read_file",
    "write_atomic",
]
