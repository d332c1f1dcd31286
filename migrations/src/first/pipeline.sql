-- One thing that happened in Zoho Books. What it is about is filled in when it is routed.
CREATE TABLE events (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    source text NOT NULL,
    -- The event type and label in the path of the webhook; empty where it bears none.
    path_type text NOT NULL,
    label text NOT NULL,
    event_type text NOT NULL,
    state text NOT NULL,
    document_kind text NOT NULL,
    document_id text NOT NULL,
    document_number text NOT NULL,
    party_id text NOT NULL,
    party_name text NOT NULL,
    amount bigint,
    currency text NOT NULL,
    rules_not_asked bigint NOT NULL,
    received_at bigint NOT NULL,
    routed_at bigint,
    -- When a person dealt with what was not understood.
    dealt_at bigint
) {by_id};
CREATE INDEX events_tenant ON events (tenant_id, id);
-- An event is routed within a second: an index that held it before would move its row at once. So each
-- holds what stays, and what is on its way is in small ones of its own.
CREATE INDEX events_unrouted ON events (id) WHERE routed_at IS NULL;
CREATE INDEX events_received ON events (tenant_id, id) WHERE state = 'received';
CREATE INDEX events_state ON events (tenant_id, state, id) WHERE state <> 'received';
CREATE INDEX events_type ON events (tenant_id, event_type, id) WHERE event_type <> '';
CREATE INDEX events_document ON events (tenant_id, document_id, id) WHERE document_id <> '';
CREATE INDEX events_party ON events (tenant_id, party_id, id) WHERE party_id <> '';
CREATE INDEX events_test ON events (tenant_id, id) WHERE source = 'test';
CREATE INDEX events_undealt ON events (tenant_id, id)
    WHERE state = 'unrecognised' AND dealt_at IS NULL;

-- The body of an event as received, compressed with the dictionary that is named; lists never read it.
CREATE TABLE bodies (
    event_id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    content_type text NOT NULL,
    query text NOT NULL,
    dictionary smallint NOT NULL,
    raw_size bigint NOT NULL,
    body {bytes} NOT NULL
) {by_event};

-- By which a repeated request is known; outlives its event.
CREATE TABLE fingerprints (
    fingerprint {bytes} PRIMARY KEY,
    event_id {id} NOT NULL,
    received_at bigint NOT NULL
) {narrow};

-- Our last known state of a Zoho record. Every event about it raises the version and is routed by it, with the
-- row locked.
CREATE TABLE documents (
    connection_id {id} NOT NULL,
    kind text NOT NULL,
    document_id text NOT NULL,
    tenant_id {id} NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL,
    -- Packed JSON: its transitions that are claimed, each by one event.
    claims {bytes} NOT NULL,
    -- What payments told of an invoice, beside what its own bodies did.
    applied text NOT NULL,
    last_event_id {id} NOT NULL,
    first_received_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (connection_id, kind, document_id)
);

-- Whom documents named, for documents that name nobody by nature.
CREATE TABLE people (
    connection_id {id} NOT NULL,
    party_id text NOT NULL,
    person_id text NOT NULL,
    tenant_id {id} NOT NULL,
    person text NOT NULL,
    seen_at bigint NOT NULL,
    PRIMARY KEY (connection_id, party_id, person_id)
);

-- A person's wish to decide an event or to send a message once more, made once per nonce.
CREATE TABLE replays (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    kind text NOT NULL,
    event_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    nonce text NOT NULL,
    -- What was shown before it was confirmed; whoever carries it out later sends nothing else.
    confirmed text NOT NULL,
    requested_by text NOT NULL,
    requested_at bigint NOT NULL,
    routed_at bigint,
    UNIQUE (tenant_id, nonce)
);
CREATE INDEX replays_event ON replays (event_id);
CREATE INDEX replays_unrouted ON replays (id) WHERE routed_at IS NULL;

-- What the rules said about an event, or why none was asked: one row for all that was decided at once, by
-- routing it or once more for a replay.
CREATE TABLE decisions (
    event_id {id} NOT NULL,
    replay_id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    -- The number of the tenant's rule set that decided.
    rule_set bigint NOT NULL,
    kind text NOT NULL,
    -- The ids of the rules that matched, one after the other.
    matched {bytes} NOT NULL,
    -- Packed JSON: what each said, why, and which values it met.
    verdicts {bytes} NOT NULL,
    decided_at bigint NOT NULL,
    PRIMARY KEY (event_id, replay_id)
) {by_event};
