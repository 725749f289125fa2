-- Who is mentioned in a comment learns of it only while they may read the record. What a definition sends is
-- for whom the definition names, whatever else they may read. Held to the record unless said otherwise.
ALTER TABLE bac.notifications ADD COLUMN with_record boolean NOT NULL DEFAULT true;

DROP POLICY seen ON bac.notifications;
CREATE POLICY seen ON bac.notifications FOR SELECT USING (
  (user_id = (SELECT current_setting('bac.user', true))
    OR role = ANY (string_to_array((SELECT current_setting('bac.roles', true)), ',')))
  AND (NOT with_record OR bac.record_visible(entity, record_id)));

CREATE INDEX notifications_role ON bac.notifications (tenant_id ASC, role ASC, id ASC);
