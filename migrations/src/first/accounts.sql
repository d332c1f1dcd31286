-- Keys that seal the secrets of all tables, each wrapped by the master key.
CREATE TABLE data_keys (
    id {id} PRIMARY KEY,
    master_key_id text NOT NULL,
    wrapped {bytes} NOT NULL,
    created_at bigint NOT NULL
);

-- A customer of the service; nearly every other row belongs to exactly one.
CREATE TABLE tenants (
    id {id} PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    status text NOT NULL,
    -- Why it is suspended, in words that its people read.
    suspended_for text NOT NULL DEFAULT '',
    is_rehearsal boolean NOT NULL,
    -- Who last said at going live that the company may write to its people.
    attested_by text,
    attested_at bigint,
    country text NOT NULL,
    zone text NOT NULL,
    currency text NOT NULL,
    -- How its books write dates that can be read in two ways; empty where nobody has said so.
    date_format text NOT NULL DEFAULT '',
    -- When contacts may be written to, as JSON; empty for any time.
    hours text NOT NULL,
    -- Raised by every edit of a rule, so that routing notices what changed meanwhile.
    rule_set bigint NOT NULL DEFAULT 0,
    -- Since when nothing is sent, and who said so.
    stopped_at bigint,
    stopped_by text NOT NULL DEFAULT '',
    -- The last day for which the daily summary was sent.
    morning_on text NOT NULL DEFAULT '',
    created_at bigint NOT NULL,
    deleted_at bigint
);

-- A person who signs in; may be a member of several tenants.
CREATE TABLE users (
    id {id} PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    password_hash text NOT NULL,
    is_operator boolean NOT NULL,
    phone text NOT NULL DEFAULT '',
    phone_confirmed_at bigint,
    created_at bigint NOT NULL
);

-- Who belongs to which tenant, in which role.
CREATE TABLE members (
    tenant_id {id} NOT NULL,
    user_id {id} NOT NULL,
    role text NOT NULL,
    -- Whether they want the daily summary; NULL is what their role says.
    morning_mail boolean,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) {narrow};
CREATE INDEX members_user ON members (user_id);

-- Invitations that were neither accepted nor revoked.
CREATE TABLE invitations (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    token_hash {bytes} NOT NULL UNIQUE,
    invited_by text NOT NULL,
    inviter_id {id},
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    UNIQUE (tenant_id, email)
);

-- Browsers that are signed in.
CREATE TABLE sessions (
    token_hash {bytes} PRIMARY KEY,
    user_id {id} NOT NULL,
    csrf text NOT NULL,
    address text NOT NULL,
    agent text NOT NULL,
    created_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Bearer tokens of the API. One ends with the rights of its maker, and is revoked by a person.
CREATE TABLE api_tokens (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    token_hash {bytes} NOT NULL UNIQUE,
    created_by text NOT NULL,
    maker_id {id},
    created_at bigint NOT NULL,
    used_at bigint,
    expires_at bigint,
    ended_at bigint,
    revoked_at bigint
);
CREATE INDEX api_tokens_tenant ON api_tokens (tenant_id, id);

-- Single-use tokens and codes: a new password, a new e-mail address, a confirmed number.
CREATE TABLE user_tokens (
    token_hash {bytes} PRIMARY KEY,
    user_id {id} NOT NULL,
    purpose text NOT NULL,
    detail text NOT NULL,
    tries bigint NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX user_tokens_user ON user_tokens (user_id, purpose);
CREATE INDEX user_tokens_expiry ON user_tokens (expires_at);

-- Authenticator apps. A code counts once: `last_step` is the newest that was used.
CREATE TABLE second_factors (
    user_id {id} PRIMARY KEY,
    sealed {bytes} NOT NULL,
    last_step bigint NOT NULL,
    created_at bigint NOT NULL,
    confirmed_at bigint
);

-- What signs in instead of the app, once each.
CREATE TABLE recovery_codes (
    user_id {id} NOT NULL,
    code_hash {bytes} NOT NULL,
    used_at bigint,
    PRIMARY KEY (user_id, code_hash)
) {narrow};

-- How often something was tried, by whatever is counted: an address, an account.
CREATE TABLE throttles (
    name text PRIMARY KEY,
    since bigint NOT NULL,
    tries bigint NOT NULL
) {narrow};
