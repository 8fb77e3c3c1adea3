"""Runs an exported model without torch: NumPy, Pillow, and onnxruntime or openvino.

A distribution of its own, in which this folder is the package `radar_runtime`; so it imports nothing of `radar`, and its own files
by relative names.
"""
