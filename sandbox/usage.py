"""What ``./dev --help`` prints. Standard library only: it is shown before anything is installed."""

COMMANDS = frozenset(
    {
        "demo",
        "up",
        "status",
        "down",
        "heavylift",
        "test",
        "check",
        "docs",
        "bench",
        "faults",
        "lock",
        "screenshots",
    }
)

USAGE = """\
Usage: ./dev COMMAND [OPTIONS]

The first command of all installs what the project needs into .venv (some minutes and 2 GB, mostly
downloads; shown as it goes). Later ones start at once.

See it
  demo [--exit] [--pause]     two local clouds, Airflow, and a whole migration between them; stays up
                              until Ctrl-C. --exit ends after the run, with status 0 only if the
                              migration was proved; --pause leaves the approvals to you in the UI
       [--rollback]           roll the workload back after the cutover

Work with it
  up [--airflow]              start the local servers, and Airflow if asked for, and leave them running;
     [--only NAME,...]        writes .sandbox/env, which your shell can source
  status                      what runs, and where
  down [--clean]              stop them all; --clean throws their data away too
  heavylift ARGS...           the command line of the library, with the sandbox's connections

Change it
  test [LAYER] [-- PYTEST-ARGS...]
                              all tests, or those of unit, contract, plugins, dags, integration or e2e
  check                       formatting, lint, types, imports, spelling, lock
  bench [LANE] [--json FILE]  measure beside other tools; LANE a group: objects, streams;
        [--runs N] [--scale X]  canary: how often targets are judged rightly; switch: how long
                              cutovers and rollbacks take under load
  faults [--rounds N] [--seed N] [--parts N] [--switch N] [--report FILE]
                              rounds of faults against real servers, 200 by default; --parts also kills
                              copies of one large object; --switch: rounds of cutovers instead
  docs [--external]           the documentation as HTML, its links checked; --external asks every address
                              outside instead, which needs a network
  lock [--upgrade]            resolve requirements.in into requirements.txt again
  screenshots                 take the pictures of the documentation anew

Exit status: 0 done; 1 ran, but something failed; 2 the command or the settings are wrong and nothing
was touched; 3 interrupted, safe to run again.

Settings (environment): HEAVYLIFT_PORT_<SERVER> fixes a server's port; HEAVYLIFT_SANDBOX_GCS_BACKEND
is memory (default) or filesystem; HEAVYLIFT_PYTHON names the Python to use. Settings of pip and uv
(indexes, proxies, certificates) are honoured. More in docs/reference/dev.md.
"""
