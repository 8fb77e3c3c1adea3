"""`python -m radar` is the command `radar`."""

import sys

from radar.cli.main import main

sys.exit(main())
