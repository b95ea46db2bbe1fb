"""A Google project of known content; the truth is written down by hand, resource by resource."""

from __future__ import annotations

from typing import Any

from tests.support.rest_server import Api
from tests.support.seeded_account import Truth

PROJECT, NUMBER, REGION = "ml-prod", "123456789", "europe-west4"
SECRET = "s3cr3t-of-the-project"
HERE = f"projects/{PROJECT}/locations/{REGION}"
BY_NUMBER = f"projects/{NUMBER}/locations/{REGION}"


class ProjectTruth(Truth):
    """What the project holds; types are written without ``GCP::``."""

    def add(self, native_type: str, id: str, *, uses: Any = (), infers: Any = ()) -> str:
        self.components[id] = f"GCP::{native_type}"
        self.explicit |= {(id, target) for target in uses if target}
        self.inferred |= {(id, target) for target in infers if target}
        return id


def api() -> Api:
    """Return an empty project's API."""
    made = Api(lambda _url, number: {"nextPageToken": str(number)}, "pageToken")
    made.listings = {
        f"cloudresourcemanager/v3/projects/{PROJECT}": [{"name": f"projects/{NUMBER}", "projectId": PROJECT}],
        f"compute/compute/v1/projects/{PROJECT}/regions": [{"items": [{"name": REGION}]}],
        f"aiplatform/v1/projects/{PROJECT}/locations": [{"locations": [{"locationId": REGION}]}],
        **{
            f"{service}/v1/projects/{PROJECT}/locations": [{"locations": [{"locationId": REGION}]}]
            for service in ("artifactregistry", "cloudkms")
        },
    }
    return made


def seed(made: Api) -> ProjectTruth:
    """Fill a project."""
    truth = ProjectTruth()
    accounts = _identity(made, truth)
    ring, bucket, dataset, table, database = _data(made, truth)
    repository = _images(made, truth)
    _models(made, truth, accounts, bucket, repository, table)
    secret = _secret(made, truth)
    _serving(made, truth, accounts, secret, database, repository)
    _network(made, truth, accounts)
    truth.explicit.add((bucket, ring))
    truth.secrets.add(SECRET)
    del dataset
    return truth


def _identity(made: Api, truth: ProjectTruth) -> str:
    email = f"train@{PROJECT}.iam.gserviceaccount.com"
    made.listings[f"iam/v1/projects/{PROJECT}/serviceAccounts"] = [
        {"accounts": [{"name": f"projects/{PROJECT}/serviceAccounts/{email}", "email": email}]}
    ]
    account = truth.add(
        "IAM::ServiceAccount", f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{email}"
    )
    agent = f"serviceAccount:service-{NUMBER}@gcp-sa-aiplatform.iam.gserviceaccount.com"
    bindings = [
        {
            "role": "roles/aiplatform.user",
            "members": [f"serviceAccount:{email}", "user:me@example.com", agent],
        }
    ]
    made.listings[f"cloudresourcemanager/v3/projects/{PROJECT}:getIamPolicy"] = [{"bindings": bindings}]
    policy = f"//cloudresourcemanager.googleapis.com/projects/{PROJECT}/policy"
    truth.add("IAM::Policy", policy, infers=[account])
    truth.outside.add(f"gcp:{agent}")
    return account


