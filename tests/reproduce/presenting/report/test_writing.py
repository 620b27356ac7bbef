"""The report as a reader gets it: one file, nothing fetched, nothing of a run's text taken for HTML.

Where a Chromium is installed the page is opened at phone and desktop width; the structure is checked everywhere.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dqn_tf import cli
from reproduce.analysis import collecting
from reproduce.presenting import interactive_curves
from reproduce.presenting.report import blocks, entries, writing
from reproduce.records import runs

VOID = {"meta", "img", "br"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = '<script>alert("x")</script>&amp;"\''


class Structure(HTMLParser):
    """What a page consists of; raises AssertionError for tags that do not close in order."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.tags, self.links, self.open, self.text = [], Counter(), [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.tags[name] += 1
        for key, value in attributes:
            if key == "id":
                self.ids.append(value)
            if key in ("src", "href", "action", "srcset", "data"):
                self.links.append(value)
            assert not key.startswith("on"), f"{key}: a handler in an attribute"
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.text.append(data)


@pytest.fixture
def folder(run_dir, tmp_path):
    """Runs of value beside return: complete ones, one that was killed, one whose files are damaged."""
    ends = [(4000 * (i + 1), float(i % 5)) for i in range(300)]
    for seed in (0, 1):
        run_dir(f"set/dqn_dopamine/breakout/seed_{seed}", ends, frames=1_200_000, seed=seed, final=(2.0, 7.0 * seed))
    run_dir("set/dqn_dopamine/breakout/seed_2", ends[:100], frames=1_200_000, seed=2, complete=False)
    for seed in (1, 2):
        run_dir(
            f"set/dqn_classic/CartPole-v1/seed_{seed}",
            [(20 * (i + 1), 20.0) for i in range(100)],
            seed=seed,
            preset="dqn_classic",
            environment="CartPole-v1",
            frames=2000,
        )
    broken = run_dir("set/dqn_dopamine/pong/seed_0", ends, environment="pong")
    (broken / "episodes.csv").write_text(f"frames,steps\n1,{HOSTILE}\n")
    return tmp_path / "runs"


def known(home: Path, found: collecting.Collected):
    """A protocol whose every text is hostile."""
    claim = {
        "name": HOSTILE,
        "status": "held",
        "metric": "score",
        "published": 1.0,
        "ours": float("nan"),
        "place": HOSTILE,
        "explanation": HOSTILE,
    }
    return entries.Requested(
        title=f"Title {HOSTILE}",
        paper=HOSTILE,
        planned=[("dqn_dopamine", "breakout", 0), ("dqn_dopamine", "breakout", 7), (HOSTILE, "pong", 0)],
        claims=[claim, {**claim, "status": "not run"}],
        deviations=[{"what": HOSTILE, "why": HOSTILE, "expected_effect": HOSTILE}],
    )


@pytest.fixture(autouse=True)
def _without_the_extra(monkeypatch):
    """tests/reproduce/presenting/test_interactive_curves.py has the charts; their script takes seconds to make."""
    monkeypatch.setattr(interactive_curves, "available", lambda: False)


@pytest.fixture
def text(folder):
    return writing.make(folder, known)


def test_without_the_extra_it_is_named(text):
    assert "need the extra: pip install &#39;dqn_tf[charts]&#39;" in text


def test_structure(text):
    found = Structure(text)
    assert len(found.ids) == len(set(found.ids)) == 8
    assert all(link.startswith(("#", "data:image/")) for link in found.links)
    assert {link[1:] for link in found.links if link.startswith("#")} == set(found.ids)
    assert found.tags["script"] == 1 and found.tags["style"] == 1
    assert not re.search(r"(?:https?:)?//[a-z]|@import|url\(", re.sub(r'"data:[^"]*"', "", text))
    assert "default-src 'none'" in html.unescape(text) and 'name="viewport"' in text
    assert found.tags["img"] == found.tags["figure"] == 4  # Breakout and CartPole: a curve, and value beside return


def test_texts_of_files_are_escaped(text):
    assert HOSTILE not in text and "alert(" in text
    assert "".join(Structure(text).text).count(HOSTILE) >= 8


