"""What was typed by hand is found, and a setting is left alone; then the pages and their writers are searched."""

from __future__ import annotations

import pytest

from scripts.pages.__main__ import PAGES
from scripts.pages.committed import DOCS, ROOT
from scripts.pages.sections import by_hand
from scripts.pages.typed_results import typed_in_code, typed_results

RESULTS = (
    "Grid reaches .98 in the end.",
    "Wood: 0.998 over three seeds.",
    "It has an AUROC of 1.000 there.",
    "AUROC 1 on leather, as an example",
    "an F1 of 1",
    "a recall of 93 % on prints",
    "precision of 77%",
    "98 % of them",
    "ninety is written 90 per cent",
    "It takes 12 ms on a core.",
    "3.3–4.4 ms/image",
    "3 to 5 ms with one pass",
    "costs +.066 on magnetic tile",
    "a gain of −.05",
    "the paper's 85 %",
    "0.976 ± 0.019",
    "level within ±.01",
    "about 1.4 × as dear",
    "uses 1,282 MiB",
    "below 1 GiB",
    "trains in half a minute",
    "the demo takes two minutes",
    "needs 1/400 of the memory",
    "12 of 238 training normals",
    "6 out of 13 alarms",
    "ahead by 13 points",
    "the +7 of the abstract",
    "257,636 parameters",
    "a 0.4 M parameters network",
    "700 patches/s",
    "rank 3 of all methods, mean rank 2.5",
    "three times as fast",
    "is 2.4 × slower",
    "p = .03",
    "| grid | .962 / .931 |",
    "(.36 → .57, .38 → .54)",
    "AUROC of the local norm: 0.902",
    "KL 0.23",
    "```\nRADAR   1.000  0.976\n```",
    "```sh\nmake bench   # takes 300 s\n```",
    "It scores **.991**, no more.",
    "reaches **97** there",
    "a score of `.725`",
    "R = .98 between them, F = 0.98",
    "11 of its 13 alarms",
    "9 sets out of 11",
    "9/11 of them",
    "six of nine alarms",
    "twice the F1",
    "ten times slower",
    "0,98 in the end",
)
SETTINGS = (
    "noise at t = 10, images of 100 px, crops of 28 × 28 px",
    "blurred with 1.5 px, 5 × 5 points 3 px apart",
    "σ = 1.5 and λ = .1, ν = .05, T = 1000, η = 1, w = 3",
    "Python ≥ 3.11 and torch 2.6",
    "[arXiv 2508.04818](https://arxiv.org/abs/2508.04818), (2510.15602)",
    "radar `contamination.value=0.05` and `learning_rate=3e-3`",
    "```sh\nradar contamination.value=0.01,0.05 seed=0,1,2\n```",
    "three seeds, 600 steps, 64 crops a step",
    "Song et al. 2021, eq. 12; Fig. 8 of the paper",
    "PIPED PA_BRG03_TL and AITEX 01, 02",
    "EfficientNet-Lite0, ResNet-50, F1 and AUROC of each set",
    "depth 2, width 16, T² and χ²",
    "F1, AUROC, recall; image AUROC and pixel AUROC",
    "timesteps 1, 5, 10 and 50; seeds 0, 1, 2",
    "8- and 16-bit PNG",
    "from 0 to 1, in [−1, 1], (N, 1, H, W)",
    "2 × 2 px become channels; 28 × 28 positions",
    "| `sweep_patch` | patch size 14, 28, 56; 3 seeds | 9 |",
    "![Image](images/demo_0.5.png) and [a page](page.md#a-0.5)",
    "the exact 95 % interval",
    "released on 2026-11-24",
    "one of the two, each time; some minutes",
)


@pytest.mark.parametrize("sentence", RESULTS)
def test_a_result_is_found(sentence):
    assert typed_results(sentence)
    assert typed_results(f"# Title\n\n{sentence}\n\nThe end.")[0].line >= 3


@pytest.mark.parametrize("sentence", SETTINGS)
def test_a_setting_is_left_alone(sentence):
    assert typed_results(sentence) == []


def test_a_text_in_code_is_searched_and_what_is_computed_is_not():
    code = 'def said(value):\n    return f"grid reaches {value:.3f} and wood .98"\n'
    assert [(each.line, each.text) for each in typed_in_code(code)] == [(2, ".98")]
    for code in ('x = f"{0.98:.2f}" + "nothing"', "row = [number(0.985)]", 'y = "AUROC " + str(.98)'):
        assert [each.kind for each in typed_in_code(code)] == ["a formatted number"]
    assert typed_in_code("row = [number(found, 3), number(best.mean)]") == []


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name)
def test_no_result_stands_outside_a_block(page):
    text = page.read_text(encoding="utf-8")
    assert page in PAGES or "written by make tables" not in text
    found = typed_results(by_hand(text))
    assert found == [], f"{page.name}: compute these in a block (scripts/pages), or write a setting as code"


WRITERS = [
    *sorted((ROOT / "scripts" / "pages").glob("*.py")),
    *sorted((ROOT / "radar" / "report").glob("tables*.py")),
]


@pytest.mark.parametrize(
    "module", [each for each in WRITERS if each.name != "typed_results.py"], ids=lambda path: path.name
)
def test_no_writer_of_tables_has_a_result_in_its_words(module):
    assert typed_in_code(module.read_text(encoding="utf-8")) == []
