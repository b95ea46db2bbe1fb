"""An Azure subscription of known content; the truth is written down by hand, resource by resource."""

from __future__ import annotations

from typing import Any

from tests.support.rest_server import Api
from tests.support.seeded_account import Truth

SUB = "0000aaaa-1111-2222-3333-444455556666"
SECRET = "s3cr3t-of-the-subscription"
ROOT = f"subscriptions/{SUB}/providers"
GROUP = f"/subscriptions/{SUB}/resourceGroups/Prod/providers"
ML = "Microsoft.MachineLearningServices"


class SubscriptionTruth(Truth):
    """What the subscription holds; types are written without ``Azure::``, ids in small letters."""

    def add(self, native_type: str, id: str, *, uses: Any = (), infers: Any = ()) -> str:
        low = id.lower()
        self.components[low] = f"Azure::{native_type}"
        self.explicit |= {(low, target.lower()) for target in uses}
        self.inferred |= {(low, target.lower()) for target in infers}
        return low


def api() -> Api:
    """Return an empty subscription's API: each page names the address of the next."""

    def following(url: str, number: int) -> dict[str, Any]:
        return {"nextLink": f"{url.partition('&$skiptoken=')[0]}&$skiptoken={number}"}

    made = Api(following, "$skiptoken")
    made.listings[f"subscriptions/{SUB}"] = [{"subscriptionId": SUB}]
    return made


