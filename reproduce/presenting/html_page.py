"""One self-contained HTML page from plain values: everything is escaped unless it was made here.

No network: style and script are inline, pictures are data, and the page's own policy forbids anything else.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reproduce.formatting import NONE, number

MOST_ROWS = 24  # of a table before it scrolls in a window of its own
MOST_TOGETHER = 500  # rows before a table is folded into parts, which a browser lays out when they are opened
_HERE = Path(__file__).resolve().parent
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


class Markup(str):
    """Text that is HTML already; anything else is escaped where it is put."""

    __slots__ = ()


def escape(value: object) -> Markup:
    """``value`` as HTML text; Markup as it is.

    >>> escape('<b title="x">'), escape(Markup("<br>"))
    ('&lt;b title=&quot;x&quot;&gt;', '<br>')
    """
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element.  Attributes: ``class_`` for class, ``data_x`` for data-x; those that are None are left out.

    >>> tag("a", "x < y", href="#n", class_="k", title=None)
    '<a href="#n" class="k">x &lt; y</a>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{said}>" + ("" if name in ("img", "meta", "br") else f"{inner}</{name}>"))


def join(parts: Iterable[object]) -> Markup:
    return Markup("".join(escape(part) for part in parts))


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    caption: str = "",
    only_if_several: str = "",
    folded_by: str = "",
) -> Markup:
    """A table that sorts by any column; columns: key -> heading.  Wider than the screen, it scrolls by itself.

    Numbers stand right and sort as numbers; what has none sorts last.  only_if_several: a column that is left out if
    all rows have the same there.  folded_by: a column by which more than ``MOST_TOGETHER`` rows are put into tables to
    unfold.
    """
    if not rows:
        return tag("p", "None.", class_="none")
    if len({row.get(only_if_several) for row in rows}) == 1:
        columns = {key: heading for key, heading in columns.items() if key != only_if_several}
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows if folded_by and len(rows) > MOST_TOGETHER else ():
        parts.setdefault(str(row.get(folded_by)), []).append(row)
    if len(parts) > 1:
        folded = [
            tag("details", tag("summary", f"{name}: {len(same):,} rows"), table(same, columns, f"{caption}: {name}"))
            for name, same in parts.items()
        ]
        return join([tag("h3", caption), *folded])
    right = {key for key in columns if any(_is_number(row.get(key)) for row in rows)}
    head = (tag("th", tag("button", heading, type="button"), scope="col", class_="number" if key in right else None)
            for key, heading in columns.items())  # fmt: skip
    body = (tag("tr", *(_cell(row.get(key)) for key in columns)) for row in rows)
    inner = join([tag("caption", caption) if caption else "", tag("thead", tag("tr", *head)), tag("tbody", *body)])
    kind = "wide tall" if len(rows) > MOST_ROWS else "wide"
    return tag("div", tag("table", inner), class_=kind, tabindex="0", role="region", aria_label=caption or "table")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> Markup:
    if isinstance(value, Markup):
        return tag("td", value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return tag("td", NONE if value is None or math.isnan(value) else value, class_="number", data_sort="")
    if isinstance(value, bool):
        return tag("td", "yes" if value else "no")
    if _is_number(value):
        return tag("td", number(value), class_="number", data_sort=repr(value))
    return tag("td", value)


def status(word: str) -> Markup:
    """A word with a color: held, complete; not held, failed, damaged; anything else is gray."""
    good, bad = ("held", "complete"), ("not held", "failed", "damaged")
    return tag("span", word, class_=f"status {'good' if word in good else 'bad' if word in bad else 'open'}")


def code(text: object) -> Markup:
    """A long hash, shown short; it can be selected and copied whole."""
    return tag("code", text, class_="hash")


def picture(svg: bytes, words: str, kind: str = "svg+xml") -> Markup:
    """A figure.  As data of its own, so that its ids meet nobody else's.  words: for those who do not see it."""
    data = base64.b64encode(svg).decode("ascii")
    return tag("figure", tag("img", src=f"data:image/{kind};base64,{data}", alt=words))


def section(name: str, heading: str, *children: object) -> Markup:
    return tag("section", tag("h2", heading), *children, id=name)


def page(title: str, sections: Mapping[str, tuple[str, Markup]], words: str) -> str:
    """The whole document.  sections: id -> (heading, content), in order; words: under the title."""
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("html_page.css", "html_page.js"))
    head = join([
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(style)),
    ])  # fmt: skip
    contents = tag("nav", *(tag("a", heading, href=f"#{name}") for name, (heading, _) in sections.items()))
    body = tag("body", tag("header", tag("h1", title), tag("p", words), contents),
               tag("main", *(section(name, heading, content) for name, (heading, content) in sections.items())),
               tag("script", Markup(script)))  # fmt: skip
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n{body}\n</html>\n'
