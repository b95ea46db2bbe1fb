-- Fills MLflow's tables; read by experiments.py, which knows the parameters. A statement ends with a line's last
-- semicolon. Versions of models have gaps; runs are nested and deleted; metrics hold NaN and the ends of what there is.
INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time,
        last_update_time, workspace)
    SELECT 10 + i * 7, CASE i WHEN 3 THEN 'Ünïcode "quoted" \ ''name'' %% ' ELSE 'experiment-' || i END,
        CASE i WHEN 4 THEN %(root)s || '-elsewhere/team a/x' ELSE %(root)s || '/' || 10 + i * 7 END,
        CASE i WHEN 5 THEN 'deleted' ELSE 'active' END, %(began)s + i, %(began)s + i * 2, 'default'
    FROM generate_series(0, 5) i;

INSERT INTO experiment_tags SELECT 'mlflow.note.content', 'note of ' || experiment_id, experiment_id
    FROM experiments WHERE experiment_id > 0;

SELECT setval('experiments_experiment_id_seq', 60);

INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
        start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id, deleted_time)
    SELECT md5('run' || i), 'run ' || i, 'LOCAL', 'train.py', '', 'user' || i %% 7,
        (ARRAY['FINISHED','FAILED','KILLED','RUNNING'])[1 + CASE WHEN i %% 10 > 2 THEN 0 ELSE i %% 4 END],
        %(began)s + i * 1000, CASE WHEN i %% 10 = 3 THEN NULL ELSE %(began)s + i * 1000 + 777 END, md5('git' || i),
        CASE WHEN i %% 60 = 7 THEN 'deleted' ELSE 'active' END,
        e.artifact_location || '/' || md5('run' || i) || '/artifacts', e.experiment_id,
        CASE WHEN i %% 60 = 7 THEN %(began)s + i END
    FROM generate_series(0, %(runs)s - 1) i JOIN experiments e ON e.experiment_id = 10 + i %% 6 * 7;

INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
    SELECT 'metric/' || m, CASE WHEN m = 0 AND s = 3 THEN 0 ELSE (i * 7 + m * 13 + s) %% 1009 / 97.0 END,
        %(began)s + i * 1000 + s, md5('run' || i), s, m = 0 AND s = 3
    FROM generate_series(0, %(runs)s - 1) i, generate_series(0, %(metrics)s - 1) m,
        generate_series(0, %(steps)s - 1) s;

INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
    SELECT 'edge', v, %(began)s, md5('run1'), n, false
    FROM unnest(ARRAY[1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 0.1, 1.0, 2.0]::float8[])
        WITH ORDINALITY u(v, n);

INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
    SELECT DISTINCT ON (run_uuid, key) key, value, timestamp, step, is_nan, run_uuid FROM metrics
    ORDER BY run_uuid, key, step DESC, timestamp DESC, value DESC;

INSERT INTO params SELECT 'param ' || p, CASE p WHEN 9 THEN repeat('x', 6000) ELSE i || '/' || p END,
        md5('run' || i) FROM generate_series(0, %(runs)s - 1) i, generate_series(0, 9) p;

INSERT INTO tags SELECT 'mlflow.user', 'user' || i %% 7, md5('run' || i)
    FROM generate_series(0, %(runs)s - 1) i;

-- A parent of the same experiment, as every sixth run is.
INSERT INTO tags SELECT 'mlflow.parentRunId', md5('run' || CASE WHEN i < 6 THEN i + 6 ELSE i - 6 END), md5('run' || i)
    FROM generate_series(0, %(runs)s - 1) i WHERE i %% 5 = 4;

INSERT INTO tags SELECT 'mlflow.runName', 'run ' || i, md5('run' || i)
    FROM generate_series(0, %(runs)s - 1) i;

INSERT INTO datasets SELECT md5('dataset' || i), 10 + i %% 6 * 7, 'set ' || i, substr(md5('d' || i), 1, 8),
        's3', json_build_object('uri', %(root)s || '/data/' || i)::text, '{"mlflow_colspec": []}', NULL
    FROM generate_series(0, 17) i;

INSERT INTO inputs SELECT md5('input' || i), 'DATASET', md5('dataset' || i %% 18), 'RUN', md5('run' || i), 0
    FROM generate_series(0, %(runs)s - 1) i;

INSERT INTO input_tags SELECT md5('input' || i), 'mlflow.data.context', 'training'
    FROM generate_series(0, %(runs)s - 1) i;

