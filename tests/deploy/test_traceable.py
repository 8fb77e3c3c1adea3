"""What is traced computes what the model does: maps, points, scores and decisions, before any exporter has seen it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_builders import MODELS, PRETRAINED, model_of

from radar.data.preprocessing import plane_names
from radar.deploy.graph import size_of
from radar.deploy.traceable import TraceableModel
from radar.networks.efficientnet import is_installed


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_is_traced_answers_as_the_model(name: str) -> None:
    if name in PRETRAINED and not is_installed():
        pytest.skip("no pretrained features")
    model = model_of(name)
    size = size_of(model)
    traced = TraceableModel(model.method, model.detector, model.threshold, size)
    planes = len(plane_names(model.config.dataset.image))
    for height, width in [size.fixed] if size.fixed else [(40, 40), (33, 51)]:
        images = torch.rand(3, planes, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
        if model.method.reading.has_region:
            images[:, -1] = torch.where(images[:, -1] + torch.linspace(-2, 1, width) < 0, 1, -1)
        noise = model.method.draws.of(["a", "b", "c"], model.method.noise_shape(planes, height, width), 0)
        with torch.inference_mode():
            maps, points, scores, decisions = traced(images, noise)
            wanted = model.judged(model.method(images, noise))
        top = wanted.anomaly_maps.max()
        assert top > 0 and (maps - wanted.anomaly_maps).abs().max() <= 1e-5 * top
        np.testing.assert_allclose(points.numpy(), wanted.points, rtol=1e-5)
        np.testing.assert_allclose(scores.numpy(), wanted.scores, atol=1e-4)
        assert len(np.unique(wanted.scores)) > 1
        assert (decisions.numpy() == wanted.decisions)[np.abs(wanted.scores - model.threshold) > 1e-4].all()
