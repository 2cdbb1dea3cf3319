import sys

from letgo_gateway.cli import main

sys.exit(main())
