"""Stages, fingerprints and run directories: the only room that writes below `outputs/`."""
