"""Overrides of a whole experiment that takes seconds."""

TINY = (
    "dataset.validation_fraction=0.25",
    "dataset.synthetic.side=48", "dataset.synthetic.train=12", "dataset.synthetic.test_normal=6",
    "dataset.synthetic.test_defective=10", "dataset.synthetic.contrast=2", "dataset.image.size=48",
    "patch=14x14", "unet=small", "scoring.stride=7", "scoring.micro_batch=16", "evaluation.figures=false",
    "training.max_steps=12", "training.epoch_steps=4", "training.batch_size=8", "training.warmup_steps=2",
    "training.validation_patches=16", "logger=csv", "trainer=cpu", "method.controls=[raw_sobel]",
)  # fmt: skip
