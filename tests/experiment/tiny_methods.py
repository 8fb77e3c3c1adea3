"""Every option of group `method` but RADAR, with what makes it take seconds."""

_SHORT = (
    "method.reconstruction.start=20",
    "method.reconstruction.steps=3",
    "method.reconstruction.calibration_images=2",
)
_ADAPTATION = ("method.reconstruction.adaptation.max_steps=3", "method.reconstruction.adaptation.pairs=2")
_WINDOWS = (
    "method.windows.size=10",
    "method.windows.stride=5",
    "method.windows.fitting_windows=500",
    "method.windows.trees=10",
)
_EMBEDDING = (
    "method.embedding.side=64", "method.embedding.bank=50", "method.embedding.fitting_vectors=500",
    "method.embedding.dimensions=20", "method.embedding.trim=1", "method.embedding.rings=1",
)  # fmt: skip
_FEATURE_SPACE = (
    "method.feature_space.side=64", "method.feature_space.dimensions=6", "method.feature_space.crop=4",
    "method.feature_space.channels=[8,8]", "method.feature_space.max_steps=8",
)  # fmt: skip
_WINDOW_MODELS = ("pca", "isolation_forest", "lof", "one_class_svm", "mahalanobis")

METHODS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*_WINDOW_MODELS, *(f"{name}_texture" for name in _WINDOW_MODELS), "elliptic_envelope"), _WINDOWS),
    **dict.fromkeys(("ddpm", "anoddpm", "ddad"), _SHORT),
    "osd_irf": (),
    "invad": (),
    "fused_densities": ("detector=cross_fitted", "dataset.image.channels=luma_chroma"),
    "diffusion_ad": ("method.segmentation.max_steps=8", "method.segmentation.channels=[8,16]"),
    "deep_svdd": ("method.hypersphere.max_steps=8",),
}
PRETRAINED: dict[str, tuple[str, ...]] = {
    "patchcore": _EMBEDDING,
    "padim": _EMBEDDING,
    "ddad_pretrained": (*_SHORT, *_ADAPTATION),
    **dict.fromkeys(("osd_irf_pretrained", "invad_pretrained"), _FEATURE_SPACE),
    "fused_densities_pretrained": (
        "detector=cross_fitted",
        "dataset.image.channels=luma_chroma",
        "method.fused_densities.features.side=64",
    ),
}

# RADAR in every scoring and with every detector
SCORINGS: dict[str, tuple[str, ...]] = {
    "recommended": (),
    "forest": ("detector=isolation_forest", "scoring=paper", "scoring.stride=7"),
    "averaged": ("scoring=averaged", "scoring.draws=2", "scoring.stride=7"),
    "residual": ("scoring=residual", "scoring.stride=7"),
    "whole": ("scoring=whole", "unet=compact"),
    "density": ("scoring=density", "scoring.field=stitched", "scoring.stride=7"),
    "density_of_draws": ("scoring=density", "scoring.draws=1", "scoring.field=stitched", "scoring.stride=7"),
    "shifted": ("detector=shifted_tail",),
    "held_out_forest": ("detector=isolation_forest_held_out",),
}
