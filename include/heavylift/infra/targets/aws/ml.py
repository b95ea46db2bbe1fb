"""AWS: SageMaker's and Bedrock's resources."""

from __future__ import annotations

from heavylift.infra.targets.aws.storage import bucket, guards
from heavylift.infra.template import Ask, Base, Json, Name, Nest, Own, Piece, Service, Setting, Text

_SUBNETS = [Base("subnet_a_id"), Base("subnet_b_id")]
_VPC = Nest({"subnets": _SUBNETS, "security_group_ids": [Base("group_id")]})
_IMAGE = Ask("image", "the container image, by digest")
_OUTPUT = Ask("output", "where its results go, s3://…")
_MODEL = Piece(
    "aws_sagemaker_model",
    {
        "name": Name("free"),
        "execution_role_arn": Base("role_arn"),
        "enable_network_isolation": True,
        "primary_container": Nest(
            {"image": _IMAGE, "model_data_url": Ask("model", "the model's archive, s3://…")}
        ),
        "vpc_config": _VPC,
    },
    "model",
)


def _configuration(role: str, body: dict[str, object]) -> Piece:
    return Piece(
        "aws_sagemaker_endpoint_configuration",
        {
            "name": Name("free"),
            "kms_key_arn": Base("key_arn"),
            "production_variants": Nest({"variant_name": "all", "model_name": Own("model", "name"), **body}),
        },
        role,
    )


