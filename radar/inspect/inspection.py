"""One model that is asked by one thread, what it has seen, and what a person does with that: verdicts and thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from radar.config.verbs import InspectConfig, PredictConfig
from radar.deploy.calibration import by_hand
from radar.deploy.current_model import CurrentModel
from radar.deploy.scorer import ModelScorer
from radar.inspect.gallery import Gallery, Kept
from radar.inspect.pictures import layers
from radar.inspect.reviews import Reviews
from radar.inspect.uploads import Upload
from radar.model import Model
from radar.model_folder import change_thresholds
from radar.runtime.examination import MODEL_DIGITS, Examined, examine
from radar.runtime.photo import Photo
from radar.runtime.prediction import Prediction
from radar.runtime.stream import batches
from radar.thresholds import Threshold

_Result = TypeVar("_Result")


class Inspection:
    """A run's model at work. Requests wait for each other: the model's answers depend on none that is asked beside them."""

    def __init__(
        self,
        run: Path,
        model: Model,
        *,
        reviews: Path,
        asking: PredictConfig,
        settings: InspectConfig,
        prepare: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        """`prepare` sets up torch in the thread that asks; `say` is told when another threshold decides.

        Raises `RunError` where `reviews` cannot go on.
        """
        self.run, self._current = run, CurrentModel(run, model, say)
        self.asking, self.settings = asking, settings
        self.gallery = Gallery(settings.gallery, settings.scores)
        self.reviews = Reviews(reviews, model.fingerprint[:MODEL_DIGITS])
        self._thread = ThreadPoolExecutor(1, initializer=prepare)
        self._closed = False
        self.coming = False  # whether there are photos that were asked for at the start

    @property
    def model(self) -> Model:
        """With the threshold that decides now, whoever made it the current one."""
        return self._current()

    def submit(self, do: Callable[..., _Result], *arguments: object) -> Future[_Result]:
        """Let the model's thread do it, after what it was given before."""
        return self._thread.submit(do, *arguments)

    def show_all(self, photos: Iterable[Photo]) -> None:
        """Ask about photos and keep them, one by one, so that others come between."""
        self.coming = True
        try:
            for photo in photos:
                self.submit(self.show, photo).result()
        except (CancelledError, RuntimeError):
            if not self._closed:
                raise
        finally:
            self.coming = False

    def close(self) -> None:
        """Forget what waits."""
        self._closed = True
        self._thread.shutdown(cancel_futures=True)

    def predictions(self, uploads: Sequence[Upload]) -> list[Prediction]:
        """What the model says of images, in their order; nothing of them is kept."""
        photos = (self._photo(upload) for upload in uploads)
        return [each.prediction for each in self._examined(photos)]

    def keep(self, upload: Upload) -> Kept:
        """Ask about an image and keep it."""
        return self.show(self._photo(upload))

    def show(self, photo: Photo) -> Kept:
        """Ask about a photo and keep it."""
        (examined,) = self._examined([photo])
        kept = Kept(examined.prediction, layers(examined, self.asking, self.settings.side))
        self.gallery.add(kept)
        return kept

    def store_threshold(self, value: float, reason: str) -> Threshold:
        """A new version, chosen by hand, beside those that lie there now; it decides from now on. Raises `RunError`."""
        model = self.model
        version = by_hand(model.calibration, value, name="hand", reason=reason)
        return change_thresholds(self.run, model, lambda stored: stored.with_numbered(version))[1].current

    def _photo(self, upload: Upload) -> Photo:
        return upload.photo(ModelScorer(self.model), self.settings.megapixels)

    def _examined(self, photos: Iterable[Photo]) -> Iterator[Examined]:
        scorer = ModelScorer(self.model, self._current)
        for batch in batches(photos, scorer.pictures_per_pass):
            scorer = scorer.renewed()
            yield from examine(scorer, batch, self.asking.regions)
