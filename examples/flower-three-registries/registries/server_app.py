"""What runs at the collector: it asks the questions of a file, one after the other."""

import json
import time
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from pets.adapters.flower import ask, collector

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Ask each question and write all answers."""
    config = context.run_config
    asking = collector(grid, str(config["collector"]), timeout=120)
    answers = []
    for question in json.loads(Path(str(config["questions"])).read_text(encoding="utf-8")):
        began = time.monotonic()
        answer = ask(asking, question)
        answers.append(answer | {"seconds": round(time.monotonic() - began, 1)})
    Path(str(config["out"])).write_text(json.dumps(answers, indent=1), encoding="utf-8")
