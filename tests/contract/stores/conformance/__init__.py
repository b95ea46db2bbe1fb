"""One suite for every object store adapter.

A test module of an adapter composes a class from what its server can do and gives it a
``subject`` fixture::

    class TestGcs(Objects, Keys, Listings, Parts):
        @pytest.fixture
        async def subject(self, ...) -> AsyncIterator[Subject]:
            ...

``Objects``, ``Keys``, ``Listings`` and ``Parts`` hold for every adapter. ``OrderedListings``,
``Pages``, ``VerifyingServer`` and ``CheckingServer`` need a server which does what the real
store does; emulators do not all. A class overrides a test where its store's own rules differ.
"""

from tests.contract.stores.conformance.keys import Keys
from tests.contract.stores.conformance.listings import Listings, OrderedListings, Pages
from tests.contract.stores.conformance.objects import Objects
from tests.contract.stores.conformance.parts import Parts
from tests.contract.stores.conformance.servers import CheckingServer, VerifyingServer

__all__ = [
    "CheckingServer",
    "Keys",
    "Listings",
    "Objects",
    "OrderedListings",
    "Pages",
    "Parts",
    "VerifyingServer",
]