def test_what_it_says(text):
    said = " ".join(Structure(text).text)
    assert "8 runs: 4 complete, 1 interrupted, 1 damaged, 2 not run." in re.sub(r"\s+", " ", said)
    assert "held" in said and "Left out of the tables" in said
    assert "seed_2" in said and "execution.threads" not in said  # no run differs from its preset in that
    assert str(Path.cwd()) not in text and "/tmp/" not in text


def test_the_same_folder_gives_the_same_page(folder, text):
    assert writing.make(folder, known) == text


def test_the_command(folder, run_dir, tmp_path, capsys):
    single = folder / "set" / "dqn_classic" / "CartPole-v1" / "seed_1"
    assert cli.main(["report", str(single), "--out", str(tmp_path / "new" / "one.html")]) == 0
    assert "1 run: 1 complete." in (tmp_path / "new" / "one.html").read_text()
    (tmp_path / "empty").mkdir()
    assert cli.main(["report", str(tmp_path / "empty")]) == 2
    assert "Expected run directories" in capsys.readouterr().err and not (tmp_path / "empty" / "report.html").exists()
    assert cli.main(["report", str(tmp_path / "emptx")]) == 2
    assert "Folders there: empty" in capsys.readouterr().err
    assert cli.main(["report", str(single), "--out", str(tmp_path / "empty")]) == 2
    assert "Expected a file for --out" in capsys.readouterr().err


def test_runs_without_any_iteration(run_dir, tmp_path):
    path = run_dir("a", (), frames=400, complete=False, evaluations=())
    assert "there is nothing to draw" in writing.make(path)


def test_a_run_that_lies_elsewhere_is_named_by_what_it_says(run_dir):
    path = run_dir("anywhere", seed=3)
    entry = entries.entry(path, path.parent, runs.load_or_reason(path))
    assert (entry.agent, entry.environment, entry.seed, entry.path) == ("dqn_dopamine", "breakout", 3, "anywhere")
    assert entry.state == "complete" and entry.hours == pytest.approx(90 / 3600)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", []),
        ("manifest.json", {"config_hash": "x"}),
        ("manifest.json", {"config_hash": "x", "sessions": "no"}),
        ("summary.json", 3),
        ("summary.json", {"config_hash": "x", "final_evaluation": 1}),
        ("config.json", ["x"]),
        ("config.json", "half a f"),
    ],
)
def test_a_damaged_file_is_named_and_the_rest_is_shown(run_dir, tmp_path, name, content):
    run_dir("set/dqn_dopamine/breakout/seed_0", ((1_000_000, 1.0),), complete=False)
    broken = run_dir("set/dqn_dopamine/breakout/seed_1", ((1_000_000, 1.0),), seed=1)
    (broken / name).write_text(json.dumps(content)[:-1] if content == "half a f" else json.dumps(content))
    text = writing.make(tmp_path / "runs")
    assert "2 runs: 1 interrupted, 1 damaged." in text
    said = " ".join(Structure(text).text)
    assert f"seed_1/{name}" in said and str(tmp_path) not in text


def test_every_run_is_read_once(folder, monkeypatch):
    """Thousands of runs have millions of rows."""
    read = Counter()
    real = runs.load
    monkeypatch.setattr(runs, "load", lambda path: (read.update([path]), real(path))[1])
    writing.make(folder, known)
    assert set(read.values()) == {1} and len(read) == 6


def test_a_long_table_is_folded():
    """By agent; what is one agent's stays together."""
    rows = [{"agent": f"a{i % 3}", "x": i, "folder": "f"} for i in range(blocks.MOST_TOGETHER + 1)]
    columns = {"folder": "folder", "agent": "agent", "x": "x"}
    made = table_of(rows, columns, "Each run", "folder", "agent")
    assert Structure(made).tags["details"] == Structure(made).tags["table"] == 3
    assert made.count("<tr>") == 3 + len(rows) and "<summary>a2: 167 rows</summary>" in made and ">folder<" not in made
    assert "<caption>Each run: a1</caption>" in made
    for few in (rows[:-1], [{**row, "agent": "a"} for row in rows]):
        assert "<details>" not in table_of(few, columns, "Each run", "folder", "agent")


def table_of(*arguments, **more):
    return blocks.html(blocks.table(*arguments, **more))


