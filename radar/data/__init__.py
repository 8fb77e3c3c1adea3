"""Images: layouts, decoding, splits and their leaks, manifests, the drawn sets; nothing here knows a model."""
