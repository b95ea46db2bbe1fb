"""Starting, finding and stopping a sandbox."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import airflow as airflow_
from sandbox import airflow_up, connections, groups, records, state
from sandbox.groups import Report
from sandbox.launcher import Owner
from sandbox.model import Connection, Server
from sandbox.servers import AIRFLOW_DB, SERVERS, postgres, select
from sandbox.state import State


def silent(_server: Server, _what: str, _seconds: float) -> None:
    """Report nothing."""


@dataclass
class Stack:
    """A running sandbox.

    :param env: ``AIRFLOW_CONN_*`` of every server that runs, and of the evidence folder.
    :param endpoints: address of each server by connection id.
    :param airflow_database: address of Airflow's own database, once Airflow runs.
    """

    state_dir: Path
    _owner: Owner = field(repr=False)
    env: dict[str, str] = field(default_factory=dict, repr=False)
    endpoints: dict[str, str] = field(default_factory=dict)
    airflow_url: str | None = None
    airflow_login: tuple[str, str] | None = field(default=None, repr=False)
    airflow_database: str | None = field(default=None, repr=False)
    _airflow_settings: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def start(
        cls,
        state_dir: Path,
        servers: Sequence[str] | None = None,
        airflow: bool = False,
        *,
        detached: bool = False,
        report: Report = silent,
        airflow_settings: Mapping[str, str] | None = None,
    ) -> Stack:
        """Start what is missing, wait until all of it serves, and write ``env``.

        Running it again finds what is healthy and starts only the rest.

        :param servers: connection ids, None for all.
        :param airflow: start Airflow too; its tasks get every connection of ``env``.
        :param detached: the servers outlive this process, until :func:`stop_all`; otherwise
            they end with it, however it ends.
        :param airflow_settings: variables for Airflow's processes, over the sandbox's own.
        :raises ServerUnavailableError: a server did not come up; what was started is stopped.
        :raises ConnectionConfigError: a setting is wrong; nothing was started.
        """
        folder = state_dir.resolve()
        stack = cls(folder, Owner(folder, detached=detached))
        wanted = select(servers) + ([AIRFLOW_DB] if airflow else [])
        try:
            with state.locked(folder):
                stack._bring_up(wanted, report)
                if airflow:
                    stack._bring_up_airflow(airflow_settings or {}, report)
        except BaseException:
            stack._owner.stop()
            raise
        return stack

    def ensure(self, *names: str, report: Report = silent) -> None:
        """Start further servers of this stack; healthy ones are left alone."""
        with state.locked(self.state_dir):
            self._bring_up(select(names), report)

    def ensure_airflow(self, report: Report = silent) -> None:
        """Start those of Airflow's processes that have died, with the settings that it was started with."""
        with state.locked(self.state_dir):
            self._bring_up_airflow(self._airflow_settings, report)

    def stop(self) -> None:
        """Stop what this stack started; servers that it found running stay, and stay in ``env``."""
        self._owner.stop()
        with state.locked(self.state_dir):
            self._describe(state.load(self.state_dir))

    def _bring_up(self, wanted: Sequence[Server], report: Report) -> None:
        known = state.load(self.state_dir)
        missing = groups.missing(wanted, known, self.state_dir, report)
        for server in missing:
            known = groups.allot(server.name, server.ports, server.secrets, known)
        state.save(self.state_dir, known)
        for wave in groups.waves(missing):
            units = [(server, known.place(server.name, self.state_dir)) for server in wave]
            groups.start(units, known.sandbox, self._owner, report)
        self._describe(known)

    def _bring_up_airflow(self, settings: Mapping[str, str], report: Report) -> None:
        self._airflow_settings = settings
        site = airflow_up.ensure(self.state_dir, self.env, settings, self._owner, report)
        self.airflow_url = site.place.url
        self.airflow_login = airflow_.login(site.place)
        self.airflow_database = site.database.replace("+psycopg2", "", 1)

    def _describe(self, known: State) -> None:
        found: dict[str, Connection] = {}
        self.endpoints = {}
        for name, server in SERVERS.items():
            record = records.read(self.state_dir, name)
            if record is not None and record.alive:
                place = known.place(name, self.state_dir)
                found[name] = server.connection(place)
                found |= server.more_connections(place)
                self.endpoints[name] = server.address(place)
        self.env = connections.variables({"evidence": connections.evidence(self.state_dir), **found})
        if found:
            connections.write(self.state_dir, self.env)
        else:
            (self.state_dir / "env").unlink(missing_ok=True)


def stop_all(state_dir: Path, *, clean: bool = False) -> int:
    """Stop every server of a sandbox, whoever started it; return how many were running.

    :param clean: throw the sandbox's data, evidence, keys and logs away too.
    """
    state_dir = state_dir.resolve()
    if not state_dir.exists():
        return 0
    with state.locked(state_dir):
        count = records.end_all(state_dir, state.load(state_dir).sandbox)
        (state_dir / "env").unlink(missing_ok=True)
        if clean:
            _throw_away(state_dir)
    return count


def _throw_away(state_dir: Path) -> None:
    for note in state_dir.glob(f"servers/*/{postgres.ELSEWHERE}"):
        shutil.rmtree(note.read_text(), ignore_errors=True)
    for entry in state_dir.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "lock":
            entry.unlink()
