"""Clearing any task of any phase is safe: each operator has a test that runs it again, and says so here.

An operator that is not in the table fails this file. What a second run must show is in the named test:
the same end as after the first, or after a kill in its middle.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from functools import cache
from pathlib import Path

import pytest
from airflow.sdk import BaseOperator

from heavylift_airflow import operators, sensors
from heavylift_airflow.task import HeavyliftTask

REPOSITORY = Path(__file__).resolve().parents[2]
PROVISION = (
    "integration/infra/test_provision.py::"
    "test_the_phase_makes_what_a_person_has_agreed_to_and_a_second_run_changes_nothing"
)
ENDPOINTS = (
    "plugins/test_endpoint_operators.py"
    "::test_what_is_approved_is_made_and_proved_and_a_second_run_changes_nothing"
)
MONITOR = "plugins/test_monitor_operators.py::"
SWITCH = "plugins/test_cutover_operators.py::"
OPTIMIZE = "plugins/test_optimize_operators.py::test_everything_is_judged_and_proposed_and_again_the_same"
OPTIMIZE_CLOSED = (
    "plugins/test_optimize_operators.py"
    "::test_the_gate_and_the_last_tasks_may_be_cleared_and_nothing_passes_unapproved"
)
CLEARED_DEVICES = "plugins/test_appliance_operators.py::test_every_task_may_be_cleared_at_the_end"
KILLED_TABLES = "plugins/test_tables_operators.py::test_applying_that_is_killed_goes_on_where_it_was"
CUT_SHORT = "plugins/test_tables_operators.py::test_what_is_cut_short_may_be_done_again"
KILLED_ASSESS = (
    "plugins/test_assess_operators.py::test_a_killed_task_that_is_tried_again_ends_as_if_it_had_not_been"
)
CLOSED_ASSESS = "plugins/test_assess_operators.py::test_the_closing_tasks_of_a_plan_may_be_cleared"
MODELS = "plugins/test_model_operators.py::test_every_task_of_the_phase_may_be_cleared"
CLOSED = "plugins/test_closing.py::test_the_last_tasks_may_be_cleared_and_tell_the_same"
LOST_REGISTRY = (
    "plugins/test_registry_operators.py::"
    "test_a_worker_that_was_lost_costs_a_retry_and_nothing_is_copied_twice"
)
FEATURES = "plugins/test_feature_operators.py::"
SWITCH_KILLED = f"{SWITCH}test_a_switch_that_is_killed_anywhere_is_finished_by_the_next_run"
SWITCH_CLOSED = f"{SWITCH}test_the_gate_and_the_last_tasks_may_be_cleared"
SWITCH_LOOKED = f"{SWITCH}test_looking_and_rehearsing_again_move_nobody"

LEAVING = "plugins/test_decommission_operators.py::"
LEAVING_CLEARED = f"{LEAVING}test_every_task_of_the_phase_may_be_cleared"

SECOND_RUNS = {
    "AnalyseCanaryOperator": f"{SWITCH}test_a_step_is_judged_again_by_the_record_of_this_run",
    "ApplyInfrastructureOperator": PROVISION,
    "ApproveChangesOperator": OPTIMIZE_CLOSED,
    "ApproveCutoverOperator": SWITCH_CLOSED,
    "ApproveInfrastructureOperator": PROVISION,
    "BeginRunOperator": "plugins/test_begin.py::test_beginning_again_only_notes_it_again",
    "BuildInfrastructureReportOperator": PROVISION,
    "BuildLeavingReportOperator": LEAVING_CLEARED,
    "BuildModelsReportOperator": MODELS,
    "BuildOptimizeReportOperator": OPTIMIZE_CLOSED,
    "BuildPlanReportOperator": CLOSED_ASSESS,
    "BuildReportOperator": CLOSED,
    "BuildSwitchReportOperator": SWITCH_CLOSED,
    "CertifyDeletionOperator": LEAVING_CLEARED,
    "CheckComplianceOperator": (
        "plugins/test_compliance_operators.py::test_scanning_and_judging_again_find_the_same"
    ),
    "CheckDatasetOperator": "plugins/test_check_operator.py::test_checking_again_adds_a_record",
    "CheckDeviceOperator": CLEARED_DEVICES,
    "CheckModelOperator": MODELS,
    "CheckReadinessOperator": SWITCH_LOOKED,
    "CheckSourceUnusedOperator": LEAVING_CLEARED,
    "ConvertModelOperator": MODELS,
    "CopyFeatureStoreOperator": f"{FEATURES}test_a_worker_that_was_lost_is_gone_on_with",
    "CopyObjectsOperator": (
        "plugins/test_transfer_operators.py::test_a_second_attempt_at_a_shard_copies_nothing_again"
    ),
    "CopyRegistryOperator": LOST_REGISTRY,
    "ApplyEndpointsOperator": ENDPOINTS,
    "PlanEndpointsOperator": ENDPOINTS,
    "VerifyEndpointsOperator": ENDPOINTS,
    "RemoveEndpointsOperator": (
        "plugins/test_endpoint_operators.py"
        "::test_a_run_that_destroys_removes_all_once_approved_and_any_other_removes_nothing"
    ),
    "CopyImagesOperator": (
        "plugins/test_image_operators.py::test_images_move_are_judged_and_a_second_run_sends_nothing"
    ),
    "CopySecretsOperator": (
        "plugins/test_secret_operators.py::test_secrets_move_are_judged_and_shown_nowhere"
    ),
    "DeleteGoneOperator": (
        "plugins/test_deletes_operator.py::test_a_second_run_of_the_task_deletes_nothing_more"
    ),
    "DeleteSourceOperator": f"{LEAVING}test_a_deletion_that_is_killed_is_gone_on_with",
    "DetectDriftOperator": PROVISION,
    "DeviceStepOperator": CLEARED_DEVICES,
    "DisableSourceOperator": LEAVING_CLEARED,
    "DrainChangesOperator": KILLED_TABLES,
    "EndStreamOperator": CUT_SHORT,
    "DrillFailoverOperator": "plugins/test_drill_operator.py::test_drilling_again_adds_a_record",
    "EvaluateCutoverGateOperator": SWITCH_CLOSED,
    "EvaluateGateOperator": "plugins/test_gate_operators.py::test_judging_again_adds_a_result",
    "EvaluateInfrastructureGateOperator": PROVISION,
    "EvaluateLeavingGateOperator": LEAVING_CLEARED,
    "EvaluateModelsGateOperator": MODELS,
    "EvaluateOptimizeGateOperator": OPTIMIZE_CLOSED,
    "EvaluatePlanGateOperator": CLOSED_ASSESS,
    "FinaliseCutoverOperator": (
        "plugins/test_switch_operators.py"
        "::test_the_way_back_is_closed_once_confirmed_and_soaked_and_only_from_the_target"
    ),
    "FreezeWritesOperator": (
        "plugins/test_fence_operators.py::test_a_side_is_frozen_and_opened_once_and_noted"
    ),
    "GateApprovalOperator": (
        "plugins/test_gate_operators.py::test_an_answer_whose_task_was_killed_is_recorded_once"
    ),
    "GateSensor": "plugins/test_gate_operators.py::test_a_sensor_that_is_cleared_sees_the_same_result",
    "GenerateInfrastructureOperator": PROVISION,
    "GraceSensor": LEAVING_CLEARED,
    "MoveVolumesOperator": (
        "integration/manifests/test_volume_moves.py::"
        "test_volumes_move_are_proved_and_a_second_run_makes_no_job_again"
    ),
    "WatchPauseSensor": "plugins/test_pause_watch.py::"
    "test_beside_a_task_that_is_retried_it_is_deferred_again",
    "SoakSensor": "plugins/test_switch_operators.py::"
    "test_people_are_told_how_far_the_soak_is_and_only_of_one_that_goes_on",
    "IngestDeviceOperator": CLEARED_DEVICES,
    "LoadDeviceOperator": CLEARED_DEVICES,
    "MakeGraphOperator": KILLED_ASSESS,
    "MakePlanOperator": KILLED_ASSESS,
    "MeasureBaselineOperator": (
        "plugins/test_assess_operators.py::test_a_live_endpoint_is_measured_told_and_demanded"
    ),
    "MeasureTrialsOperator": OPTIMIZE,
    "MeasureUtilisationOperator": (
        "plugins/test_assess_operators.py::test_use_of_machines_is_read_told_and_demanded"
    ),
    "MirrorStreamOperator": "plugins/test_stream_operators.py::test_a_second_attempt_adds_a_record",
    "OptimizeOperator": OPTIMIZE,
    "PlanDecommissionOperator": LEAVING_CLEARED,
    "PlanDevicesOperator": CLEARED_DEVICES,
    "PlanInfrastructureOperator": PROVISION,
    "PlanTransferOperator": "plugins/test_transfer_operators.py::test_a_plan_is_made_once_in_a_run",
    "PreflightFeatureStoreOperator": (
        f"{FEATURES}test_looking_and_verifying_again_tell_the_same_and_write_nothing"
    ),
    "PreflightRegistryOperator": (
        "plugins/test_registry_operators.py::test_looking_again_tells_the_same_and_moves_nothing"
    ),
    "PreflightTablesOperator": CUT_SHORT,
    "PromoteCutoverOperator": SWITCH_KILLED,
    "ProposeChangesOperator": OPTIMIZE,
    "PublishCutoverOperator": SWITCH_CLOSED,
    "PublishInfrastructureOperator": PROVISION,
    "PublishModelsOperator": MODELS,
    "PublishOptimizeOperator": OPTIMIZE_CLOSED,
    "PublishPhaseOperator": CLOSED,
    "PublishPlanOperator": CLOSED_ASSESS,
    "PublishShipmentOperator": (
        "plugins/test_appliance_operators.py::test_an_event_that_is_sent_again_tells_the_same"
    ),
    "PurchaseMixOperator": OPTIMIZE,
    "ReadQuotasOperator": (
        "plugins/test_assess_operators.py::test_a_plan_is_judged_by_the_quotas_that_were_read"
    ),
    "ReconcileDeviceOperator": CLEARED_DEVICES,
    "RehearseCutoverOperator": SWITCH_LOOKED,
    "ReplicationCaughtUpSensor": (
        "plugins/test_tables_waiting.py::test_the_sensor_waits_and_looks_again_itself"
    ),
    "RestoreSourceOperator": f"{LEAVING}test_bringing_back_again_changes_nothing",
    "RevalidateModelOperator": MODELS,
    "ReverseSyncOperator": (
        "plugins/test_tables_operators.py::test_a_reverse_sync_that_is_killed_goes_on_where_it_was"
    ),
    "RightsizeOperator": OPTIMIZE,
    "RollBackOperator": SWITCH_KILLED,
    "RunAzCopyOperator": (
        "integration/services/test_azcopy.py::"
        "test_a_killed_task_interrupts_the_program_and_a_retry_resumes_its_job"
    ),
    "RunServiceOperator": (
        "integration/services/test_storage_transfer.py::"
        "test_a_retry_after_a_crash_finds_the_run_that_is_under_way"
    ),
    "ScanDatasetOperator": (
        "plugins/test_compliance_operators.py::test_scanning_and_judging_again_find_the_same"
    ),
    "ScanInfrastructureOperator": PROVISION,
    "SealEnvelopeOperator": (
        "plugins/test_envelope_operators.py::test_a_second_run_seals_nothing_and_verifies_again"
    ),
    "SettleSwitchOperator": SWITCH_KILLED,
    "ShiftTrafficOperator": f"{SWITCH}test_a_shift_that_is_repeated_changes_nothing",
    "SnapshotTablesOperator": (
        "plugins/test_tables_operators.py::test_a_snapshot_that_is_killed_goes_on_where_it_was"
    ),
    "SummariseInfrastructureOperator": PROVISION,
    "SummariseLeavingOperator": LEAVING_CLEARED,
    "SummariseModelsOperator": MODELS,
    "SummariseMonitorOperator": (
        f"{MONITOR}test_a_target_like_the_source_is_no_alarm_and_one_that_drifts_turns_the_run_red"
    ),
    "SummariseOptimizeOperator": OPTIMIZE_CLOSED,
    "SummarisePlanOperator": CLOSED_ASSESS,
    "SummariseRunOperator": CLOSED,
    "SummariseShipmentOperator": CLEARED_DEVICES,
    "SummariseSwitchOperator": SWITCH_CLOSED,
    "SwitchRegistryOperator": (
        "integration/registry/test_tasks.py::test_tasks_follow_a_live_server_switch_and_come_back"
    ),
    "SyncChangesOperator": KILLED_TABLES,
    "SyncRegistryOperator": LOST_REGISTRY,
    "SyncTwoWayOperator": "plugins/test_two_way_operator.py::test_a_second_run_of_the_task_writes_nothing",
    "TakeInventoryOperator": KILLED_ASSESS,
    "TakeTurnOperator": f"{SWITCH}test_a_turn_that_is_taken_again_is_the_same",
    "TranslateAccessOperator": (
        "plugins/test_access_operators.py::"
        "test_a_task_that_died_before_its_record_runs_again_to_the_same_digest"
    ),
    "TranslateAlertsOperator": (
        "plugins/test_training_operators.py::test_alerts_are_kept_by_digest_and_a_second_run_says_unchanged"
    ),
    "TranslateAutoscalingOperator": (
        "plugins/test_training_operators.py::test_autoscaling_is_simulated_again_to_the_same_digest"
    ),
    "TranslateGroupsOperator": (
        "plugins/test_stream_operators.py::test_verifying_and_translating_again_tell_the_same"
    ),
    "TranslateManifestsOperator": (
        "plugins/test_part_operators.py::test_manifests_are_kept_without_their_secrets"
    ),
    "TranslatePipelinesOperator": (
        "plugins/test_part_operators.py::test_pipelines_are_kept_by_digest_and_a_second_run_says_unchanged"
    ),
    "TranslateTrainingOperator": (
        "plugins/test_training_operators.py::test_jobs_are_translated_again_to_the_same_digest_and_rehearsed"
    ),
    "TryWorkloadOperator": (
        "plugins/test_workload_operator.py::test_testing_again_adds_a_record_and_changes_nothing"
    ),
    "UnfreezeWritesOperator": (
        "plugins/test_fence_operators.py::test_a_side_that_is_opened_again_stays_as_it_is"
    ),
    "VerifyEnvelopeOperator": (
        "plugins/test_envelope_operators.py::test_a_second_run_seals_nothing_and_verifies_again"
    ),
    "VerifyAccessOperator": "plugins/test_access_operators.py::test_verifying_again_tells_the_same",
    "VerifyFeatureStoreOperator": (
        f"{FEATURES}test_looking_and_verifying_again_tell_the_same_and_write_nothing"
    ),
    "VerifyObjectsOperator": ("plugins/test_transfer_operators.py::test_verifying_again_proves_the_same"),
    "VerifyRegistryOperator": LOST_REGISTRY,
    "VerifyImagesOperator": (
        "plugins/test_image_operators.py::test_comparing_again_writes_nothing_and_tells_the_same"
    ),
    "VerifySecretsOperator": (
        "plugins/test_secret_operators.py::test_verifying_again_writes_nothing_and_tells_the_same"
    ),
    "VerifyStreamOperator": (
        "plugins/test_stream_operators.py::test_verifying_and_translating_again_tell_the_same"
    ),
    "VerifyTablesOperator": KILLED_TABLES,
    "WatchOperator": f"{MONITOR}test_a_look_that_is_made_again_counts_with_its_newest_record",
}
"""Operator or sensor → the test that runs it a second time, under ``tests/``."""


@cache
def every_operator() -> dict[str, type]:
    """Return each operator and sensor that a DAG could have as a task: those that can be executed."""
    for package in (operators, sensors):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
    kinds: list[type] = [HeavyliftTask]
    for kind in kinds:
        kinds += [each for each in kind.__subclasses__() if each not in kinds]
    return {
        kind.__name__: kind
        for kind in kinds
        if kind.__module__.startswith("heavylift_airflow.")
        and not kind.__name__.startswith("_")
        and issubclass(kind, BaseOperator)
        and not inspect.isabstract(kind)
        and getattr(kind, "execute", None) is not BaseOperator.execute
    }


def test_each_operator_has_a_test_of_its_second_run_and_none_is_stale() -> None:
    assert sorted(SECOND_RUNS) == sorted(every_operator())


@pytest.mark.parametrize("name", sorted(SECOND_RUNS))
def test_the_named_test_exists_and_is_about_the_operator(name: str) -> None:
    file, _, test = SECOND_RUNS[name].partition("::")
    text = (REPOSITORY / "tests" / file).read_text(encoding="utf-8")
    functions = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    assert test in functions, SECOND_RUNS[name]
    helpers = REPOSITORY / "tests" / Path(file).parent / "tasks.py"
    beside = helpers.read_text(encoding="utf-8") if helpers.is_file() else ""
    assert name in text + beside
