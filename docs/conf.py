"""The documentation site, from README.md, docs/ and results/tables/:

    python -m sphinx -W -b html -c docs . build/site

The whole repository is the source folder, so that the pages' links to tables, figures and code are those that work on
a code host too.  Nothing is fetched, neither while building nor while reading.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

from reproduce.presenting import interactive_curves

ROOT = Path(__file__).resolve().parents[1]

project = "dqn_tf"
author = copyright = "the dqn_tf authors"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "README"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "docs/*/*.md",
    "results/*.md",
    "results/*/*.md",
]
nitpicky = False  # types of TensorFlow and NumPy have no pages here
highlight_language = "text"


def _navigation(index: str) -> dict[str, list[str]]:
    """Heading -> pages, of the list in docs/README.md.  Sphinx warns of pages that it lacks."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        links = re.findall(r"\]\(([\w./]+)\.md\)", text)
        found[heading] = [posixpath.normpath(posixpath.join("docs", link)) for link in links]
    return found


# The left column.
NAVIGATION = _navigation((ROOT / "docs" / "README.md").read_text())
NAVIGATION["Begin"].insert(0, "docs/README")
AGENTS = tomllib.loads((ROOT / "reproduce" / "presenting" / "agents.toml").read_text())
BELOW = {  # pages that have pages of their own
    "docs/agents/index": [f"/docs/agents/{name}" for name in AGENTS],
    "results/README": ["/results/*/*"],
}

CURVES = """

## Curves of our runs, to choose from

```{raw} html
<p><a href="../curves.html">Every run of results/runs</a>: environment, agents, axes, smoothing.</p>
```
"""

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

html_theme = "pydata_sphinx_theme"
templates_path = ["_templates"]
html_sidebars = {"**": ["contents"]}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"dqn_tf {release}"
html_copy_source = False
html_show_sourcelink = False
html_theme_options: dict[str, Any] = {
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_nav_level": 1,
    "show_prev_next": True,
}


def _toctree(pages: list[str], *options: str) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", *options, "", *pages, "```", ""])


def _read(app: Any, name: str, text: list[str]) -> None:
    """The pages have no words for the site in them: its navigation is added while they are read."""
    if name == root_doc:
        text[0] += "".join(_toctree(pages, f":caption: {caption}") for caption, pages in NAVIGATION.items())
    elif name in BELOW:
        text[0] += _toctree(BELOW[name], ":glob:")
    elif name == "docs/figures" and interactive_curves.available():
        text[0] += CURVES


def _write_curves(folder: Path) -> None:
    """The curves of all runs, to choose from: a page of its own, which no other has to wait for."""
    from reproduce.presenting.report import writing

    page = writing.curves_page(ROOT / "results" / "runs", "Curves of our runs")
    (folder / "curves.html").write_text(page, encoding="utf-8")


def _finish(app: Any, error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        shutil.copy(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")
        if interactive_curves.available():
            _write_curves(Path(app.outdir))


def _docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings here are written like these pages: fenced and indented code becomes reStructuredText's."""
    out: list[str] = []
    fence = ""
    for line in lines:
        text, before = line.strip(), out[-1].strip() if out else ""
        indent = line[: len(line) - len(line.lstrip())]
        if text.startswith("```"):
            out += [] if fence else [f"{indent}.. code-block:: {text[3:] or 'text'}", ""]
            fence = "" if fence else indent + "    "
        elif fence:
            out.append(("    " if text else "") + line)
        elif text and indent and not before and out[-2:] and not out[-2].startswith(("    ", "..", "::")):
            out += ["::", "", line]
        else:
            out.append(_escaped(line))
    lines[:] = out


def _escaped(line: str) -> str:
    """Outside of code, characters that reStructuredText would read as marks."""
    parts = re.split(r"(`+[^`]*`+)", line)
    return "".join(part if i % 2 else re.sub(r"[*|]|(?<=\w)_(?!\w)", r"\\\g<0>", part) for i, part in enumerate(parts))


def setup(app: Any) -> None:
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _docstring, priority=400)  # before napoleon
    app.connect("build-finished", _finish)
