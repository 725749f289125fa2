CREATE TABLE IF NOT EXISTS `shop`.`hotel_stays__history` (
  `id` Int32,
  `day` Date32,
  `_version_` Nullable(String),
  `we\`ird "name"` Nullable(String),
  _raw Map(String, String),
  _version UInt64,
  _deleted UInt8,
  _committed_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree
PRIMARY KEY (`day`, `id`)
ORDER BY (`day`, `id`, _raw['day'], _version, _deleted)
SETTINGS allow_nullable_key = 1
COMMENT '{"bac":1,"generation":2,"version":1,"key":[2,1],"columns":{"id":1,"day":2,"_version_":3,"we`ird \\"name\\"":4}}'
