import subprocess
import sys


def test_the_gateway_imports_nothing_of_the_analyser() -> None:
    code = "import sys, letgo_gateway; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "letgo_gateway" in loaded
    assert not {name for name in loaded if name.startswith(("letgo.source", "letgo.lifetime", "letgo.rules"))}
