"""One of each kind of feature store, as either side of a move; a test asks for those that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from azure.storage.blob import BlobServiceClient
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from heavylift.connections import Connection
from tests.support.azure_features_server import AzureFeaturesServer
from tests.support.feature_group_server import FeatureGroupServer
from tests.support.feature_moves import FeatureMoves
from tests.support.memory_features import Pair
from tests.support.small_redis import SmallRedis
from tests.support.vertex_features_server import VertexFeaturesServer

KINDS = ("sagemaker", "vertex", "azure")


@dataclass
class Side:
    """A feature store.

    :param prefix: below which its histories lie, as source and as target.
    :param rejected: requests that were not of the published form.
    :param writes: requests that change something.
    """

    connection: Connection
    history: Connection | None
    prefix: str
    rejected: Callable[[], list[str]] = list
    writes: Callable[[], int] = lambda: 0


@dataclass
class Sides:
    """Makes sides, and ends them.

    :param lakes: Cloud Storage and Blob servers, by scheme.
    """

    folder: Path
    lakes: Callable[[str], Connection]
    pair: Pair
    stack: ExitStack = field(default_factory=ExitStack)
    made: int = 0
    first: FeatureGroupServer | None = None

    def memory(self, connection: Connection, name: str) -> Side:
        return Side(connection, None, f"file://{self.folder}/{name}")

    def make(self, kind: str) -> Side:
        """Make an empty store of a kind."""
        self.made += 1
        side: Side = getattr(self, f"_{kind}")(f"n{self.made}")
        return side

    def _sagemaker(self, name: str) -> Side:
        server = FeatureGroupServer("us-east-1" if self.first is None else "eu-west-1", beside=self.first)
        if self.first is None:
            self.first = server
            server.s3.create_bucket(Bucket="lake")
        self.stack.callback(server.close)
        return Side(
            server.connection,
            None,
            f"s3://lake/{name}",
            lambda: server.rejected,
            lambda: len(server.writes),
        )

    def _vertex(self, name: str) -> Side:
        lake = self.lakes("gs")
        folder = self.folder / name
        folder.mkdir()
        server = VertexFeaturesServer(folder, lake, project=name)
        self.stack.callback(server.close)
        return Side(
            server.connection,
            lake,
            f"bq://p/{name}",
            lambda: server.rejected,
            lambda: len(server.writes),
        )

    def _azure(self, name: str) -> Side:
        blobs = self.lakes("az")
        client = blob_client(blobs)
        containers = (f"specs-{name}", f"lake-{name}")
        for each in containers:
            client.create_container(each)
            self.stack.callback(client.delete_container, each)
        redis = SmallRedis()
        self.stack.callback(redis.close)
        server = AzureFeaturesServer({**redis.extra, "datastore_container": containers[0]}, name)
        self.stack.callback(server.close)
        return Side(
            server.connection,
            blobs,
            f"az://{containers[1]}/features",
            lambda: server.rejected,
            lambda: len(server.writes),
        )


def move(source: Side, target: Side, **options: float) -> FeatureMoves:
    """Return a move between two sides."""
    return FeatureMoves(
        source.connection,
        target.connection,
        ((source.prefix, target.prefix),),
        dict(options),
        source_history=source.history,
        target_history=target.history,
    )


@contextmanager
def made(sides: Sides) -> Iterator[Sides]:
    """End all sides at the end."""
    with sides.stack:
        yield sides


def blob_client(blobs: Connection) -> BlobServiceClient:
    account = {"account_name": str(blobs.login), "account_key": str(blobs.password)}
    return BlobServiceClient(str(blobs.host), credential=account)


def storage_client(lake: Connection) -> storage.Client:
    options = ClientOptions(api_endpoint=lake.extra["endpoint_url"])
    return storage.Client("p", AnonymousCredentials(), client_options=options)
