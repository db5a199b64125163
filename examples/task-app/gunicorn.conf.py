"""One process, eight requests at a time. SIGTERM closes the port and lets those at hand finish."""
bind = "0.0.0.0:5000"
workers = 1
threads = 8
keepalive = 5
graceful_timeout = 10
worker_tmp_dir = "/dev/shm"
loglevel = "warning"


def post_worker_init(worker):
    # A worker of threads looks for SIGTERM once a second: most of the time that a stop takes.
    select = worker.poller.select
    worker.poller.select = lambda timeout=None: select(0.05 if timeout is None else min(timeout, 0.05))
