"""Prepares the metadata database once, before any component starts: tables, then the first administrator.

Run by the service airflow-init. A second run migrates what is new and leaves an existing administrator
alone. The password is read from a file and stays inside this process; the command line of
``airflow users create`` would show it to everybody on the host.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PASSWORD_FILE = Path("/run/secrets/admin_password")


def migrate() -> None:
    """Create or migrate the tables of Airflow and of its FAB auth manager.

    :raises subprocess.CalledProcessError: the migration failed; what failed is on standard error.
    """
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)


def create_administrator(name: str, password: str, email: str) -> bool:
    """Create the administrator, and return whether there was none of that name before.

    :raises SystemExit: the auth manager refused the user; why is in the log.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    @providers_configuration_loaded
    def create() -> bool:
        with get_application_builder() as builder:
            manager = builder.sm
            if manager.find_user(username=name):
                return False
            role = manager.find_role("Admin")
            if not manager.add_user(name, name, "Administrator", email, role, password=password):
                raise SystemExit(f"creating the administrator {name} failed: the auth manager refused it")
            return True

    return bool(create())


def main() -> int:
    """Prepare the database; the exit status tells whether the other services may start."""
    migrate()
    name = os.environ.get("HEAVYLIFT_ADMIN_USER", "admin")
    email = os.environ.get("HEAVYLIFT_ADMIN_EMAIL", f"{name}@localhost")
    password = PASSWORD_FILE.read_text(encoding="utf-8").strip()
    if not password:
        raise SystemExit(f"{PASSWORD_FILE} is empty: run docker/make_secrets.py")
    made = create_administrator(name, password, email)
    sys.stdout.write(f"administrator {name}: {'created' if made else 'exists, left as it is'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
