"""What an HTML page consists of: sections of blocks, plain values that templates/ turn into HTML.

Every text is escaped by the templates (Jinja2, autoescape); nothing here is HTML.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reproduce.formatting import NONE, number

MOST_ROWS = 24  # of a table before it scrolls in a window of its own
MOST_TOGETHER = 500  # rows before a table is folded into parts, which a browser lays out when they are opened
MOODS = {
    **dict.fromkeys(("held", "complete"), "good"),
    **dict.fromkeys(("not held", "failed", "damaged"), "bad"),
}


# -- cells -------------------------------------------------------------------------------------------------------------
class Status(str):
    """A word with a color: held, complete; not held, failed, damaged; anything else is gray."""

    __slots__ = ()


class Hash(str):
    """A long hash, shown short; it can be selected and copied whole."""

    __slots__ = ()


class Words(str):
    """A text of several lines."""

    __slots__ = ()


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: what it shows.
        sort: key of a number; "" for one that is missing and sorts last; None where texts are sorted.
        style: CSS class, or "".
        mood: color of a status: "good", "bad", "open", or "".
    """

    text: str
    sort: str | None = None
    style: str = ""
    mood: str = ""


def cell(value: Any) -> Cell:
    """The cell of any value: a text, a number, None, or one of the classes above."""
    if isinstance(value, Status):
        return Cell(value, style="status", mood=MOODS.get(value, "open"))
    if isinstance(value, Hash | Words):
        return Cell(value, style="hash" if isinstance(value, Hash) else "words")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Cell(NONE if value is None or math.isnan(value) else str(value), sort="")
    return Cell(number(value), sort=repr(value)) if _is_number(value) else Cell(str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# -- blocks ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Paragraph:
    """quiet: in gray, where there is nothing to show."""

    macro: ClassVar[str] = "paragraph"
    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Heading:
    macro: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Preformatted:
    macro: ClassVar[str] = "preformatted"
    text: str


@dataclass(frozen=True)
class Items:
    """A list of names with their texts."""

    macro: ClassVar[str] = "items"
    items: Sequence[tuple[str, str]]


class Picture(NamedTuple):
    """An image inside the page.

    Attributes:
        data: its bytes, base64.
        kind: "svg+xml" or "png".
        words: what it shows, for those who do not see it.
    """

    data: str
    kind: str
    words: str


@dataclass(frozen=True)
class Pictures:
    macro: ClassVar[str] = "pictures"
    pictures: Sequence[Picture]
    large: bool = False


class Column(NamedTuple):
    heading: str
    number: bool


@dataclass(frozen=True)
class Table:
    """A table that sorts by any column; it scrolls if it is wider than the screen."""

    macro: ClassVar[str] = "table"
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    @property
    def tall(self) -> bool:
        """Whether it scrolls in a window of its own."""
        return len(self.rows) > MOST_ROWS


class Part(NamedTuple):
    name: str
    table: Table


@dataclass(frozen=True)
class Folded:
    """A table in parts to unfold."""

    macro: ClassVar[str] = "folded"
    caption: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Chart:
    """Curves to choose from (interactive_curves.py).

    place: id of its element.  json: the specification.  call: the script that draws it.
    """

    macro: ClassVar[str] = "chart"
    place: str
    json: str
    call: str


Block = Paragraph | Heading | Preformatted | Items | Pictures | Table | Folded | Chart


@dataclass(frozen=True)
class Section:
    id: str
    heading: str
    blocks: Sequence[Block] = field(default_factory=list)


# -- making them -------------------------------------------------------------------------------------------------------
Rows = Sequence[Mapping[str, Any]]


def table(
    rows: Rows, columns: Mapping[str, str], caption: str = "", only_if_several: str = "", folded_by: str = ""
) -> Paragraph | Table | Folded:
    """A table of any rows.  Numbers stand right and sort as numbers.

    Args:
        rows: one mapping per row; values as ``cell`` takes them.
        columns: key -> heading, in order.
        caption: above the table.
        only_if_several: a column that is left out if all rows have the same there; "": none.
        folded_by: the column by which more than ``MOST_TOGETHER`` rows are put into tables to unfold; "": never.

    Returns:
        The table, or a paragraph "None." without rows.
    """
    if not rows:
        return Paragraph("None.", quiet=True)
    if len({row.get(only_if_several) for row in rows}) == 1:
        columns = {key: heading for key, heading in columns.items() if key != only_if_several}
    groups = _groups(rows, folded_by) if folded_by and len(rows) > MOST_TOGETHER else {}
    if len(groups) > 1:
        return Folded(
            caption, [Part(name, _table(same, columns, f"{caption}: {name}")) for name, same in groups.items()]
        )
    return _table(rows, columns, caption)


def _groups(rows: Rows, by: str) -> dict[str, Rows]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row.get(by)), []).append(row)
    return dict(groups)


def _table(rows: Rows, columns: Mapping[str, str], caption: str) -> Table:
    heads = [Column(text, any(_is_number(row.get(key)) for row in rows)) for key, text in columns.items()]
    return Table(heads, [[cell(row.get(key)) for key in columns] for row in rows], caption)


def picture(image: bytes, words: str, kind: str = "svg") -> Picture:
    """A figure as an image of its own, so that its ids do not clash with those of other figures.

    Args:
        image: the bytes of the file.
        words: what it shows, for those who do not see it.
        kind: "svg" or "png".

    Returns:
        The picture, base64.
    """
    return Picture(base64.b64encode(image).decode("ascii"), "svg+xml" if kind == "svg" else kind, words)


def page(title: str, sections: Sequence[Section], words: str, library: str = "") -> str:
    """The whole document.

    Args:
        title: heading and title of the page.
        sections: its sections, in order.
        words: the line under the title.
        library: the script that its charts need.

    Returns:
        HTML, with styles, scripts and pictures inside.
    """
    template = _ENVIRONMENT.get_template("page.html")
    return template.render(title=title, sections=sections, words=words, library=library)


def html(block: Block) -> str:
    """The HTML of one block."""
    module = _ENVIRONMENT.get_template("blocks.html").module
    return str(getattr(module, block.macro)(block))


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