_INSTANCES: dict[str, object] = {
    "instance_type": Setting("sagemaker_instance", "ml.g6.xlarge"),
    "initial_instance_count": Setting("least", 1),
    "initial_variant_weight": 1,
}
_SERVERLESS: dict[str, object] = {
    "serverless_config": Nest({"memory_size_in_mb": 4096, "max_concurrency": Setting("most", 5)})
}
_VECTORS = Piece(
    "aws_opensearch_domain",
    {
        "domain_name": Name("short"),
        "engine_version": "OpenSearch_2.19",
        "cluster_config": Nest(
            {
                "instance_type": "r7g.large.search",
                "instance_count": 3,
                "dedicated_master_enabled": True,
                "dedicated_master_count": 3,
                "dedicated_master_type": "m7g.large.search",
                "zone_awareness_enabled": True,
            }
        ),
        "ebs_options": Nest(
            {"ebs_enabled": True, "volume_size": Setting("size_gb", 100), "volume_type": "gp3"}
        ),
        "encrypt_at_rest": Nest({"enabled": True, "kms_key_id": Base("key_arn")}),
        "node_to_node_encryption": Nest({"enabled": True}),
        "domain_endpoint_options": Nest(
            {"enforce_https": True, "tls_security_policy": "Policy-Min-TLS-1-2-PFS-2023-10"}
        ),
        "vpc_options": Nest({"subnet_ids": _SUBNETS, "security_group_ids": [Base("group_id")]}),
        "log_publishing_options": Nest(
            {"log_type": "AUDIT_LOGS", "cloudwatch_log_group_arn": Own("logs", "arn")}
        ),
        "advanced_security_options": Nest(
            {
                "enabled": True,
                "internal_user_database_enabled": False,
                "master_user_options": Nest({"master_user_arn": Base("role_arn")}),
            }
        ),
    },
)
SERVICES = {
    "managed training job": Service(
        (
            Piece(
                "aws_sagemaker_training_job",
                id="arn",
                body={
                    "training_job_name": Name("free"),
                    "role_arn": Base("role_arn"),
                    "enable_network_isolation": True,
                    "enable_inter_container_traffic_encryption": True,
                    "algorithm_specification": Nest({"training_image": _IMAGE, "training_input_mode": "File"}),
                    "output_data_config": Nest({"s3_output_path": _OUTPUT, "kms_key_id": Base("key_arn")}),
                    "resource_config": Nest(
                        {
                            "instance_type": Setting("sagemaker_instance", "ml.g6.12xlarge"),
                            "instance_count": Setting("machines", 1),
                            "volume_size_in_gb": Setting("size_gb", 100),
                            "volume_kms_key_id": Base("key_arn"),
                        }
                    ),
                    "stopping_condition": Nest({"max_runtime_in_seconds": 86400}),
                },
            ),
        ),
        ("Applying it runs the job once: leave it out of the wave where a pipeline starts it.",),
    ),
    "hyper-parameter tuning": Service(
        (
            Piece(
                "aws_sagemaker_hyper_parameter_tuning_job",
                id="arn",
                body={
                    "name": Name("short"),
                    "config": Nest(
                        {
                            "strategy": "Bayesian",
                            "resource_limits": Nest({"max_parallel_training_jobs": Setting("machines", 2), "max_number_of_training_jobs": 10}),
                        }
                    ),
                    "training_job_definition": Nest(
                        {
                            "role_arn": Base("role_arn"),
                            "enable_network_isolation": True,
                            "enable_inter_container_traffic_encryption": True,
                            "algorithm_specification": Nest({"training_image": _IMAGE, "training_input_mode": "File"}),
                            "output_data_config": Nest({"s3_output_path": _OUTPUT, "kms_key_id": Base("key_arn")}),
                            "resource_config": Nest(
                                {"instance_type": Setting("sagemaker_instance", "ml.g6.12xlarge"), "instance_count": 1, "volume_size_in_gb": 100}
                            ),
                            "stopping_condition": Nest({"max_runtime_in_seconds": 86400}),
                        }
                    ),
                },
            ),
        ),
        ("Its search space comes with the translation of the pipeline.",),
    ),
    "real-time endpoint": Service(
        (
            Piece("aws_sagemaker_endpoint", {"name": Name("free"), "endpoint_config_name": Own("configuration", "name")}),
            _configuration("configuration", _INSTANCES),
            _MODEL,
        )
    ),
    "endpoint variants / traffic split": Service((_configuration("main", _INSTANCES), _MODEL)),
    "serverless inference": Service((_configuration("main", _SERVERLESS), _MODEL)),
    "ML pipeline": Service(
        (
            Piece(
                "aws_sagemaker_pipeline",
                {
                    "pipeline_name": Name("free"),
                    "pipeline_display_name": Name("free"),
                    "role_arn": Base("role_arn"),
                    "pipeline_definition": Json(
                        {"Version": "2020-12-01", "Steps": [{"Name": "Untranslated", "Type": "Fail", "Arguments": {"ErrorMessage": "not translated yet"}}]}
                    ),
                },
            ),
        ),
        ("A shell: its definition fails loudly until the translated one takes its place.",),
    ),
    "model registry": Service(
        (Piece("aws_sagemaker_model_package_group", {"model_package_group_name": Name("free")}),),
        ("Versions move with the registry, through the API.",),
    ),
    "experiment tracking": Service(
        (
            Piece(
                "aws_sagemaker_mlflow_tracking_server",
                {
                    "tracking_server_name": Name("free"),
                    "role_arn": Base("role_arn"),
                    "artifact_store_uri": Text("s3://", Own("bucket", "bucket"), "/artifacts"),
                    "tracking_server_size": "Small",
                },
            ),
            bucket("bucket"),
            *guards("bucket"),
        )
    ),
    "model monitoring": Service(
        (
            Piece(
                "aws_sagemaker_monitoring_schedule",
                {
                    "name": Name("free"),
                    "monitoring_schedule_config": Nest(
                        {
                            "monitoring_type": "DataQuality",
                            "monitoring_job_definition_name": Ask("definition", "name of the job definition, made from the new baseline"),
                            "schedule_config": Nest({"schedule_expression": "cron(0 * ? * * *)"}),
                        }
                    ),
                },
            ),
        )
    ),
    "data labelling": Service(
        (
            Piece(
                "aws_sagemaker_labeling_job",
                id="labeling_job_name",
                body={
                    "labeling_job_name": Name("free"),
                    "label_attribute_name": Setting("label", "label"),
                    "role_arn": Base("role_arn"),
                    "input_config": Nest({"data_source": Nest({"s3_data_source": Nest({"manifest_s3_uri": Ask("manifest", "the manifest, s3://…")})})}),
                    "output_config": Nest({"s3_output_path": _OUTPUT, "kms_key_id": Base("key_arn")}),
                    "human_task_config": Nest(
                        {
                            "task_title": Name("free"),
                            "task_description": Name("free"),
                            "number_of_human_workers_per_data_object": 1,
                            "task_time_limit_in_seconds": 3600,
                            "workteam_arn": Ask("team", "ARN of the team that labels"),
                            "ui_config": Nest({"ui_template_s3_uri": Ask("template", "the task's template, s3://…")}),
                        }
                    ),
                },
            ),
        )
    ),
    "notebooks": Service(
        (
            Piece(
                "aws_sagemaker_notebook_instance",
                {
                    "name": Name("free"),
                    "role_arn": Base("role_arn"),
                    "instance_type": Setting("sagemaker_instance", "ml.t3.xlarge"),
                    "volume_size": Setting("size_gb", 50),
                    "kms_key_id": Base("key_arn"),
                    "subnet_id": Base("subnet_a_id"),
                    "security_groups": [Base("group_id")],
                    "direct_internet_access": "Disabled",
                    "root_access": "Disabled",
                    "instance_metadata_service_configuration": Nest({"minimum_instance_metadata_service_version": "2"}),
                },
            ),
        )
    ),
    "ML workspace": Service(
        (
            Piece(
                "aws_sagemaker_domain",
                {
                    "domain_name": Name("free"),
                    "auth_mode": "IAM",
                    "vpc_id": Base("network_id"),
                    "subnet_ids": _SUBNETS,
                    "kms_key_id": Base("key_arn"),
                    "app_network_access_type": "VpcOnly",
                    "default_user_settings": Nest({"execution_role": Base("role_arn"), "security_groups": [Base("group_id")]}),
                },
            ),
        )
    ),
    "foundation models custom": Service(
        (
            Piece(
                "aws_bedrock_custom_model",
                {
                    "custom_model_name": Name("dns"),
                    "job_name": Name("dns"),
                    "base_model_identifier": Ask("base_model", "ARN of the model to tune"),
                    "role_arn": Base("role_arn"),
                    "custom_model_kms_key_id": Base("key_arn"),
                    "hyperparameters": {"epochCount": "1"},
                    "training_data_config": Nest({"s3_uri": Ask("data", "the training data, s3://…")}),
                    "output_data_config": Nest({"s3_uri": _OUTPUT}),
                },
            ),
        ),
        ("Weights of a managed custom model cannot be exported: it is tuned anew from the same data.",),
    ),
    "foundation model throughput": Service(
        (
            Piece(
                "aws_bedrock_provisioned_model_throughput",
                {
                    "provisioned_model_name": Name("free"),
                    "model_arn": Ask("model", "ARN of the model"),
                    "model_units": Setting("capacity", 1),
                },
            ),
        )
    ),
    "RAG knowledge base": Service(
        (
            Piece(
                "aws_bedrockagent_knowledge_base",
                {
                    "name": Name("free"),
                    "role_arn": Base("role_arn"),
                    "knowledge_base_configuration": Nest(
                        {
                            "type": "VECTOR",
                            "vector_knowledge_base_configuration": Nest({"embedding_model_arn": Ask("embedding", "ARN of the embedding model")}),
                        }
                    ),
                    "storage_configuration": Nest(
                        {"type": "S3_VECTORS", "s3_vectors_configuration": Nest({"index_arn": Ask("index", "ARN of the vector index")})}
                    ),
                },
            ),
        ),
        ("Vectors of another embedding model cannot be used: documents are embedded anew.",),
    ),
    "vector index": Service(
        (
            _VECTORS,
            Piece(
                "aws_cloudwatch_log_group",
                {"name": Text("/heavylift/search/", Name("free")), "retention_in_days": 365, "kms_key_id": Base("key_arn")},
                "logs",
            ),
        )
    ),
}  # fmt: skip
