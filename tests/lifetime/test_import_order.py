"""The modules of this layer call each other in circles. Whoever needs one need not know of the others."""

import subprocess
import sys
from pathlib import Path

import letgo.lifetime

EACH_FIRST = """
import importlib, sys

for name in sys.argv[1:]:
    for loaded in [module for module in sys.modules if module.startswith("letgo.lifetime")]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""


def test_each_module_can_be_the_first_to_be_imported():
    names = [f"letgo.lifetime.{path.stem}" for path in Path(letgo.lifetime.__file__).parent.glob("[a-z]*.py")]
    assert len(names) > 20
    run = subprocess.run([sys.executable, "-c", EACH_FIRST, *names], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
