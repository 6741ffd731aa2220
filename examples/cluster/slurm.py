"""Run codecbench on workers that Slurm starts, by dask-jobqueue.

    pip install 'codecbench[dask]' dask-jobqueue
    python slurm.py run --codecs opus,lyra --data /shared/speech --out /shared/runs/x

Everything after the file's name goes to ``codecbench``.  Change the figures below to those of your cluster.
"""

import subprocess
import sys

from dask_jobqueue import SLURMCluster

JOBS = 8

with SLURMCluster(
    cores=8,  # cells at once in a job: codecbench gives each a process of its own
    processes=1,  # Dask workers in a job
    memory="32GB",
    walltime="08:00:00",
    python="/shared/venv/bin/python",  # where codecbench is installed, seen by all nodes
    worker_extra_args=["--memory-limit", "0"],  # codecbench run --memory holds limits
    job_extra_directives=[],  # with GPUs: ["--gres=gpu:1"], and "--resources", "GPU=2" one line above
    log_directory="slurm-logs",
) as cluster:
    cluster.scale(jobs=JOBS)  # not adapt(): Dask asks for no worker while none has a cell
    command = ["codecbench", *sys.argv[1:], "--executor", "dask", "--scheduler", cluster.scheduler_address]
    status = subprocess.call(command)
sys.exit(status)
