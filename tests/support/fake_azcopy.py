"""A program that takes AzCopy's arguments and environment and copies from S3 to Azure Blob.

Its output has the form of AzCopy 10.32.2's, which was recorded from the real program. It demands what
the real one needs, refuses flags that that one does not know, and writes down what it was given.
Settings come from the file named in AZCOPY_TEST_SETTINGS.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

JOB = "8d06d97e-1e04-684a-4fd9-6f7ffd1384c6"
FLAGS = {
    "from-to",
    "list-of-files",
    "as-subdir",
    "overwrite",
    "s2s-preserve-properties",
    "s2s-preserve-access-tier",
    "s2s-detect-source-changed",
    "s2s-handle-invalid-metadata",
    "cap-mbps",
    "output-type",
    "log-level",
}


def say(kind: str, content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    print(json.dumps({"TimeStamp": "", "MessageType": kind, "MessageContent": text}), flush=True)


def main() -> int:
    settings = json.loads(Path(os.environ["AZCOPY_TEST_SETTINGS"]).read_text())
    seen = Path(settings["seen"])
    runs = json.loads(seen.read_text()) if seen.exists() else []
    seen.write_text(json.dumps([*runs, {"arguments": sys.argv[1:], "environment": dict(os.environ)}]))
    plain = [word for word in sys.argv[1:] if not word.startswith("--")]
    flags = dict(word[2:].partition("=")[::2] for word in sys.argv[1:] if word.startswith("--"))
    if set(flags) - FLAGS:
        say("Error", f"unknown flag: --{sorted(set(flags) - FLAGS)[0]}")
        return 1
    if os.environ.get("AZCOPY_AUTO_LOGIN_TYPE") != "SPN" or not os.environ.get("AZCOPY_SPA_CLIENT_SECRET"):
        say("Error", "Cannot perform copy due to error: failed to perform Auto-login")
        return 1
    plans = Path(os.environ["AZCOPY_JOB_PLAN_LOCATION"])
    plan = plans / f"{JOB}--00000.steV22"
    if plain[:2] == ["jobs", "resume"]:
        work = json.loads((plans / f"{plain[2]}--00000.steV22").read_text())
    else:
        keys = Path(flags["list-of-files"]).read_text().splitlines()
        work = {"source": plain[1], "target": plain[2], "keys": keys, "overwrite": flags["overwrite"]}
        plans.mkdir(parents=True, exist_ok=True)
        plan.write_text(json.dumps(work))
    return copy(settings, work)


def copy(settings: dict[str, Any], work: dict[str, Any]) -> int:
    say("Info", "INFO: Scanning...")
    say("Init", {"LogFileLocation": "", "JobID": JOB, "IsCleanupJob": False})
    if settings.get("wait"):
        return wait_for_interrupt()
    source, target = urlsplit(work["source"]), urlsplit(work["target"])
    bucket, _, prefix = source.path.removeprefix("/").partition("/")
    container, _, onto = target.path.removeprefix(settings["account_path"] + "/").partition("/")
    done = skipped = size = 0
    failed: list[dict[str, Any]] = []
    s3, blobs = clients(settings)
    for key in work["keys"]:
        if key in settings.get("refuse", ()):
            failed.append({"Src": f"{work['source']}{key}?sig=secret", "ErrorCode": 403})
            continue
        found = s3.get_object(Bucket=bucket, Key=prefix + key)
        blob = blobs.get_blob_client(container, onto + key)
        if work["overwrite"] == "false" and blob.exists():
            skipped += 1
            continue
        from azure.storage.blob import ContentSettings

        body = found["Body"].read()
        kept = ContentSettings(content_type=found["ContentType"])
        blob.upload_blob(body, overwrite=True, metadata=found["Metadata"], content_settings=kept)
        done, size = done + 1, size + len(body)
    status = (
        "Completed" + ("WithErrors" if failed else "") + ("WithSkipped" if skipped and not failed else "")
    )
    end = {
        "JobID": JOB,
        "JobStatus": status,
        "TransfersCompleted": str(done),
        "TransfersFailed": str(len(failed)),
        "TransfersSkipped": str(skipped),
        "BytesOverWire": str(size),
        "TotalBytesTransferred": str(size),
        "FailedTransfers": failed,
    }
    say("Progress", {**end, "FailedTransfers": None})
    say("EndOfJob", end)
    return 1 if failed else 0


def clients(settings: dict[str, Any]) -> tuple[Any, Any]:
    import boto3
    from azure.storage.blob import BlobServiceClient

    s3 = boto3.client(
        "s3",
        endpoint_url=settings["s3"],
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    return s3, BlobServiceClient(settings["azure"], credential=settings["azure_key"])


def wait_for_interrupt() -> int:
    interrupted: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: interrupted.append(number))
    while not interrupted:
        time.sleep(0.02)
    say("EndOfJob", {"JobID": JOB, "JobStatus": "Cancelled", "TransfersCompleted": "0"})
    return 1


if __name__ == "__main__":
    sys.exit(main())
