CREATE TABLE IF NOT EXISTS `shop`.`hotel_stays` (
  `id` Int32,
  `day` Date32,
  `_version_` Nullable(String),
  `we\`ird "name"` Nullable(String),
  _raw Map(String, String) COMMENT 'Exact source text of values their column cannot hold',
  _version UInt64 DEFAULT 9007199254740992 COMMENT 'Order of changes: generation and position in the source',
  _deleted UInt8 DEFAULT 0 COMMENT '1 = the row was deleted at the source',
  _committed_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'Commit time at the source; snapshot rows: time of loading',
  CONSTRAINT generation CHECK _version >= 9007199254740992
)
ENGINE = ReplacingMergeTree(_version, _deleted)
PRIMARY KEY (`day`, `id`)
ORDER BY (`day`, `id`, _raw['day'])
SETTINGS allow_nullable_key = 1
COMMENT '{"bac":1,"generation":2,"version":1,"key":[2,1],"columns":{"id":1,"day":2,"_version_":3,"we`ird \\"name\\"":4}}'
