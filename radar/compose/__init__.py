"""From a command line to checked configs, errors in one line.

In a program of one's own, `compose.experiment(["experiment=paper", "dataset=grid"])` gives the checked `Config` that the
command `radar experiment=paper dataset=grid` runs.
"""

from radar.compose.plan import experiment

__all__ = ["experiment"]
