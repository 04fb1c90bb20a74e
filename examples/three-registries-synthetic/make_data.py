"""Write the rows of three registries: the children of the National Wilms Tumor Study, dealt out to three files.

The children are real, and public (Breslow and Chatterjee 1999); that they belong to three registries is made up.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pets.datasets import wilms

REGISTRIES = ("north", "south", "west")


def main(folder: Path) -> None:
    """Write north.csv, south.csv and west.csv into `folder`."""
    children = wilms().drop(columns="study")
    for i, name in enumerate(REGISTRIES):
        children[children.patient_id % len(REGISTRIES) == i].to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
