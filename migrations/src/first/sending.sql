-- One message to one address over one channel, with its state.
CREATE TABLE deliveries (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    rule_id {id} NOT NULL,
    rule_version bigint NOT NULL,
    rule_name text NOT NULL,
    replay_id {id} NOT NULL,
    -- The delivery, of the same event, that this one sends again.
    replay_of {id} NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    recipient text NOT NULL,
    is_to_contact boolean NOT NULL,
    -- The member of a group whom it goes to: called off when they are off or gone.
    member_id {id} NOT NULL,
    is_rehearsal boolean NOT NULL,
    -- Where it goes instead, in a rehearsal.
    rehearsal_to text NOT NULL,
    sender text NOT NULL,
    -- That of its content, by which equal ones are known.
    fingerprint {bytes} NOT NULL,
    -- What it asserts, of which document: it must still be true when it leaves.
    source_connection_id {id} NOT NULL,
    document_kind text NOT NULL,
    document_id text NOT NULL,
    says text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    hold text NOT NULL,
    -- When a worker must look at it next: to send, to look, to poll, to expire.
    due_at bigint,
    expires_at bigint NOT NULL,
    -- By what it is sent: bound by the claim.
    connection_id {id} NOT NULL,
    account text NOT NULL,
    lease_owner text NOT NULL,
    lease_until bigint,
    attempt_no bigint NOT NULL,
    -- How often it was safe to try again, it was not found and sent again, and it was looked for.
    tries bigint NOT NULL,
    absents bigint NOT NULL,
    looks bigint NOT NULL,
    -- What the provider says of it: only a higher rank replaces a lower.
    sid text NOT NULL,
    provider_rank smallint NOT NULL,
    error_code bigint NOT NULL,
    -- When a person dealt with its failure.
    dealt_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (event_id, id),
    UNIQUE (event_id, rule_id, channel, address, replay_id)
) {by_event};
CREATE INDEX deliveries_tenant ON deliveries (tenant_id, id);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
-- Apart for the same reason as those of events.
CREATE INDEX deliveries_moving ON deliveries (tenant_id, state, id)
    WHERE state IN ('queued', 'sending');
CREATE INDEX deliveries_state ON deliveries (tenant_id, state, id)
    WHERE state NOT IN ('queued', 'sending');
CREATE INDEX deliveries_undealt ON deliveries (tenant_id, id)
    WHERE state IN ('failed', 'undelivered') AND dealt_at IS NULL;

-- What a delivery says; lists never read it.
CREATE TABLE contents (
    event_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    -- Packed JSON: a text, or the parts of an e-mail.
    content {bytes} NOT NULL,
    PRIMARY KEY (event_id, delivery_id)
) {by_event};

-- One call to the provider, written before it is made.
CREATE TABLE attempts (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    attempt_no bigint NOT NULL,
    connection_id {id} NOT NULL,
    account text NOT NULL,
    -- Packed JSON, without credentials.
    request {bytes} NOT NULL,
    started_at bigint NOT NULL,
    lease_until bigint NOT NULL,
    PRIMARY KEY (event_id, id)
) {by_event};

-- What became of a delivery, step by step; its state is what they amount to.
CREATE TABLE delivery_steps (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    attempt_no bigint NOT NULL,
    kind text NOT NULL,
    sentence text NOT NULL,
    -- Packed JSON: what the provider answered, or how a look found it.
    detail {bytes} NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (event_id, id)
) {by_event};

-- What the provider said later, in a callback or when asked.
CREATE TABLE receipts (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    account text NOT NULL,
    sid text NOT NULL,
    status text NOT NULL,
    error_code bigint NOT NULL,
    source text NOT NULL,
    verified boolean NOT NULL,
    detail text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (event_id, id),
    UNIQUE (event_id, account, sid, status, error_code, verified)
) {by_event};

-- Callbacks about messages that we do not know yet.
CREATE TABLE unmatched_receipts (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    account text NOT NULL,
    sid text NOT NULL,
    status text NOT NULL,
    error_code bigint NOT NULL,
    verified boolean NOT NULL,
    detail text NOT NULL,
    at bigint NOT NULL,
    word text NOT NULL,
    opted_out boolean NOT NULL,
    reason text NOT NULL,
    UNIQUE (tenant_id, account, sid, status, error_code, verified)
);
CREATE INDEX unmatched_receipts_tenant ON unmatched_receipts (tenant_id, id);

-- Which message of the provider is which delivery of ours.
CREATE TABLE provider_messages (
    account text NOT NULL,
    sid text NOT NULL,
    tenant_id {id} NOT NULL,
    event_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    attempt_no bigint NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    accepted_at bigint NOT NULL,
    PRIMARY KEY (account, sid)
) {narrow};
CREATE INDEX provider_messages_accepted ON provider_messages (account, channel, accepted_at);

-- Messages that are being sent: an equal one waits. The scope is the provider's account, or the tenant's id
-- while the provider has not accepted its credentials.
CREATE TABLE in_flight (
    scope text NOT NULL,
    channel text NOT NULL,
    -- As in `suppressions`.
    address_hash {bytes} NOT NULL,
    fingerprint {bytes} NOT NULL,
    tenant_id {id} NOT NULL,
    event_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    since bigint NOT NULL,
    PRIMARY KEY (scope, channel, address_hash, fingerprint)
) {narrow};
-- A delivery finds its row by itself: on PostgreSQL rows that are gone stay in the way of a scan until they
-- are vacuumed.
CREATE INDEX in_flight_delivery ON in_flight (delivery_id);

-- How many messages went out and failed, by the hour of their `created_at` since 1970, so that nobody has to
-- count them. Triggers keep it, so that no statement can forget to; one costs something only when a
-- delivery begins or ceases to be sent or failed. A part may be negative, the sum of an hour is not.
CREATE TABLE delivery_counts (
    tenant_id {id} NOT NULL,
    hour bigint NOT NULL,
    part bigint NOT NULL,
    sent bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (tenant_id, hour, part)
) {narrow};
