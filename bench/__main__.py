"""Run every bench, one after the other: ``python -m bench [--quick]``."""

import subprocess
import sys

BENCHES = ("match", "ingest", "deliver", "dormancy", "timers", "voice")

for name in BENCHES:
    print(f"== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"bench.{name}", *sys.argv[1:]], check=True)
