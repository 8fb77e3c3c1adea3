"""The page in headless Chromium: drop, look, review, move the threshold, store it; on a desk and on a phone."""

from __future__ import annotations

import asyncio
import csv
import re
from pathlib import Path

import pytest
from chromium import NAMES, Browser, Page, found
from deploy_builders import drawn, save
from serving import serving

import radar
from radar.cli.main import main

NARROW, WIDE = (390, 844), (1280, 900)
_FITS = "document.documentElement.scrollWidth <= innerWidth"
_UNNAMED = """[...document.querySelectorAll("button, input, select")].filter((each) => each.offsetParent && !each.labels?.length
  && !each.textContent.trim() && !each.getAttribute("aria-label")).map((each) => each.outerHTML)"""


def key(name: str) -> str:
    return f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{name}', bubbles: true}}))"


async def _use(page: Page, run: Path, files: list[Path]) -> None:
    """Drop, look, review, try thresholds, store one; what the page shows on the way is asserted as it comes."""
    counts = "document.getElementById('counts').textContent"
    await page.resize(*WIDE, "light")
    await page.until("document.getElementById('model')?.textContent.includes('mean_brightness')")
    await page.choose("#files", files)
    await page.until("document.getElementById('status').textContent.startsWith('4 of 4 photos asked about')")
    assert "1 of 3 photos seen would be flagged (33.3 %)" in await page.value(counts)
    marks = await page.value(
        "[...document.querySelectorAll('#gallery .mark')].map((each) => each.textContent.split(' ').pop())"
    )
    assert marks == ["unreadable", "flagged", "passes", "passes"], "the latest first"
    await page.value("document.querySelectorAll('#gallery button')[2].click()")
    await page.value(key("ArrowLeft"))  # the flagged one
    await page.value(key("2"))
    await page.until(
        "document.getElementById('layer').src.endsWith('/map') && document.getElementById('layer').naturalWidth === 300"
    )
    await page.value(
        "const o = document.getElementById('opacity'); o.value = 0.25; o.dispatchEvent(new Event('input'))"
    )
    assert await page.value("getComputedStyle(document.getElementById('layer')).opacity") == "0.25"
    await page.value(key("d"))
    await page.until("document.getElementById('defective').getAttribute('aria-pressed') === 'true'")
    before = radar.load(run).threshold
    await page.value(
        "const t = document.getElementById('threshold'); t.value = t.min; t.dispatchEvent(new Event('input'))"
    )
    assert "3 of 3 photos seen would be flagged" in await page.value(counts)
    assert "1 of 1 defective found" in await page.value(counts)
    await page.value("const n = document.getElementById('exact'); n.value = 1000; n.dispatchEvent(new Event('change'))")
    assert "0 of 3 photos seen would be flagged" in await page.value(counts)
    assert "0 of 1 defective found" in await page.value(counts)
    assert radar.load(run).threshold == before, "moving it stores nothing"
    await page.value(
        "document.getElementById('reason').value = 'a trial'; document.querySelector('#store button').click()"
    )
    await page.until("document.getElementById('stored').textContent.startsWith('hand-1 decides from now on')")
    assert main(["calibrate", str(run), "--use", "fitted"]) == 0
    await page.until("document.getElementById('stored').textContent.startsWith('fitted decides from now on')")
    assert "1 of 3 photos seen would be flagged" in await page.value(counts), "the slider stood where it decided"
    assert main(["calibrate", str(run), "--use", "hand-1"]) == 0
    for width, height in (WIDE, NARROW):
        for scheme in ("light", "dark"):
            await page.resize(width, height, scheme)
            assert await page.value(_FITS), f"wider than {width} px"
    assert await page.value(_UNNAMED) == []
    await page.value("document.querySelector('a[href=\"/docs\"]').click()")
    await page.until("['POST /predict', 'conformal'].every((text) => document.body?.innerText.includes(text))")
    assert await page.value(_FITS)


@pytest.mark.slow
def test_a_person_at_the_page(run: Path, tmp_path: Path) -> None:
    program = found()
    if program is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: the page is not tried in a browser")
    files = [save(tmp_path / "parts" / f"{seed}.png", drawn(seed, spot=seed == 2)) for seed in range(3)]
    broken = tmp_path / "parts" / "z.png"
    broken.write_bytes(b"no image")

    async def use(url: str) -> list[str]:
        async with Browser(program, tmp_path / "profile", url) as page:
            await _use(page, run, [*files, broken])
            return list(page.problems)

    with serving(str(run)) as (line, _):
        problems = asyncio.run(use(re.findall(r"http://\S+", line)[0]))
    assert problems == [], "no script, style or picture was refused by the page's own policy"
    with (run / "reviewed.csv").open() as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["defective"]
    stored = radar.load(run).thresholds.current
    assert (stored.name, stored.origin, stored.value) == ("hand-1", "a trial", 1000)
