"""What mkdocs generates here: one page per loss, with a figure, and one of what the tape knows.

A loss's page is its class docstring, its function's docstring, its value and derivative drawn over
the sweep of its row in sweeps, and its rows of the table in differences.md.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

import covered
import npl
import npl.functional
from npl.engine import Loss
from sweeps import SWEEPS, Sweep

DOCS = Path(__file__).parent
# Functions of parameters, no losses: docs/objectives.md has them.
PENALTIES = {"elastic_net_penalty", "l1_penalty", "l2_penalty"}
EVERY_LOSS = "every loss"  # the first cell of a difference that all losses share


def losses() -> dict[str, type[Loss]]:
    """Return the public loss classes by name, having checked that each has its row and function."""
    public = {name: getattr(npl, name) for name in npl.__all__}
    found = {
        name: value
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, Loss) and value is not Loss
    }
    _same("docs/sweeps", "losses of npl.__all__", set(SWEEPS), set(found))
    functions = {sweep.function for sweep in SWEEPS.values() if sweep.function}
    of_losses = set(npl.functional.__all__) - PENALTIES
    _same("docs/sweeps", "functions of npl.functional", functions, of_losses)
    return found


def _same(where: str, what: str, rows: set[str], expected: set[str]) -> None:
    if missing := sorted(expected - rows):
        raise PluginError(f"{where}: no row for {', '.join(missing)} ({what})")
    if unknown := sorted(rows - expected):
        raise PluginError(f"{where}: {', '.join(unknown)} not among the {what}")


def differences() -> tuple[list[str], dict[str, list[str]]]:
    """Return the head of the table in differences.md, and its lines by the loss they speak of."""
    table = [
        line
        for line in (DOCS / "differences.md").read_text("utf-8").splitlines()
        if line[:1] == "|"
    ]
    head, rows = table[:2], table[2:]
    lines: dict[str, list[str]] = {}
    for row in rows:
        cell = row.split("|")[1]
        subjects = re.findall(r"`(\w+)`", cell) or [cell.strip()]
        for subject in subjects:
            if subject not in {*SWEEPS, EVERY_LOSS}:
                raise PluginError(
                    f"docs/differences.md: {subject!r} is neither a loss nor {EVERY_LOSS!r}"
                )
            lines.setdefault(subject, []).append(row)
    return head, lines


def figure(loss: type[Loss], sweep: Sweep) -> str:
    """Draw value and derivative; return the SVG, the same bytes for the same numbers."""
    grey = "#808080"  # readable on light and on dark pages
    style: dict[str, Any] = {
        "svg.hashsalt": loss.__name__,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        **dict.fromkeys(["text.color", "axes.labelcolor", "axes.edgecolor"], grey),
        **dict.fromkeys(["xtick.color", "ytick.color"], grey),
    }
    with mpl.rc_context(style):
        drawing = Figure(figsize=(8, 3), layout="constrained")
        left, right = drawing.subplots(1, 2)
        for label, curve in sweep.curves.items():
            arguments = curve.arguments(sweep.over)
            unreduced = (
                {"reduction": "none"} if "reduction" in inspect.signature(loss).parameters else {}
            )
            losses = loss(**unreduced, **curve.options)
            value, pullback = npl.vjp(losses, *arguments)
            gradient = np.moveaxis(pullback(np.ones_like(value))[0], curve.sample_axis, 0)
            slope = gradient.reshape(len(sweep.over), -1)[:, 0]
            if not (np.isfinite(value).all() and np.isfinite(slope).all()):
                raise PluginError(f"docs/sweeps: {loss.__name__}, {label}: not finite there")
            left.plot(sweep.over, value, label=label)
            right.plot(sweep.over, slope, label=label)
        left.set_title("value")
        right.set_title("derivative")
        drawing.supxlabel(sweep.axis, fontsize=10, color=grey)  # one for both: some are long
        for axes in (left, right):
            axes.axhline(0, color=grey, linewidth=0.5)
            axes.grid(alpha=0.2)
        if len(sweep.curves) > 1:
            left.legend(frameon=False)
        file = io.StringIO()
        drawing.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def code(loss: type[Loss]) -> str:
    """Return the source of a loss without its docstring, which stands above it on the page."""
    source = textwrap.dedent(inspect.getsource(loss))
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    lines = source.splitlines()
    if ast.get_docstring(tree) is not None:
        del lines[tree.body[0].lineno - 1 : tree.body[0].end_lineno]
    return re.sub(r"(:\n)\n+", r"\1", "\n".join(lines), count=1)


def path(function: str) -> str:
    """Return where a function is defined: a module may bear the name that re-exports would have."""
    return f"{getattr(npl.functional, function).__module__}.{function}"


def page(name: str, loss: type[Loss]) -> str:
    """Return a loss's page in Markdown."""
    sweep = SWEEPS[name]
    head, lines = differences()
    rows = [*lines.get(EVERY_LOSS, []), *lines.get(name, [])]
    table = "\n".join("|" + row.split("|", 2)[2] for row in [*head, *rows])  # less the loss's name
    own = [m for m in dir(loss) if not m.startswith("_") and callable(getattr(loss, m))]
    members = ", ".join(["__call__", *(m for m in own if not hasattr(Loss, m))])
    return f"""\
# {name}

![Value and derivative of {name} along {sweep.axis}](figures/{name}.svg)

::: npl.{name}
    options:
      members: [{members}]
      inherited_members: true
      filters: []
      show_if_no_docstring: true
      show_source: false

{function_section(sweep.function)}
## The code

```python
{code(loss)}
```

## Differences from torch

{table}
"""


def function_section(function: str) -> str:
    """Return what a page says of the loss's function; nothing where torch has none."""
    if not function:
        return ""
    return f"""\
::: {path(function)}
    options:
      heading: npl.functional.{function}
      toc_label: {function}
      show_source: false
"""


def index(classes: dict[str, type[Loss]]) -> str:
    """Return the list of losses in Markdown, with the first line of each docstring."""
    rows = []
    for name, loss in classes.items():
        summary = (loss.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
        function = SWEEPS[name].function
        function = f"[`{function}`][{path(function)}]" if function else ""
        rows.append(f"| [`{name}`]({name}.md) | {function} | {' '.join(summary.split())} |")
    return "\n".join(["# Losses", "", "| Class | Function | Summary |", "|---|---|---|", *rows, ""])


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the losses' pages into the navigation, in the place of their index."""
    pages = ["losses/index.md", *(f"losses/{name}.md" for name in losses())]
    config.nav = [{"Losses": pages} if "Losses" in entry else entry for entry in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the losses' pages and figures, and the page of what is covered."""
    classes = losses()
    content = {"losses/index.md": index(classes), "covered.md": covered.page()}
    for name, loss in classes.items():
        content[f"losses/{name}.md"] = page(name, loss)
        content[f"losses/figures/{name}.svg"] = figure(loss, SWEEPS[name])
    for path, text in content.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Mend what mkdocstrings makes of numpydoc's references and of the links in build/layout."""
    html = re.sub(r"\s*\.\. \[(\d+)\]", r"<br>[\1]", html)
    html = re.sub(r"\[(\d+)\]_", r"[\1]", html)
    return html.replace("build/layout/npl/adapters/", "adapters/").replace("build/layout/", "")
