from __future__ import annotations

import pandas as pd
import pytest

from reproduce import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.62915, "1.629"),
        (16269.4, "16,269"),
        (-20.35, "-20.35"),
        (0, "0"),
        (0.0, "0"),
        (500.0, "500"),
        (0.00012, "0.00012"),
        (999.96, "1000"),
        (1e6, "1,000,000"),
        (float("nan"), "–"),
        (None, "–"),
        ("held", "held"),
    ],
)
def test_number(value, text):
    assert formatting.number(value) == text


def test_markdown_aligns_numbers_right_and_escapes():
    rows = [{"game": "a|b", "score": 1.5}, {"game": "c\nd", "score": None}]
    assert formatting.markdown(rows) == "| game | score |\n| :--- | ---: |\n| a\\|b | 1.5 |\n| c d | – |\n"
    assert formatting.markdown(rows, {"score": "ours"}) == "| ours |\n| ---: |\n| 1.5 |\n| – |\n"
    assert formatting.markdown([]) == "(no rows)\n"


def test_csv_is_plain(tmp_path):
    formatting.write_csv(pd.DataFrame({"a": [1, 2], "b": [0.1, float("nan")]}), tmp_path / "new" / "t.csv")
    assert (tmp_path / "new" / "t.csv").read_bytes() == b"a,b\n1,0.1\n2,\n"


def test_plain_columns():
    assert formatting.plain([("a", "bb"), ("ccc", "d")]) == "a    bb\nccc  d"