INSERT INTO logged_models SELECT 'm-' || md5('model' || i), r.experiment_id, 'model ' || i,
        e.artifact_location || '/models/m-' || md5('model' || i) || '/artifacts', %(began)s + i, %(began)s + i * 3,
        CASE i %% 11 WHEN 10 THEN 3 ELSE 2 END, CASE i %% 9 WHEN 8 THEN 'deleted' ELSE 'active' END, 'Classifier',
        CASE i %% 8 WHEN 7 THEN NULL ELSE r.run_uuid END, NULL
    FROM generate_series(0, %(models)s * 3 + 1) i JOIN runs r ON r.run_uuid = md5('run' || i)
    JOIN experiments e USING (experiment_id);

INSERT INTO logged_model_params SELECT model_id, experiment_id, 'depth', '7' FROM logged_models;

INSERT INTO logged_model_tags SELECT model_id, experiment_id, 'team', 'fraud' FROM logged_models;

INSERT INTO logged_model_metrics SELECT model_id, 'auc', %(began)s, 1, 0.875, experiment_id, source_run_id,
        md5('dataset1'), 'set 1', substr(md5('d1'), 1, 8)
    FROM logged_models WHERE source_run_id IS NOT NULL;

INSERT INTO registered_models SELECT 'model-' || i, %(began)s + i, %(began)s + i * 5, 'about ' || i, 'default'
    FROM generate_series(0, %(models)s - 1) i;

INSERT INTO registered_models SELECT 'prompt-' || i, %(began)s + i, %(began)s + i, NULL, 'default'
    FROM generate_series(0, 2) i;

INSERT INTO registered_model_tags SELECT 'mlflow.prompt.is_prompt', 'true', 'prompt-' || i, 'default'
    FROM generate_series(0, 2) i;

INSERT INTO registered_model_tags SELECT 'tier', 'gold', 'model-' || i, 'default'
    FROM generate_series(0, %(models)s - 1) i;

INSERT INTO model_versions (name, version, creation_time, last_updated_time, description, user_id,
        current_stage, source, run_id, status, status_message, run_link, storage_location, workspace)
    SELECT 'model-' || i, v, %(began)s + v, %(began)s + v * 2, 'version ' || v, 'user1',
        CASE WHEN i = 1 AND v = 4 THEN 'Deleted_Internal' WHEN v = 1 THEN 'Archived' ELSE 'None' END,
        CASE v WHEN 1 THEN r.artifact_uri || '/model' ELSE 'models:/' || l.model_id END, r.run_uuid, 'READY', NULL,
        '', CASE v WHEN 1 THEN r.artifact_uri || '/model' ELSE l.artifact_location END, 'default'
    FROM generate_series(0, %(models)s - 1) i CROSS JOIN (VALUES (1), (3), (4), (5)) w(v)
    JOIN logged_models l ON l.model_id = 'm-' || md5('model' || i)
    JOIN runs r ON r.run_uuid = md5('run' || i);

INSERT INTO model_versions (name, version, creation_time, last_updated_time, description, current_stage,
        source, run_id, status, run_link, storage_location, workspace)
    SELECT 'prompt-' || i, v, %(began)s + v, %(began)s + v, 'commit ' || v, 'None', 'dummy-source', '', 'READY', '',
        'dummy-source', 'default'
    FROM generate_series(0, 2) i, generate_series(1, 3) v;

INSERT INTO model_version_tags SELECT k, CASE k WHEN 'mlflow.prompt.text' THEN
        'Answer ' || v || ' of ' || i || ': {{question}}' WHEN '_mlflow_prompt_type' THEN 'text' ELSE 'true' END,
        'prompt-' || i, v, 'default'
    FROM generate_series(0, 2) i, generate_series(1, 3) v,
        unnest(ARRAY['mlflow.prompt.is_prompt', '_mlflow_prompt_type', 'mlflow.prompt.text']) k;

INSERT INTO model_version_tags SELECT 'approved', 'yes', name, version, 'default' FROM model_versions
    WHERE version = 3 AND name LIKE 'model-%%';

INSERT INTO registered_model_aliases SELECT 'champion', 3, 'model-' || i, 'default'
    FROM generate_series(0, %(models)s - 1) i;

INSERT INTO registered_model_aliases SELECT 'production', 2, 'prompt-' || i, 'default'
    FROM generate_series(0, 2) i;

INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status, request_preview,
        response_preview, db_payload_generation, trace_name)
    SELECT 'tr-' || md5('trace' || i), 10 + i %% 5 * 7, %(began)s + i, 25, CASE i %% 9 WHEN 8 THEN 'ERROR' ELSE 'OK'
        END, '{"x": ' || i || '}', i::text, 1, 'answer' FROM generate_series(0, %(traces)s - 1) i;

INSERT INTO trace_tags SELECT 'mlflow.artifactLocation', e.artifact_location || '/traces/' || request_id
        || '/artifacts', request_id FROM trace_info JOIN experiments e USING (experiment_id);

INSERT INTO trace_tags SELECT 'mlflow.trace.spansLocation', 'TRACKING_STORE', request_id FROM trace_info;

INSERT INTO trace_request_metadata SELECT 'mlflow.trace.session', 's' || experiment_id, request_id
    FROM trace_info;

INSERT INTO spans (trace_id, experiment_id, span_id, parent_span_id, name, type, status,
        start_time_unix_nano, end_time_unix_nano, content)
    SELECT request_id, experiment_id, substr(md5(request_id || n), 1, 16),
        CASE WHEN n > 0 THEN substr(md5(request_id || 0), 1, 16) END, 'step ' || n, 'LLM', 'OK',
        timestamp_ms * 1000000 + n, timestamp_ms * 1000000 + n + 5000000,
        json_build_object('trace_id', encode(decode(substr(request_id, 4), 'hex'), 'base64'),
            'span_id', encode(decode(substr(md5(request_id || n), 1, 16), 'hex'), 'base64'),
            'parent_span_id', CASE WHEN n > 0 THEN
                encode(decode(substr(md5(request_id || 0), 1, 16), 'hex'), 'base64') END,
            'name', 'step ' || n, 'start_time_unix_nano', timestamp_ms * 1000000 + n,
            'end_time_unix_nano', timestamp_ms * 1000000 + n + 5000000, 'events', json_build_array(),
            'status', json_build_object('code', 'STATUS_CODE_OK', 'message', ''),
            'attributes', json_build_object('mlflow.traceRequestId', to_json(request_id)::text,
                'mlflow.spanType', '"LLM"', 'mlflow.spanInputs', '{"x": 1}'), 'links', json_build_array())::text
    FROM trace_info, generate_series(0, 2) n;

INSERT INTO span_metrics SELECT trace_id, span_id, 'tokens', 17 FROM spans;

INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, created_timestamp,
        last_updated_timestamp, source_type, source_id, valid, experiment_id, is_numeric_value)
    SELECT 'a-' || md5(request_id), request_id, 'correct', 'feedback', 'true', timestamp_ms + 5, timestamp_ms + 9,
        'HUMAN', 'user1', true, experiment_id, false FROM trace_info WHERE timestamp_ms %% 3 <> 0;

INSERT INTO entity_associations SELECT md5(request_id || 'run'), 'trace', request_id, 'run', md5('run1'),
        timestamp_ms FROM trace_info WHERE timestamp_ms %% 10 = 0;

INSERT INTO evaluation_datasets (dataset_id, name, digest, created_time, last_update_time, created_by, workspace)
    VALUES ('d-' || substr(md5('eval'), 1, 32), 'golden', 'abc', %(began)s, %(began)s + 3, 'user1', 'default');

INSERT INTO evaluation_dataset_records (dataset_record_id, dataset_id, inputs, expectations, created_time,
        last_update_time, input_hash)
    SELECT 'dr-' || substr(md5('rec' || i), 1, 32), 'd-' || substr(md5('eval'), 1, 32),
        json_build_object('q', 'why ' || i), '{"a":   "because"}', %(began)s + i, %(began)s + i, md5('hash' || i)
    FROM generate_series(0, 49) i;

INSERT INTO scorers VALUES (10, 'relevance', md5('scorer'));

INSERT INTO scorer_versions VALUES (md5('scorer'), 1, '{"name": "relevance", "version": 1}', %(began)s);

INSERT INTO webhooks VALUES ('wh-1', 'on-model', 'tells the team', 'https://example.org/hook', 'ACTIVE',
        NULL, %(began)s, %(began)s + 1, NULL, 'default');

INSERT INTO webhook_events VALUES ('wh-1', 'registered_model', 'created');

INSERT INTO secrets VALUES ('s-1', 'llm key', '\x00ff10', '\x0102', 1, 'sk-…7', 'openai', NULL, NULL, 'user1',
        %(began)s, 'user1', %(began)s, 'default');
