"""Run codecbench on machines reached by ssh, with Dask's own SSHCluster.

    pip install 'codecbench[dask]' asyncssh
    python ssh.py run --codecs opus,lyra --data speech/ --out runs/x

Everything after the file's name goes to ``codecbench``.  Keys must let you in without a password.
"""

import subprocess
import sys

from dask.distributed import SSHCluster

HOSTS = [
    "10.0.0.1",  # the scheduler's
    "10.0.0.1",  # the workers'; a host may be named twice
    "10.0.0.2",
]

if __name__ == "__main__":
    with SSHCluster(
        HOSTS,
        connect_options={},  # of asyncssh.connect, e.g. {"username": "me"}
        remote_python="/shared/venv/bin/python",  # where codecbench is installed on them
        scheduler_options={"port": 8786},
        worker_options={"nthreads": 8, "memory_limit": 0},  # cells at once on a host
    ) as cluster:
        command = ["codecbench", *sys.argv[1:], "--executor", "dask"]
        status = subprocess.call([*command, "--scheduler", cluster.scheduler_address])
    sys.exit(status)
