"""What an application pays for importing letgo.runtime."""

import json
import subprocess
import sys

MEASURE = """
import json, sys, time
import sqlalchemy.ext.asyncio, sqlalchemy.orm
import starlette.applications, starlette.background, starlette.responses
before, began = set(sys.modules), time.process_time()
import letgo.runtime
took = time.process_time() - began
print(json.dumps([took, sorted({name.partition(".")[0] for name in set(sys.modules) - before})]))
"""


def test_it_imports_the_standard_library_sqlalchemy_and_starlette_alone_and_fast() -> None:
    runs = [json.loads(subprocess.check_output([sys.executable, "-c", MEASURE])) for _ in range(5)]
    foreign = {name for _, names in runs for name in names} - sys.stdlib_module_names - {"letgo"}
    assert foreign <= {"sqlalchemy", "starlette"}
    assert min(took for took, _ in runs) < 0.03
