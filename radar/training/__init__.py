"""Training: crops of normals, one Lightning module with an objective, averaging, checkpoints."""