def _data(made: Api, truth: ProjectTruth) -> tuple[str, str, str, str, str]:
    key = f"{HERE}/keyRings/main/cryptoKeys/data"
    made.listings[f"cloudkms/v1/{HERE}/keyRings"] = [{"keyRings": [{"name": f"{HERE}/keyRings/main"}]}]
    made.listings[f"cloudkms/v1/{HERE}/keyRings/main/cryptoKeys"] = [{"cryptoKeys": [{"name": key}]}]
    ring = truth.add("KMS::KeyRing", f"//cloudkms.googleapis.com/{HERE}/keyRings/main")
    encryption = {"defaultKmsKeyName": key}
    made.listings["storage/v1/b"] = [
        {"items": [{"name": "ml-raw", "location": "EU", "encryption": encryption}]},
    ]
    bucket = truth.add("Storage::Bucket", "//storage.googleapis.com/ml-raw")
    root = f"bigquery/bigquery/v2/projects/{PROJECT}/datasets"
    reference = {"projectId": PROJECT, "datasetId": "sales"}
    made.listings[root] = [{"datasets": [{"datasetReference": reference, "location": "EU"}]}]
    found = {"tableReference": {**reference, "tableId": "orders"}, "type": "TABLE"}
    made.listings[f"{root}/sales/tables"] = [{"tables": [found]}]
    made.listings[f"{root}/sales/tables/orders"] = [{**found, "numBytes": "4096", "numRows": "12"}]
    dataset = truth.add("BigQuery::Dataset", f"//bigquery.googleapis.com/projects/{PROJECT}/datasets/sales")
    table = truth.add("BigQuery::Table", f"{dataset}/tables/orders", uses=[dataset])
    link = f"https://sqladmin.googleapis.com/sql/v1beta4/projects/{PROJECT}/instances/features"
    instance = {"name": "features", "selfLink": link, "ipAddresses": [{"ipAddress": "10.1.2.3"}]}
    made.listings[f"sqladmin/v1/projects/{PROJECT}/instances"] = [{"items": [instance]}]
    database = truth.add("SQL::Instance", f"//sqladmin.googleapis.com/projects/{PROJECT}/instances/features")
    topic = f"projects/{PROJECT}/topics/clicks"
    made.listings[f"pubsub/v1/projects/{PROJECT}/topics"] = [{"topics": [{"name": topic}]}]
    clicks = truth.add("PubSub::Topic", f"//pubsub.googleapis.com/{topic}")
    subscription = f"projects/{PROJECT}/subscriptions/readers"
    made.listings[f"pubsub/v1/projects/{PROJECT}/subscriptions"] = [
        {"subscriptions": [{"name": subscription, "topic": topic}]}
    ]
    truth.add("PubSub::Subscription", f"//pubsub.googleapis.com/{subscription}", uses=[clicks])
    return ring, bucket, dataset, table, database


def _images(made: Api, truth: ProjectTruth) -> str:
    name = f"{HERE}/repositories/serving"
    made.listings[f"artifactregistry/v1/{HERE}/repositories"] = [{"repositories": [{"name": name}]}]
    return truth.add("ArtifactRegistry::Repository", f"//artifactregistry.googleapis.com/{name}")


def _models(made: Api, truth: ProjectTruth, account: str, bucket: str, repository: str, table: str) -> None:
    image = f"{REGION}-docker.pkg.dev/{PROJECT}/serving/predict:3"
    models = [
        {
            "name": f"{BY_NUMBER}/models/{n}", "displayName": f"m{n}", "containerSpec": {"imageUri": image},
            "artifactUri": "gs://ml-raw/models/1",
        }
        for n in (1, 2)
    ]  # fmt: skip
    made.listings[f"aiplatform/v1/{HERE}/models"] = [{"models": models[:1]}, {"models": models[1:]}]
    ids = [f"//aiplatform.googleapis.com/{HERE}/models/{n}" for n in (1, 2)]
    for id in ids:
        truth.add("VertexAI::Model", id, uses=[bucket, repository])
    endpoint = {"name": f"{BY_NUMBER}/endpoints/9", "deployedModels": [{"model": f"{BY_NUMBER}/models/2"}]}
    made.listings[f"aiplatform/v1/{HERE}/endpoints"] = [{"endpoints": [endpoint]}]
    truth.add("VertexAI::Endpoint", f"//aiplatform.googleapis.com/{HERE}/endpoints/9", uses=[ids[1]])
    env = [{"name": "DB", "value": f"postgresql://u:{SECRET}@10.1.2.3:5432/f"}]
    pool = {"containerSpec": {"imageUri": image, "args": ["--in", "gs://gone/x"], "env": env}}
    email = account.rpartition("/")[2]
    job = {
        "name": f"{BY_NUMBER}/customJobs/5",
        "jobSpec": {"serviceAccount": email, "workerPoolSpecs": [pool]},
    }
    made.listings[f"aiplatform/v1/{HERE}/customJobs"] = [{"customJobs": [job]}]
    database = f"//sqladmin.googleapis.com/projects/{PROJECT}/instances/features"
    id = f"//aiplatform.googleapis.com/{HERE}/customJobs/5"
    truth.add("VertexAI::CustomJob", id, uses=[account, repository], infers=[database])
    truth.outside.add("gs://gone/x")
    config = {"bigqueryDestination": {"outputUri": f"bq://{PROJECT}.sales.orders"}}
    batch = {
        "name": f"{BY_NUMBER}/batchPredictionJobs/7",
        "model": f"{BY_NUMBER}/models/1",
        "outputConfig": config,
    }
    made.listings[f"aiplatform/v1/{HERE}/batchPredictionJobs"] = [{"batchPredictionJobs": [batch]}]
    id = f"//aiplatform.googleapis.com/{HERE}/batchPredictionJobs/7"
    truth.add("VertexAI::BatchPredictionJob", id, uses=[ids[0], table])


