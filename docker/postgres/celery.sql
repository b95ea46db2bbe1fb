-- Run once, by the first start of an empty database. Celery's results get a database and a role of their
-- own, so that a worker, which runs the tasks, holds no key to Airflow's metadata.
\set password `cat /run/secrets/postgres_celery_password`
CREATE ROLE celery LOGIN PASSWORD :'password';
CREATE DATABASE celery OWNER celery;
REVOKE CONNECT ON DATABASE celery FROM PUBLIC;
REVOKE CONNECT ON DATABASE airflow FROM PUBLIC;
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
