-- Who may come in: tenants, users, sessions, and the trail of what they did. YSQL subset only.
CREATE TABLE bac.tenants (
  id text PRIMARY KEY,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bac.users (
  id uuid PRIMARY KEY,
  -- person | service
  kind text NOT NULL,
  -- the e-mail address of a person in lower case, the name of a service account
  login text NOT NULL UNIQUE,
  name text NOT NULL,
  -- null = all tenants
  tenant text REFERENCES bac.tenants,
  -- $scrypt$...; null: cannot sign in with a password
  password text,
  roles jsonb NOT NULL DEFAULT '[]',
  attributes jsonb NOT NULL DEFAULT '{}',
  scopes jsonb NOT NULL DEFAULT '[]',
  disabled_at timestamptz,
  -- base32; counts once confirmed
  totp_secret text,
  totp_confirmed_at timestamptz,
  -- the time step of the last code taken: no code counts twice
  totp_step bigint NOT NULL DEFAULT 0,
  -- who vouches for it at an OpenID provider
  issuer text,
  subject text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  signed_in_at timestamptz
);
CREATE UNIQUE INDEX users_subject ON bac.users (issuer, subject);
CREATE INDEX users_tenant ON bac.users (tenant, login);

-- SHA-256 of each code of 80 random bits; a used one stays on record.
CREATE TABLE bac.recovery_codes (
  user_id uuid NOT NULL REFERENCES bac.users ON DELETE CASCADE,
  hash text NOT NULL,
  used_at timestamptz,
  PRIMARY KEY (user_id, hash)
);

-- Browser sessions of users, by the SHA-256 of the cookie.
CREATE TABLE bac.sessions (
  id uuid PRIMARY KEY,
  hash text NOT NULL UNIQUE,
  user_id uuid NOT NULL REFERENCES bac.users ON DELETE CASCADE,
  -- password | oidc:NAME
  via text NOT NULL,
  address text NOT NULL,
  agent text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- to about a minute
  seen_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_user ON bac.sessions (user_id);
CREATE INDEX sessions_expiry ON bac.sessions (expires_at);

-- A sign-in at an OpenID provider that is under way, by the SHA-256 of its state.
CREATE TABLE bac.oidc_logins (
  state text PRIMARY KEY,
  issuer text NOT NULL,
  nonce text NOT NULL,
  verifier text NOT NULL,
  expires_at timestamptz NOT NULL
);

-- Failed sign-ins by account and by address, whether or not the account exists.
CREATE TABLE bac.sign_in_failures (
  subject text PRIMARY KEY,
  failures integer NOT NULL,
  failed_at timestamptz NOT NULL,
  -- nothing is tried before
  locked_until timestamptz NOT NULL
);
CREATE INDEX sign_in_failures_age ON bac.sign_in_failures (failed_at);

ALTER TABLE bac.api_keys ADD COLUMN name text;
-- the account whose rights bound the key's; null: the key stands for itself
ALTER TABLE bac.api_keys ADD COLUMN owner uuid REFERENCES bac.users ON DELETE CASCADE;
ALTER TABLE bac.api_keys ADD COLUMN made_by text;
ALTER TABLE bac.api_keys ADD COLUMN expires_at timestamptz;
-- to about five minutes
ALTER TABLE bac.api_keys ADD COLUMN last_used_at timestamptz;
CREATE INDEX api_keys_owner ON bac.api_keys (owner);

-- What was done and what was refused. Rows are only added; retention takes old ones away.
CREATE TABLE bac.audit (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  tenant text,
  actor text NOT NULL,
  -- http | graphql | rest | cli | import | automation | ...
  surface text NOT NULL,
  action text NOT NULL,
  entity text,
  record text,
  -- ok | denied | failed
  outcome text NOT NULL,
  code text,
  request text,
  address text,
  details jsonb
);
CREATE INDEX audit_at ON bac.audit (at DESC, id DESC);
CREATE INDEX audit_tenant ON bac.audit (tenant, at DESC, id DESC);

CREATE FUNCTION bac.audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND OLD.at < now() - interval '1 day' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only';
END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON bac.audit
  FOR EACH ROW EXECUTE PROCEDURE bac.audit_stays();
