"""An Isolation Forest as plain arrays: fitted by scikit-learn, scored and stored without it (Liu et al. 2008)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radar.errors import RunError

Floats = NDArray[np.float64]


def average_path_length(samples: NDArray[np.number]) -> Floats:
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
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - a second of start that a stored model does without

        model = IsolationForest(
            n_estimators=trees, max_samples=min(max_samples, len(points)), random_state=seed % 2**32
        ).fit(points)
        nodes = max(tree.tree_.node_count for tree in model.estimators_)
        arrays: dict[str, list[NDArray[np.generic]]] = {
            name: [] for name in ("feature", "threshold", "left", "right", "depth")
        }
        for estimator in model.estimators_:
            tree = estimator.tree_
            leaf = tree.children_left < 0
            row = np.arange(nodes)
            node = row[: tree.node_count]
            values = {
                "feature": np.where(leaf, -1, tree.feature),
                "threshold": np.where(leaf, 0.0, tree.threshold),
                "left": np.where(leaf, node, tree.children_left),  # a leaf is its own child: walking on stays there
                "right": np.where(leaf, node, tree.children_right),
                "depth": _node_depths(tree) + average_path_length(tree.n_node_samples),
            }
            padding = {"feature": np.full(nodes, -1), "left": row, "right": row}  # unreachable leaves
            for name, value in values.items():
                arrays[name].append(np.concatenate([value, padding.get(name, np.zeros(nodes))[len(value) :]]))
        return Forest(
            **{name: np.stack(value) for name, value in arrays.items()}, max_samples=np.array(model.max_samples_)
        )

    def anomaly_score(self, points: Floats) -> Floats:
        """2^(−E[h]/c) of points `(N, F)`, in (0, 1); the negative of scikit-learn's `score_samples`.

        Raises `RunError` where the points have fewer features than the trees test.
        """
        if points.shape[1] <= self.feature.max():
            raise RunError(
                f"detector: the stored forest tests feature {self.feature.max() + 1} of points that have "
                f"{points.shape[1]}; run the experiment again"
            )
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
        normal_depth = average_path_length(self.max_samples)
        # one sample per tree has no depth to compare with: scikit-learn then calls every point equally normal
        ratio = mean_depth / normal_depth if normal_depth > 0 else np.ones_like(mean_depth)
        return np.asarray(2.0**-ratio)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What is stored."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Forest:
        """The inverse of `arrays`. Raises `RunError` where they do not describe trees."""
        try:
            forest = Forest(**{item.name: arrays[item.name] for item in fields(Forest)})  # type: ignore[arg-type]
        except KeyError as missing:
            raise RunError(f"detector: the stored forest lacks {missing}; run the experiment again") from None
        if not forest._is_sound():
            raise RunError("detector: the stored forest is damaged; run the experiment again")
        return forest

    def _is_sound(self) -> bool:
        """Whether the arrays describe trees that every walk leaves through a leaf."""
        shape, links, values = self.feature.shape, (self.feature, self.left, self.right), (self.threshold, self.depth)
        if (
            len(shape) != 2
            or 0 in shape
            or any(array.shape != shape for array in (*links, *values))
            or any(array.dtype.kind != "i" for array in (*links, self.max_samples))
            or any(array.dtype.kind != "f" for array in values)
            or self.max_samples.shape != ()
        ):
            return False
        node, leaf = np.arange(shape[1]), self.feature == -1
        # a leaf is its own child, other children lie after their parent: walking down always ends
        linked = all(
            np.where(leaf, child == node, (child > node) & (child < shape[1])).all()
            for child in (self.left, self.right)
        )
        counted = (self.feature >= -1).all() and (self.depth >= 0).all() and self.max_samples >= 1
        return bool(linked and counted and all(np.isfinite(array).all() for array in values))


def _node_depths(tree: Any) -> Floats:
    """Number of edges from the root to each node of a fitted scikit-learn tree."""
    depth = np.zeros(tree.node_count)
    for node, (left, right) in enumerate(zip(tree.children_left, tree.children_right, strict=True)):
        if left >= 0:
            depth[left] = depth[right] = depth[node] + 1
    return depth
