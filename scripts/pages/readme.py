"""The blocks of README.md."""

from __future__ import annotations

import json

from radar.evaluation.statistics_methods import groups_of_kinds
from radar.report.cells import Cell
from radar.report.tables import Entry, Table, markdown, table
from scripts.pages.choices import (
    FILTERS,
    PATCHCORE,
    PUBLISHED,
    RECOMMENDED,
    STATISTICAL,
    UNTRAINED,
    WITHOUT_NETWORK,
    chosen,
    entry,
    filter_entry,
    mean_of,
    statistical_ranks,
)
from scripts.pages.committed import RESULTS, when_and_where
from scripts.pages.sections import Sections
from scripts.pages.sets import CONFIRMATION, SETS_NOTE, in_order, named

AUROC = ("image", "auroc")
_COLUMNS = (PUBLISHED, RECOMMENDED, PATCHCORE, STATISTICAL)
WALK = RESULTS / "walk.json"


def _shown() -> dict[str, dict[str, Cell]]:
    """The cells that the table holds, by choice and set."""
    cells = {choice: chosen()[choice] for choice in _COLUMNS}
    rows = {*cells[PUBLISHED], *cells[RECOMMENDED]}
    return {choice: {name: cell for name, cell in of_sets.items() if name in rows} for choice, of_sets in cells.items()}


def main_table() -> Table:
    """A line per set, a column per method: image AUROC."""
    cells = _shown()
    rows: list[list[Entry | str]] = []
    for name in in_order([*cells[PUBLISHED], *cells[RECOMMENDED]]):
        published, recipe, patchcore, classical = (cells[choice].get(name) for choice in _COLUMNS)
        shown = next(cell for cell in (recipe, published) if cell is not None).one
        kinds = groups_of_kinds(shown.labels, shown.groups)
        images = [int((shown.labels == label).sum()) for label in (0, 1)]
        rows.append(
            [
                named(name),
                f"{images[0]} + {images[1]} ({kinds[0]} + {kinds[1]})",
                entry(published, *AUROC),
                entry(published, "features", "local_norm", "auroc"),
                entry(recipe, *AUROC),
                entry(patchcore, *AUROC),
                entry(classical, *AUROC),
                filter_entry((published, recipe), *AUROC),
                entry(recipe, "controls", WITHOUT_NETWORK, *AUROC),
                entry(recipe, "controls", UNTRAINED, *AUROC),
            ]
        )
    headings = ("data set", "test images, normal + anomalous (groups)", "RADAR as published", "its local norm alone", "`recommended`",
                "PatchCore", f"`{STATISTICAL}`", "best filter", "recipe without a network", "recipe, network untrained")  # fmt: skip
    return table("", "Image AUROC on test images", headings, rows)


def _failures() -> str:
    """Where the recipe decides worse than calling everything anomalous, and where it rejects too many normal images."""
    recipe = chosen()[RECOMMENDED]
    worse, alarms = [], []
    for name in in_order(recipe):
        f1, trivial, rate = (
            mean_of(recipe[name], "image", key) or 0.0 for key in ("f1", "f1_all_anomalous", "false_positive_rate")
        )
        if f1 < trivial:
            worse.append(f"{named(name)} ({f1:.3f}, all anomalous {trivial:.3f})")
        if rate > 2 * float(recipe[name].one.config["contamination"]["value"]):
            alarms.append(f"{named(name)} ({rate:.3f})")
    return (
        f"F1 lies below that of calling everything anomalous on {', '.join(worse) or 'no set'}; it rejects more than "
        f"twice `contamination.value` of normal images on {', '.join(alarms) or 'no set'}"
    )


def notes() -> list[str]:
    """What the table's cells are."""
    ranks = statistical_ranks()
    best_other = min(sorted(ranks.keys() - {STATISTICAL}), key=lambda name: ranks[name])
    shown = [each for cells in _shown().values() for cell in cells.values() for each in cell.results]
    return [
        "Mean ± standard deviation over seeds; their number in brackets. *Not run*: no record of it on these pixels is committed. "
        f"The runs ended {when_and_where(shown)}.",
        "RADAR as published is `experiment=paper`: U-Net with attention, one noise draw at t = 1, Sobel edges, Isolation Forest; the "
        "forest's score saturates, so the AUROC of its feature `local_norm` stands beside it.",
        "PatchCore (ImageNet features) is `experiment=patchcore`; its side, margin, trim and rings were chosen by image AUROC on test "
        f"images of grid, wood_quads and piped_PA_BRG03_TL. `experiment={STATISTICAL}` was chosen by its mean rank by image AUROC on "
        f"test images of development sets, wood at another size among them, from {len(ranks)} methods without a network; on the "
        f"records that are committed its mean rank is {ranks[STATISTICAL]:.1f} (1 is the best), and that of the best of the others, "
        f"`{best_other}`, is {ranks[best_other]:.1f} ([docs/methods.md](docs/methods.md)).",
        "RADAR as published reads grey, as the paper does; the recipe, PatchCore and the statistical method are given luma and chroma "
        "of the same pixels, so on colour photos RADAR is not ranked with them.",
        f"Best filter: {' or '.join(f'`{name}`' for name in FILTERS)}, as a control of either recipe. The last two columns are the "
        "recommended recipe with its network left out, and with its network as it was before training: "
        "[what diffusion contributes](docs/what_diffusion_contributes.md).",
        f"At its own threshold the recipe fails: {_failures()}.",
        "The paper's own sets, 3D Prints and MVTec AD tile, were not at hand: its results have not been reproduced on them.",
        "Images of one sheet, tile or strip are one group; where they are fewer than images, no test that takes images as independent "
        "is made of them, and few groups say little.",
        SETS_NOTE,
        f"The sets without that mark, but {' and '.join(CONFIRMATION)}, were scored while the project was made, so they confirm "
        "nothing either.",
    ]


def walk() -> str:
    """The commands of `scripts/walk.py` with their seconds, and on what."""
    told = json.loads(WALK.read_text(encoding="utf-8"))
    steps = told["steps"]
    width = max(len(step["command"]) for step in steps)
    lines = [f"{step['command']:<{width}}  # {step['seconds']:.0f} s: {step['purpose']}" for step in steps]
    return (
        "```sh\n" + "\n".join(lines) + "\n```\n\n"
        f"Measured once, {told['date']}, with {told['good_photos']} photos of good and {told['bad_photos']} of defective "
        f"parts to learn from and {told['new_photos']} new ones ({told['photos']}), on {told['cores']} cores "
        f"({told['machine']}), by `python -m scripts.walk`."
    )


def sections() -> Sections:
    """By their names."""
    return {"walk": walk(), "study": markdown(main_table()) + "\n".join(f"- {note}" for note in notes())}
