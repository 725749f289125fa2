-- The last state of a company's model folder that was in force: what a hub serves that starts with one that does not
-- hold.
CREATE TABLE bac.model_folders (
  folder text PRIMARY KEY,
  -- [{fileName, content}]
  files jsonb NOT NULL,
  since timestamptz NOT NULL
);
