-- A tenant's link to one organisation at Zoho Books, or to a provider of messages.
CREATE TABLE connections (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    provider text NOT NULL,
    -- What is sent over it, such as `sms email`; empty for a source of events.
    channels text NOT NULL,
    name text NOT NULL,
    -- The provider's account, which several tenants may share.
    account text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    settings text NOT NULL,
    -- Names the credentials that are stored, and when the provider first accepted these.
    login {id},
    accepted_at bigint,
    -- No call before then: each API of an account counts its own.
    sms_paused_until bigint,
    email_paused_until bigint,
    -- Until then some of its senders rest.
    senders_rest_until bigint,
    checked_at bigint,
    -- What the last check said.
    checked text NOT NULL,
    broken_at bigint,
    -- When a request was last rejected, and since when so many are that its owners are told.
    rejected_at bigint,
    burst_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (tenant_id, provider, name)
);

-- Sealed credentials; an old one may go on beside the new until it expires.
CREATE TABLE secrets (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    name text NOT NULL,
    sealed {bytes} NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint
);
CREATE INDEX secrets_connection ON secrets (connection_id, name);

-- The addresses of webhooks and callbacks; never a credential.
CREATE TABLE hooks (
    token text PRIMARY KEY,
    provider text NOT NULL,
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX hooks_connection ON hooks (connection_id);

-- What a connection's provider last said of the account behind it.
CREATE TABLE account_figures (
    connection_id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    -- With which credentials it was asked.
    login {id} NOT NULL,
    asked_at bigint NOT NULL,
    -- When it last said any of this.
    told_at bigint,
    -- Ten-thousandths, and three letters.
    balance bigint,
    balance_currency text NOT NULL,
    month_cost bigint,
    month_currency text NOT NULL,
    month_messages bigint,
    calls_at_once bigint,
    -- Since when so little is left that its owners are told.
    low_at bigint
);

-- Limits of carriers that messages of a sender ran into, which is named as deliveries name it.
CREATE TABLE sender_rests (
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    sender text NOT NULL,
    -- The provider's error code.
    code bigint NOT NULL,
    -- Whose messages it stops: the sender's, a carrier's, the account's.
    concerns text NOT NULL,
    since bigint NOT NULL,
    until bigint NOT NULL,
    hits bigint NOT NULL,
    -- How many rests in a row there were: each is twice the one before.
    rests bigint NOT NULL,
    PRIMARY KEY (connection_id, sender, code)
);

-- Consents at Zoho that were begun and have not ended, so that the browser may come back to another process
-- than the one that sent it there. `state` and `session` are hashes of what the browser shows.
CREATE TABLE consents (
    id {id} PRIMARY KEY,
    state {bytes} NOT NULL UNIQUE,
    session {bytes} NOT NULL,
    tenant_id {id} NOT NULL,
    region text NOT NULL,
    client_id text NOT NULL,
    -- Sealed.
    client_secret {bytes} NOT NULL,
    organization_id text NOT NULL,
    actor text NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX consents_expired ON consents (expires_at);

-- Requests to a hook that were refused, with the reason; those like one before are only counted in it.
CREATE TABLE rejected_requests (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    path text NOT NULL,
    address text NOT NULL,
    reason text NOT NULL,
    -- JSON: lengths, types and the first digits of hashes, for whoever looks for the mistake.
    compared text NOT NULL,
    -- Whether the signature was missing or wrong; others are refused for what they hold.
    is_forged boolean NOT NULL,
    like_it bigint NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX rejected_requests_tenant ON rejected_requests (tenant_id, id);
