"""Drawn inspection images with planted, masked defects: surfaces, the defects in them, and the camera."""
