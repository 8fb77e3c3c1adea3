"""From a command line to checked configs, errors in one line."""
