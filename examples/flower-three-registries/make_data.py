"""Three registries out of real rows: 4,028 children with Wilms tumour, dealt out in turn.

python make_data.py FOLDER      writes FOLDER/FR/rows.csv, and so on for UK and US, and FOLDER/pooled.csv
"""

import sys
from pathlib import Path

import pets

folder = Path(sys.argv[1])
rows = pets.datasets.wilms().rename(columns={"time": "days"})
rows.to_csv(folder / "pooled.csv", index=False)  # to compare with; in earnest nobody has it
for place, name in enumerate(("FR", "UK", "US")):
    (folder / name).mkdir()
    rows.iloc[place::3].to_csv(folder / name / "rows.csv", index=False)
