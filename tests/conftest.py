"""What all tests need."""

import os
import signal

# A script's background jobs are started with SIGINT ignored, and their children inherit that; tests
# that interrupt a process need it heard.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Of several processes that test there is one for each core: threads of PyTorch would wait for those
# of others, and take several times the CPU time. Processes that tests start inherit this.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
