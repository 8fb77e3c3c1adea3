from __future__ import annotations

import numpy as np
from data_builders import dataset_config, mvtec_folder, noise, save

from radar.data.dataset import open_dataset
from radar.data.summary import count_rows, size_rows


def test_counts_sizes_and_leaks(tmp_path):
    mvtec_folder(tmp_path)
    save(tmp_path / "ground_truth/dent/001_mask.png", np.zeros((32, 32), np.uint8))
    save(tmp_path / "test/good/000.png", noise(3) // 2 + 20)
    dataset = open_dataset(dataset_config("mvtec", tmp_path, split="official", near_duplicates="warn"))
    rows = [(row.split, row.defect, row.images, row.masks, row.empty_masks) for row in count_rows(dataset)]
    assert rows == [
        ("train", "good", 6, 0, 0),
        ("validation", "good", 2, 0, 0),
        ("test", "good", 2, 0, 0),
        ("test", "dent", 2, 2, 1),
    ]
    assert size_rows(dataset) == [(32, 32, 12)]
    assert [note.partition(", first")[0] for note in dataset.notes] == ["1 near-duplicate pair(s) cross into test"]
