"""Single-step scoring: noise map, edge map, features, detector, and the one pure `score`."""
