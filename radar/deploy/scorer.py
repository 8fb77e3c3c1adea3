"""A model as the runtime asks one, so that what is said of a photo is the same code for it and for what was exported of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from radar.data.images import Images
from radar.data.preprocessing import plane_names, preprocessing_of
from radar.data.sample import UNKNOWN_DEFECT, UNKNOWN_LABEL, Sample
from radar.errors import RadarError
from radar.memory import is_out_of_memory
from radar.model import Model
from radar.rasters import Rasters
from radar.runtime.decoding import Pixels
from radar.runtime.errors import ImageError
from radar.runtime.picture import Answers, Picture


class ModelScorer:
    """Fulfils `radar.runtime.picture.Scorer`; with `current`, it is renewed as the model that this returns."""

    def __init__(self, model: Model, current: Callable[[], Model] | None = None) -> None:
        self._model, self._current = model, current
        self.fingerprint = model.fingerprint
        self.threshold = model.thresholds.deciding
        self.preprocessing = preprocessing_of(model.config.dataset.image)
        self.pictures_per_pass = model.config.scoring.images_per_pass

    def decode(self, path: Path, content: bytes) -> tuple[Pixels, str]:
        """As the layout that the model was fitted on. Raises `DataError`."""
        return self._model.files.read(path, content)

    def answers(self, pictures: Sequence[Picture]) -> Answers:
        """What the model says of pictures of one size. Raises `ImageError` where they keep a size that its method does not take."""
        try:
            scores = self._model.score(self._images(pictures))
        except (RadarError, RuntimeError, ValueError, MemoryError) as error:
            if self.preprocessing.fixed is not None:
                raise
            if is_out_of_memory(error):
                raise ImageError("there is too little memory for an image of this size") from None
            raise ImageError("the model does not take an image of this size") from None
        return Answers(scores.scores, scores.decisions, scores.points, torch.stack(scores.anomaly_maps).numpy())

    def renewed(self) -> ModelScorer:
        """Itself, or one that decides by another version of the threshold."""
        model = self._model if self._current is None else self._current()
        return self if model is self._model else ModelScorer(model, self._current)

    def _images(self, pictures: Sequence[Picture]) -> Images:
        samples = [
            Sample(str(each.path), each.identity, "test", UNKNOWN_LABEL, UNKNOWN_DEFECT, None, str(each.path))
            for each in pictures
        ]
        planes = Rasters.joined(torch.from_numpy(each.planes) for each in pictures)
        frames = tuple(each.frame for each in pictures)
        return Images(planes, plane_names(self._model.config.dataset.image), tuple(samples), frames)
