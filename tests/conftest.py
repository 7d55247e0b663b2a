"""What all tests need."""

import signal

# A script's background jobs are started with SIGINT ignored, and their children inherit that; tests
# that interrupt a process need it heard.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
