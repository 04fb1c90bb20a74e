"""Allow ``python -m pets``."""

from pets.cli import main

main()
