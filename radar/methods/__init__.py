"""Every method behind one interface: `fit(normal)` and `score(images)`."""