def test_cells():
    rows = [
        {"a": 1.5, "b": "x < y", "c": blocks.Status("held")},
        {"a": float("nan"), "b": HOSTILE, "c": blocks.Status("not held")},
        {"a": None, "b": True, "c": blocks.Status(HOSTILE)},
    ]
    made = table_of(rows, {"a": "A", "b": "B", "c": HOSTILE}, HOSTILE)
    assert '<td class="number" data-sort="1.5">1.5</td><td>x &lt; y</td>' in made
    assert made.count('data-sort="">–') == 2 and "<td>yes</td>" in made
    assert '<th scope="col" class="number"><button type="button">A</button></th>' in made
    assert [kind for kind in ("good", "bad", "open") if f'<span class="status {kind}">' in made] == [
        "good",
        "bad",
        "open",
    ]
    assert "<script" not in made and "".join(Structure(made).text).count(HOSTILE) == 4
    assert table_of([], {"a": "A"}) == '<p class="none">None.</p>'
    same = [{"a": 1, "b": 2}, {"a": 1, "b": 3}]
    assert "A<" not in table_of(same, {"a": "A", "b": "B"}, only_if_several="a")
    picture = blocks.html(blocks.Pictures([blocks.picture(b"<svg/>", HOSTILE)]))
    assert picture.count("<img") == 1 and HOSTILE not in picture and "data:image/svg+xml;base64,PHN2Zy8+" in picture


# -- in a browser ------------------------------------------------------------------------------------------------------
HARNESS = """<!doctype html><body><pre id="result"></pre><script>
const page = {page}, out = {{}};
async function look(width) {{
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${{width}}px;height:900px;border:0`;
  frame.srcdoc = page;
  const loaded = new Promise((done) => frame.onload = done);
  document.body.append(frame);
  await loaded;
  const inner = frame.contentDocument, root = inner.documentElement;
  await Promise.all(Array.from(inner.images, (i) => i.decode()));
  const seen = {{ overflow: root.scrollWidth - root.clientWidth, width: root.clientWidth, sorted: [], small: 0 }};
  seen.pictures = Array.from(inner.images, (i) => i.naturalWidth > 0 && i.clientWidth <= width);
  seen.small = Array.from(inner.querySelectorAll("a, button")).filter((e) => e.offsetHeight < 24).length;
  const table = Array.from(inner.querySelectorAll("#scores table")).at(-1);
  const column = Array.from(table.tHead.rows[0].cells).findIndex((c) => c.textContent === "seed");
  for (let i = 0; i < 2; i++) {{
    table.tHead.rows[0].cells[column].querySelector("button").click();
    seen.sorted.push(Array.from(table.tBodies[0].rows, (r) => Number(r.cells[column].dataset.sort)));
  }}
  out[width] = seen;
}}
look(390).then(() => look(1280)).then(
  () => document.getElementById("result").textContent = JSON.stringify(out),
  (error) => document.getElementById("result").textContent = JSON.stringify(String(error)));
</script></body>"""


def looked_at(text: str, tmp_path: Path) -> dict:
    """What a browser makes of the page at 390 and 1280 pixels; none where there is no browser."""
    if BROWSER is None:
        return {}
    harness = tmp_path / "harness.html"
    harness.write_text(HARNESS.format(page=json.dumps(text).replace("</", "<\\/")))
    command = [
        BROWSER,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1400,1000",
        "--timeout=60000",
        "--dump-dom",
        harness.as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    found = json.loads(html.unescape(re.search(r'<pre id="result">(.*?)</pre>', dom, re.DOTALL)[1]))
    assert isinstance(found, dict), found
    return found


def test_phone_and_desktop(text, tmp_path):
    """No sideways scrolling of the page, pictures that are there and fit, tables that sort, links large enough."""
    found = looked_at(text, tmp_path)
    assert list(found) == ([] if BROWSER is None else ["390", "1280"])
    for width, seen in found.items():
        assert seen["overflow"] <= 0 and abs(int(width) - seen["width"]) <= 20
        assert seen["pictures"] == [True] * 4
        assert seen["small"] == 0
        up, down = seen["sorted"]
        assert up == sorted(up) and down == sorted(up, reverse=True) and len(set(up)) > 2
    # What must hold for that, wherever the page is opened:
    style = Structure(text).tags["style"] and text.partition("<style>")[2].partition("</style>")[0]
    assert ".wide { overflow-x: auto" in style and "max-width: 100%" in style
    assert text.count('<div class="wide') == Structure(text).tags["table"]
