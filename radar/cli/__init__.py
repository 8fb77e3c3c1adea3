"""Entry points: compose, call, print."""
