"""The typed schema of an experiment: every key, its unit and its range; values live in `conf/` alone."""
