"""What SageMaker's Model Registry can hold; limits and forms are those of botocore's model of the service."""

from __future__ import annotations

from heavylift.registry.catalogues.capabilities import ANY, Capabilities, Holder, Pairs, Rule, categories

_WORDS = Rule(1024, test=(lambda text: categories(text, "LMZSNP"), "texts of one line"))
_TAG = (lambda text: categories(text, "LZN", "_.:/=+-@"), "letters, digits, spaces and _ . : / = + - @")
_LINE = Rule(1024, r".*")
_DIGEST = Rule(72, "[Ss][Hh][Aa]256:[0-9a-fA-F]{64}")
_S3 = Rule(1024, "(https|s3)://([^/]+)/?(.*)")
_NAME = Rule(63, "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")

REPORTS = {
    "model_quality.statistics": ("ModelMetrics", "ModelQuality", "Statistics"),
    "model_quality.constraints": ("ModelMetrics", "ModelQuality", "Constraints"),
    "data_quality.statistics": ("ModelMetrics", "ModelDataQuality", "Statistics"),
    "data_quality.constraints": ("ModelMetrics", "ModelDataQuality", "Constraints"),
    "bias.report": ("ModelMetrics", "Bias", "Report"),
    "bias.pre_training": ("ModelMetrics", "Bias", "PreTrainingReport"),
    "bias.post_training": ("ModelMetrics", "Bias", "PostTrainingReport"),
    "explainability.report": ("ModelMetrics", "Explainability", "Report"),
    "baseline.bias.config": ("DriftCheckBaselines", "Bias", "ConfigFile"),
    "baseline.bias.pre_training": ("DriftCheckBaselines", "Bias", "PreTrainingConstraints"),
    "baseline.bias.post_training": ("DriftCheckBaselines", "Bias", "PostTrainingConstraints"),
    "baseline.explainability.constraints": ("DriftCheckBaselines", "Explainability", "Constraints"),
    "baseline.explainability.config": ("DriftCheckBaselines", "Explainability", "ConfigFile"),
    "baseline.model_quality.statistics": ("DriftCheckBaselines", "ModelQuality", "Statistics"),
    "baseline.model_quality.constraints": ("DriftCheckBaselines", "ModelQuality", "Constraints"),
    "baseline.data_quality.statistics": ("DriftCheckBaselines", "ModelDataQuality", "Statistics"),
    "baseline.data_quality.constraints": ("DriftCheckBaselines", "ModelDataQuality", "Constraints"),
}
"""Where each report stands in a model package."""

APPROVALS = {"approved": "Approved", "rejected": "Rejected", "pending": "PendingManualApproval"}

_FIXED = (
    {f"reports/{name}/uri": _S3 for name in REPORTS}
    | {f"reports/{name}/content_type": Rule(256) for name in REPORTS}
    | {f"reports/{name}/digest": _DIGEST for name in REPORTS}
    | {
        "description": _WORDS,
        "containers/*/artifact": _S3,
        "containers/*/packing": Rule(form="archive|folder|(S3Prefix|S3Object):(None|Gzip)"),
        "containers/*/image": Rule(255, r"\S+"),
        "containers/*/image_digest": _DIGEST,
        "containers/*/hostname": _NAME,
        "containers/*/framework": ANY,
        "containers/*/framework_version": Rule(10, r"[0-9]\.[A-Za-z0-9.-]+", 3),
        "containers/*/nearest_model": ANY,
        "containers/*/model_input": Rule(16384),
        "inference/content_types": ANY,
        "inference/response_types": ANY,
        "inference/realtime_instances": Rule(form=r'\["ml\..*'),
        "inference/batch_instances": Rule(form=r'\["ml\..*'),
        "inference/sample": _S3,
        "inference/domain": ANY,
        "inference/task": ANY,
        "lineage/commit": _LINE,
        "lineage/repository": _LINE,
        "lineage/job": _LINE,
        "lineage/project": _LINE,
    }
)
_ENVIRONMENT = {"containers/*/environment/*": Rule(1024)}
_CHANGING = {
    "approval": Rule(form="approved|rejected|pending"),
    "approval_note": _LINE,
}

GROUP_PAIRS = Pairs(50, Rule(128, shortest=1, test=_TAG), Rule(256, test=_TAG), reserved=("aws:",))
PACKAGE_PAIRS = Pairs(50, Rule(128, shortest=1, test=_TAG), Rule(256, shortest=1, test=_TAG))

CAPABILITIES = Capabilities(
    platform="sagemaker",
    model=Holder(
        {"description": _WORDS},
        GROUP_PAIRS,
        frozen=("description",),
    ),
    version=Holder(
        _FIXED | _ENVIRONMENT | _CHANGING,
        PACKAGE_PAIRS,
        frozen=tuple(_FIXED | _ENVIRONMENT),
        late=("approval_note",),
    ),
    schemes=("s3",),
    name=_NAME,
    name_longest=63,
    name_characters="a-zA-Z0-9",
)
"""Model package groups and their versions."""
