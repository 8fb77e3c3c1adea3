"""Images: layouts on disk, decoding, splits, the synthetic generator and the patch sampler; no model."""
