"""An Isolation Forest as plain arrays: fitted by scikit-learn, scored and stored without it (Liu et al. 2008)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from radar.errors import RunError

Floats = NDArray[np.float64]


def _average_path_length(samples: Floats) -> Floats:
    """Mean depth of an unsuccessful search in a binary tree of `samples` points (Liu et al. 2008, eq. 1)."""
    samples = np.asarray(samples, dtype=np.float64)
    safe = np.maximum(samples, 3)
    length = 2 * (np.log(safe - 1) + np.euler_gamma) - 2 * (safe - 1) / safe
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, length))


@dataclass(frozen=True)
class Forest:
    """Trees padded to one node count: each array is `(trees, nodes)` but for the scalar `max_samples`."""

    feature: NDArray[np.int64]  # tested at the node; −1 at a leaf
    threshold: Floats  # go left where the feature is ≤ this
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    depth: Floats  # path length of a point that ends here
    max_samples: NDArray[np.int64]

    @staticmethod
    def fit(points: Floats, *, trees: int, max_samples: int, seed: int) -> Forest:
        """A forest on the feature points `(N, F)`; `max_samples` is cut to N."""
        model = IsolationForest(
            n_estimators=trees, max_samples=min(max_samples, len(points)), random_state=seed % 2**32
        ).fit(points)
        nodes = max(tree.tree_.node_count for tree in model.estimators_)
        arrays: dict[str, list[NDArray[np.generic]]] = {name: [] for name in ("feature", "threshold", "left", "right", "depth")}
        for estimator in model.estimators_:
            tree = estimator.tree_
            leaf = tree.children_left < 0
            row = np.arange(tree.node_count)
            values = {
                "feature": np.where(leaf, -1, tree.feature),
                "threshold": np.where(leaf, 0.0, tree.threshold),
                "left": np.where(leaf, row, tree.children_left),  # a leaf is its own child: walking on stays there
                "right": np.where(leaf, row, tree.children_right),
                "depth": _node_depths(tree) + _average_path_length(tree.n_node_samples),
            }
            for name, value in values.items():
                arrays[name].append(np.pad(value, (0, nodes - len(value))))
        return Forest(**{name: np.stack(value) for name, value in arrays.items()}, max_samples=np.array(model.max_samples_))

    def anomaly_score(self, points: Floats) -> Floats:
        """2^(−E[h]/c) of points `(N, F)`, in (0, 1); the negative of scikit-learn's `score_samples`."""
        points = points.astype(np.float32)  # scikit-learn's trees were split on float32
        trees = np.arange(len(self.feature))[None]
        node = np.zeros((len(points), len(self.feature)), dtype=np.int64)
        while True:
            tested = self.feature[trees, node]
            if (tested < 0).all():
                break
            value = np.take_along_axis(points, np.maximum(tested, 0), axis=1)
            go_left = value <= self.threshold[trees, node]
            node = np.where(go_left, self.left[trees, node], self.right[trees, node])
        mean_depth = self.depth[trees, node].mean(axis=1)
        normal_depth = _average_path_length(self.max_samples)
        # one sample per tree has no depth to compare with: scikit-learn then calls every point equally normal
        ratio = mean_depth / normal_depth if normal_depth > 0 else np.ones_like(mean_depth)
        return np.asarray(2.0**-ratio)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What is stored."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @staticmethod
    def from_arrays(arrays: dict[str, NDArray[np.generic]]) -> Forest:
        """The inverse of `arrays`. Raises `RunError` where they do not describe trees."""
        try:
            forest = Forest(**{item.name: arrays[item.name] for item in fields(Forest)})  # type: ignore[arg-type]
        except KeyError as missing:
            raise RunError(f"detector: the stored forest lacks {missing}; run the experiment again") from None
        shape = forest.feature.shape
        nodes = np.arange(shape[1]) if len(shape) == 2 else np.zeros(0)
        inner = forest.feature >= 0
        sound = (
            len(shape) == 2
            and all(getattr(forest, name).shape == shape for name in ("threshold", "left", "right", "depth"))
            and all(np.issubdtype(getattr(forest, name).dtype, np.integer) for name in ("feature", "left", "right"))
            # children lie after their parent, so that walking down always ends
            and bool(((forest.left > nodes) | ~inner).all() and ((forest.right > nodes) | ~inner).all())
            and bool((forest.left < shape[1]).all() and (forest.right < shape[1]).all())
            and bool(np.isfinite(forest.threshold).all() and np.isfinite(forest.depth).all())
        )
        if not sound:
            raise RunError("detector: the stored forest is damaged; run the experiment again")
        return forest


def _node_depths(tree: object) -> Floats:
    """Number of edges from the root to each node of a fitted scikit-learn tree."""
    depth = np.zeros(tree.node_count)  # type: ignore[attr-defined]
    for node, (left, right) in enumerate(zip(tree.children_left, tree.children_right, strict=True)):  # type: ignore[attr-defined]
        if left >= 0:
            depth[left] = depth[right] = depth[node] + 1
    return depth
