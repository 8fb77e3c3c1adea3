"""U-Nets and EfficientNet; tensors only, no files but the pretrained weights."""
