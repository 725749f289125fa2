CREATE TABLE IF NOT EXISTS `shop`.`log__history__local` ON CLUSTER `main` (
  `id` Int32,
  `line` Nullable(String),
  `cost` Nullable(Float64),
  _raw Map(String, String),
  _version UInt64 COMMENT '{"bac":1,"generation":2,"version":1,"key":[1,2,3],"columns":{"id":1,"line":2,"cost":3},"shards":3}',
  _deleted UInt8,
  _committed_at DateTime64(6, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{uuid}', '{replica}')
PRIMARY KEY (`id`, `line`, `cost`)
ORDER BY (`id`, `line`, `cost`, _version, _deleted)
SETTINGS allow_nullable_key = 1
COMMENT 'Rows of one shard'