class Seeder:
    """Fills a subscription."""

    def __init__(self, made: Api) -> None:
        self.made, self.truth = made, SubscriptionTruth()

    def put(self, path: str, id: str, **more: Any) -> None:
        """Add one resource to a listing, on a page of its own."""
        pages = self.made.listings.setdefault(path.strip("/"), [])
        pages.append({"value": [{"id": id, "name": id.rpartition("/")[2], "location": "westeurope", **more}]})

    def top(self, provider: str, plural: str, name: str, **more: Any) -> str:
        """Add a resource that is listed over the subscription."""
        id = f"{GROUP}/{provider}/{plural}/{name}"
        self.put(f"{ROOT}/{provider}/{plural}", id, **more)
        return id

    def below(self, parent: str, plural: str, name: str, **more: Any) -> str:
        """Add a resource that lies in another."""
        id = f"{parent}/{plural}/{name}"
        self.put(f"{parent}/{plural}", id, **more)
        return id

    def run(self) -> SubscriptionTruth:
        """Fill it, and tell what is in it."""
        self.identity = self._identity()
        self.account, self.container = self._storage()
        self.vault = self._vault()
        self.registry = self.top(
            "Microsoft.ContainerRegistry",
            "registries",
            "images",
            properties={"loginServer": "images.azurecr.io"},
        )
        self.truth.add("ContainerRegistry::Registry", self.registry)
        self.database = self._database()
        self.workspace = self._workspace()
        self._learning()
        self._platform()
        self.truth.secrets.add(SECRET)
        return self.truth

    def _identity(self) -> str:
        identity = self.top(
            "Microsoft.ManagedIdentity", "userAssignedIdentities", "serving",
            properties={"principalId": "p-1", "clientId": "c-1"},
        )  # fmt: skip
        self.truth.add("ManagedIdentity", identity)
        return identity

    def _storage(self) -> tuple[str, str]:
        account = self.top("Microsoft.Storage", "storageAccounts", "mldata")
        self.truth.add("Storage::Account", account)
        for name in ("raw", "models"):
            container = self.below(f"{account}/blobServices/default", "containers", name)
            self.truth.add("Storage::Container", container, uses=[account])
        return account, f"{account}/blobServices/default/containers/raw"

    def _vault(self) -> str:
        vault = self.top(
            "Microsoft.KeyVault", "vaults", "keys", properties={"vaultUri": "https://keys.vault.azure.net/"}
        )
        self.truth.add("KeyVault::Vault", vault)
        secret = self.below(
            vault, "secrets", "db", properties={"secretUri": "https://keys.vault.azure.net/secrets/db"}
        )
        self.truth.add("KeyVault::Secret", secret, uses=[vault])
        return vault

    def _database(self) -> str:
        host = "features.postgres.database.azure.com"
        database = self.top(
            "Microsoft.DBforPostgreSQL", "flexibleServers", "features",
            properties={"fullyQualifiedDomainName": host, "version": "16"},
        )  # fmt: skip
        self.truth.add("PostgreSQL::Server", database)
        return database

    def _workspace(self) -> str:
        insights = f"{GROUP}/Microsoft.Insights/components/watch"
        properties = {
            "storageAccount": self.account.lower(), "keyVault": self.vault.upper(),
            "containerRegistry": self.registry, "applicationInsights": insights,
        }  # fmt: skip
        workspace = self.top(
            ML, "workspaces", "team", kind="Default", properties=properties,
            identity={"userAssignedIdentities": {self.identity: {}}},
        )  # fmt: skip
        uses = [self.account, self.vault, self.registry, self.identity]
        self.truth.add("MachineLearning::Workspace", workspace, uses=uses)
        self.truth.outside.add(insights.lower())
        return workspace

    def _learning(self) -> None:
        ws, truth = self.workspace, self.truth
        compute = self.below(ws, "computes", "gpu", properties={"computeType": "AmlCompute"})
        truth.add("MachineLearning::Compute", compute, uses=[ws])
        store = self.below(
            ws, "datastores", "raw",
            properties={"datastoreType": "AzureBlob", "accountName": "mldata", "containerName": "raw"},
        )  # fmt: skip
        truth.add("MachineLearning::Datastore", store, uses=[ws, self.container])
        environment = self.below(ws, "environments", "torch", properties={})
        image = {
            "id": f"{environment}/versions/1",
            "name": "1",
            "properties": {"image": "images.azurecr.io/torch:2"},
        }
        self.made.listings[f"{environment}/versions".strip("/")] = [{"value": [image]}]
        truth.add("MachineLearning::Environment", environment, uses=[ws, self.registry])
        model = self.below(ws, "models", "churn", properties={"latestVersion": "3"})
        uri = "azureml://datastores/raw/paths/m"
        version = {"id": f"{model}/versions/3", "name": "3", "properties": {"modelUri": uri}}
        self.made.listings[f"{model}/versions".strip("/")] = [{"value": [version]}]
        truth.add("MachineLearning::Model", model, uses=[ws, store])
        endpoint = self.below(ws, "onlineEndpoints", "churn", properties={})
        database = f"postgresql://u:{SECRET}@features.postgres.database.azure.com:5432/f"
        blue = {
            "id": f"{endpoint}/deployments/blue", "name": "blue",
            "properties": {
                "model": f"{model}/versions/3", "environmentId": f"azureml:{environment}/versions/1",
                "environmentVariables": {"DB": database},
            },
        }  # fmt: skip
        self.made.listings[f"{endpoint}/deployments".strip("/")] = [{"value": [blue]}]
        uses = [ws, model, environment]
        truth.add("MachineLearning::OnlineEndpoint", endpoint, uses=uses, infers=[self.database])
        inputs = {"data": {"uri": "abfss://models@mldata.dfs.core.windows.net/in"}}
        job = self.below(
            ws, "jobs", "train-1", properties={"jobType": "Command", "computeId": compute, "inputs": inputs}
        )
        models = f"{self.account}/blobServices/default/containers/models"
        truth.add("MachineLearning::Job", job, uses=[ws, compute, models])

    def _platform(self) -> None:
        truth = self.truth
        definition = f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/reader"
        for name, kind in (("a", "ServicePrincipal"), ("b", "User")):
            properties = {
                "scope": self.account, "roleDefinitionId": definition,
                "principalId": f"p-{1 if name == 'a' else 2}",
                "principalType": kind,
            }  # fmt: skip
            assignment = f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleAssignments/{name}"
            self.put(f"{ROOT}/Microsoft.Authorization/roleAssignments", assignment, properties=properties)
            uses = [self.account, *([self.identity] if name == "a" else [])]
            truth.add("Authorization::RoleAssignment", assignment, uses=uses)
        truth.outside.add(definition.lower())
        network = self.top("Microsoft.Network", "virtualNetworks", "main")
        truth.add("Network::VirtualNetwork", network)
        pool = {"name": "gpu", "vmSize": "Standard_NC24ads_A100_v4", "vnetSubnetID": f"{network}/subnets/a"}
        cluster = self.top(
            "Microsoft.ContainerService", "managedClusters", "prod", properties={"agentPoolProfiles": [pool]}
        )
        truth.add("Kubernetes::Cluster", cluster, uses=[network])


def seed(made: Api) -> SubscriptionTruth:
    """Fill a subscription."""
    return Seeder(made).run()
