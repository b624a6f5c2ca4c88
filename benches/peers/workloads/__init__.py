"""Which workloads there are: each a question, the commands that are compared, and how to see that the work was really done.

A module for each kind of work. When commands run and how they are timed is not known here.
"""

from workloads import files, flights, http, inside, python, shell, startup

ALL = {
    "startup": startup.startup,
    "py-noop": python.py_noop,
    "py-records": python.py_records,
    "py-cpu": python.py_cpu,
    "csv-dir": files.csv_dir,
    "shell-noop": shell.shell_noop,
    "shell-echo": shell.shell_echo,
    "http-get": http.http_get,
    "flights": flights.flights,
    "retry-delay": inside.retry_delay,
    "ledger": inside.ledger,
}
