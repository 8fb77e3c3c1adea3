"""Image and pixel metrics over arrays; never a model."""
