"""`python -m radar` is the command `radar`."""

from radar.cli.main import process

process()