def _secret(made: Api, truth: ProjectTruth) -> str:
    name = f"projects/{PROJECT}/secrets/db"
    made.listings[f"secretmanager/v1/projects/{PROJECT}/secrets"] = [{"secrets": [{"name": name}]}]
    return truth.add("SecretManager::Secret", f"//secretmanager.googleapis.com/{name}")


def _serving(
    made: Api, truth: ProjectTruth, account: str, secret: str, database: str, repository: str
) -> None:
    env = [
        {"name": "PASSWORD", "valueSource": {"secretKeyRef": {"secret": f"projects/{PROJECT}/secrets/db"}}},
        {"name": "HOST", "value": "10.1.2.3:5432"},
    ]
    container = {"image": f"{REGION}-docker.pkg.dev/{PROJECT}/serving/api", "env": env}
    service = {
        "name": f"{HERE}/services/api",
        "template": {"serviceAccount": account.rpartition("/")[2], "containers": [container]},
    }
    made.listings[f"run/v2/projects/{PROJECT}/locations/-/services"] = [{"services": [service]}]
    id = f"//run.googleapis.com/{HERE}/services/api"
    truth.add("Run::Service", id, uses=[account, secret, repository], infers=[database])


def _network(made: Api, truth: ProjectTruth, account: str) -> None:
    root = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}"
    network = {"name": "main", "selfLink": f"{root}/global/networks/main"}
    made.listings[f"compute/compute/v1/projects/{PROJECT}/global/networks"] = [{"items": [network]}]
    main = truth.add("Compute::Network", f"//compute.googleapis.com/projects/{PROJECT}/global/networks/main")
    interface = {"network": f"{root}/global/networks/main", "networkIP": "10.1.0.2"}
    instance = {
        "name": "gpu", "selfLink": f"{root}/zones/{REGION}-a/instances/gpu", "status": "RUNNING",
        "zone": f"{root}/zones/{REGION}-a",
        "machineType": f"{root}/zones/{REGION}-a/machineTypes/a2-highgpu-1g",
        "networkInterfaces": [interface], "serviceAccounts": [{"email": account.rpartition("/")[2]}],
    }  # fmt: skip
    made.listings[f"compute/compute/v1/projects/{PROJECT}/aggregated/instances"] = [
        {"items": {f"zones/{REGION}-a": {"instances": [instance]}, "zones/other": {"warning": {}}}}
    ]
    id = f"//compute.googleapis.com/projects/{PROJECT}/zones/{REGION}-a/instances/gpu"
    truth.add("Compute::Instance", id, uses=[main, account])
