"""The noise schedule, noise, sampling and the objective of ε-prediction; tensors only, no files."""
