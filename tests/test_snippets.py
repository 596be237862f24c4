"""The examples of the pages and of the README do what they say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SESSIONS = [path for path in sorted((ROOT / "docs").glob("*.md")) if "```pycon" in path.read_text()]
NEEDS_TORCH = "import torch"


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name)
def test_sessions(path: Path) -> None:
    """Compare what is printed; a page is one session."""
    blocks = re.findall(r"```pycon\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, path.name, str(path), 0)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.DocTestRunner(optionflags=options).run(test).failed == 0


@pytest.mark.parametrize(
    "path", ["README.md", "docs/index.md", "docs/objectives.md", "docs/torch.md"]
)
def test_scripts(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run the blocks of a page in order; where a line says `# True`, it prints that."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / path).read_text("utf-8"), re.DOTALL)
    code = "\n".join(blocks)
    if NEEDS_TORCH in code or "npl.adapters" in code:
        pytest.importorskip("torch")
    exec(compile(code, path, "exec"), {})
    assert capsys.readouterr().out.count("True") == len(re.findall("# True", code))
