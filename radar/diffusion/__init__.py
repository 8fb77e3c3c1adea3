"""The noise schedule, the U-Net and its training module; tensors only, no files."""
