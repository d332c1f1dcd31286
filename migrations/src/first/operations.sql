-- One line of a tenant's history: what, who or what did it, when.
CREATE TABLE audit_entries (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL,
    address text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL
);
CREATE INDEX audit_entries_tenant ON audit_entries (tenant_id, id);

-- The service's own e-mails, sealed until they are sent. A second one of the same `once` is not kept.
CREATE TABLE mails (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    recipient text NOT NULL,
    kind text NOT NULL,
    once text NOT NULL UNIQUE,
    sealed {bytes} NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    tries bigint NOT NULL,
    due_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE INDEX mails_tenant ON mails (tenant_id, id);
CREATE INDEX mails_due ON mails (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX mails_ended ON mails (updated_at) WHERE due_at IS NULL;

-- Processes that run or ran lately, and how far their clocks are ahead of the database's.
CREATE TABLE processes (
    name text PRIMARY KEY,
    does text NOT NULL,
    version text NOT NULL,
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    clock_ahead bigint NOT NULL
) {narrow};

-- Which program brought a step of the schema, and the step that one must at least know to run beside it.
CREATE TABLE schema_steps (
    step text PRIMARY KEY,
    needs text NOT NULL,
    program text NOT NULL
);
