-- What was asked of the semantic layer and read from the tables themselves, by its shape and day; for advice on
-- roll-ups. Bounded: shapes of a day, and days.
CREATE TABLE bac.questions (
  day date NOT NULL,
  shape text NOT NULL,
  -- {measures, dimensions, times}: members without their values
  question jsonb NOT NULL,
  asked bigint NOT NULL,
  rows_read bigint NOT NULL,
  milliseconds bigint NOT NULL,
  PRIMARY KEY (day, shape)
);
