"""The tables and views of the stand-in cluster's SQLite file; views answer what clients ask information_schema."""

from __future__ import annotations

LAYOUT = """
CREATE TABLE IF NOT EXISTS databases (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS catalog (
  id INTEGER PRIMARY KEY AUTOINCREMENT, schema TEXT, name TEXT, created_at REAL, ddl TEXT, UNIQUE (schema, name));
CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB, table_id INTEGER, row_id INTEGER);
CREATE INDEX IF NOT EXISTS pairs_of_table ON pairs (table_id);
CREATE VIEW IF NOT EXISTS "information_schema.tables" AS
  SELECT 'def' AS TABLE_CATALOG, schema AS TABLE_SCHEMA, name AS TABLE_NAME, 'BASE TABLE' AS TABLE_TYPE,
    'InnoDB' AS ENGINE, datetime(created_at, 'unixepoch') AS CREATE_TIME, id AS TIDB_TABLE_ID,
    (SELECT COUNT(*) FROM pairs WHERE table_id = catalog.id AND row_id IS NOT NULL) AS TABLE_ROWS FROM catalog;
CREATE TABLE IF NOT EXISTS "information_schema.tidb_indexes" (
  TABLE_SCHEMA TEXT, TABLE_NAME TEXT, NON_UNIQUE INTEGER, KEY_NAME TEXT, SEQ_IN_INDEX INTEGER, COLUMN_NAME TEXT,
  INDEX_ID INTEGER);
CREATE TABLE IF NOT EXISTS system_variables (name TEXT PRIMARY KEY, value TEXT);
INSERT OR IGNORE INTO system_variables VALUES ('tikv_gc_life_time', '10m0s');
CREATE VIEW IF NOT EXISTS "mysql.tidb" AS
  SELECT 'bootstrapped' AS VARIABLE_NAME, 'True' AS VARIABLE_VALUE, 'Bootstrap flag.' AS COMMENT
  UNION ALL SELECT 'new_collation_enabled', 'True', 'If the new collations are enabled. Do not edit it.'
  UNION ALL SELECT name, value, '' FROM system_variables;
CREATE VIEW IF NOT EXISTS "information_schema.schemata" AS
  SELECT 'def' AS CATALOG_NAME, name AS SCHEMA_NAME FROM databases;
CREATE VIEW IF NOT EXISTS "information_schema.columns" AS
  SELECT 'information_schema' AS TABLE_SCHEMA, 'TABLES' AS TABLE_NAME, name AS COLUMN_NAME
    FROM pragma_table_info('information_schema.tables')
  UNION ALL
  SELECT catalog.schema, catalog.name, info.name FROM catalog, pragma_table_info(
    '`' || replace(catalog.schema, '`', '``') || '`.`' || replace(catalog.name, '`', '``') || '`') AS info;
CREATE VIEW IF NOT EXISTS "information_schema.statistics" AS
  SELECT TABLE_SCHEMA, TABLE_NAME, NON_UNIQUE, KEY_NAME AS INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME,
    CASE KEY_NAME WHEN 'PRIMARY' THEN '' ELSE 'YES' END AS NULLABLE FROM "information_schema.tidb_indexes";
CREATE VIEW IF NOT EXISTS "information_schema.key_column_usage" AS
  SELECT '' AS CONSTRAINT_NAME, '' AS TABLE_SCHEMA, '' AS TABLE_NAME, NULL AS REFERENCED_TABLE_SCHEMA,
    NULL AS REFERENCED_TABLE_NAME WHERE 0;
CREATE VIEW IF NOT EXISTS "information_schema.triggers" AS
  SELECT '' AS TRIGGER_NAME, '' AS EVENT_OBJECT_SCHEMA, '' AS EVENT_OBJECT_TABLE WHERE 0;
"""
