-- Addresses that must not be written to, once for each that said so: the person, a provider, somebody here.
CREATE TABLE suppressions (
    id {id} NOT NULL UNIQUE,
    tenant_id {id} NOT NULL,
    channel text NOT NULL,
    -- For people to read; empty once the person was erased.
    address text NOT NULL,
    -- By which addresses are compared: keyed, so that it says nothing of one that was erased.
    address_hash {bytes} NOT NULL,
    source text NOT NULL,
    -- What may not be written: everything where it is empty, else the reminders of one customer.
    scope text NOT NULL,
    name text NOT NULL,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at bigint NOT NULL,
    -- Until when somebody may say what an unclear reply means.
    decide_by bigint,
    PRIMARY KEY (tenant_id, channel, address_hash, source, scope)
);
CREATE INDEX suppressions_tenant ON suppressions (tenant_id, id);
CREATE INDEX suppressions_asked ON suppressions (decide_by) WHERE decide_by IS NOT NULL;

-- Why addresses may be written to: a ledger, by which nothing is refused. The first of each basis counts.
CREATE TABLE permissions (
    id {id} NOT NULL UNIQUE,
    tenant_id {id} NOT NULL,
    channel text NOT NULL,
    -- As in `suppressions`.
    address text NOT NULL,
    address_hash {bytes} NOT NULL,
    basis text NOT NULL,
    source text NOT NULL,
    created_by text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, channel, address_hash, basis)
);
CREATE INDEX permissions_tenant ON permissions (tenant_id, id);

-- What people wrote back, and what they wish by it.
CREATE TABLE replies (
    account text NOT NULL,
    sid text NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    address text NOT NULL,
    name text NOT NULL,
    sender text NOT NULL,
    wish text NOT NULL,
    body text NOT NULL,
    -- Signed by the provider, or confirmed by it when asked.
    is_proven boolean NOT NULL,
    received_at bigint NOT NULL,
    seen_at bigint,
    PRIMARY KEY (tenant_id, account, sid)
);
CREATE INDEX replies_tenant ON replies (tenant_id, id);
CREATE INDEX replies_unseen ON replies (tenant_id, id) WHERE seen_at IS NULL;
