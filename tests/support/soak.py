"""Whether tests run with their full counts (`make soak`) or with a sample of them (`make test`)."""

import os

SOAK = os.environ.get("REDSTART_SOAK") == "1"
