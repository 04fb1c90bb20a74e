"""Execute the notebooks in kernels of their own, and write each as one HTML page that asks nothing of any network."""

from __future__ import annotations

import os
import re
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness.figures import FOLDER as FIGURES
from benchmarks.harness.results import VARIABLE

ROOT = Path(__file__).resolve().parent.parent
ORDER = (
    "scoreboard", "rare_cells", "mechanisms", "many_tables", "secure_sum", "who_adds_noise", "suppression", "synthetic",
    "attacks", "honesty", "survival_and_rates",
)  # fmt: skip
NOTEBOOKS = tuple(ROOT / "notebooks" / f"{name}.py" for name in ORDER)
STYLE = ROOT / "notebooks" / "notebook.css"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(path: Path, out: Path, timeout: int = 120) -> str | None:
    """Execute one notebook on the results in `out` and write its page; return what went wrong, if anything did."""
    from nbclient.exceptions import CellExecutionError

    figures = out / "figures"
    environment = {VARIABLE: str(out.resolve()), FIGURES: str(figures.resolve())}
    try:
        notebook = execute(path, environment, timeout)
    except CellExecutionError as error:
        return f"failed: {error.ename}: {error.evalue}"[:500]
    pages = out / "html"
    pages.mkdir(parents=True, exist_ok=True)
    (pages / f"{path.stem}.html").write_text(page(path.stem, notebook), encoding="utf-8")
    (pages / "index.html").write_text(index(pages), encoding="utf-8")
    return None


def execute(path: Path, environment: dict[str, str], timeout: int) -> Any:
    """Return the executed notebook. The kernel runs the interpreter that runs this, whatever others are installed."""
    import jupytext
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class OwnKernel(AsyncKernelManager):
        """Starts ipykernel with this interpreter, over sockets of the file system."""

        def _kernel_spec_manager_default(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])

    notebook = jupytext.read(path)
    client = NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(ROOT.parent)}})
    client.kernel_manager_class = OwnKernel
    client.km = client.create_kernel_manager()
    client.km.transport = "ipc"
    client.owns_km = True
    with TemporaryDirectory(prefix="pets-") as sockets:  # by default they lie where the kernel runs, in the repository
        client.km.ip = str(Path(sockets) / "kernel")
        client.execute(env={**os.environ, **environment})
    return notebook


def page(name: str, notebook: Any) -> str:
    """Return an HTML page with everything inside."""
    from nbconvert import HTMLExporter

    body, _ = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    ).from_notebook_node(notebook)
    body = re.sub(r"<script\b.*?</script>", "", body, flags=re.DOTALL)
    title = re.search(r"^# (.+)$", notebook.cells[0].source, flags=re.MULTILINE)
    links = " ".join(f'<a href="{other}.html"{_here(other == name)}>{other.replace("_", " ")}</a>' for other in ORDER)
    return _shell(title.group(1) if title else name, f"<nav>{links}</nav><main>{body}</main>")


def _here(same: bool) -> str:
    return ' aria-current="page"' if same else ""


def index(pages: Path) -> str:
    """Return the page that lists the others."""
    items = []
    for name in ORDER:
        made = pages / f"{name}.html"
        if made.exists():
            title = re.search(r"<title>(.*?)</title>", made.read_text(encoding="utf-8"))
            items.append(f'<li><a href="{name}.html">{title.group(1) if title else name}</a></li>')
    return _shell("Benchmarks of pets", f"<main><h1>Benchmarks of pets</h1><ol>{''.join(items)}</ol></main>")


def _shell(title: str, body: str) -> str:
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'><meta name='color-scheme' content='light'>"
        f"<title>{escape(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head>"
        f"<body>{body}</body></html>\n"
    )
