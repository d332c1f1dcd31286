-- A rule by its place among the others; what it says is in its versions.
CREATE TABLE rules (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    position bigint NOT NULL,
    enabled boolean NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    deleted_at bigint
);
CREATE INDEX rules_tenant ON rules (tenant_id, position);

-- What a rule said when; never changed, as the history names them.
CREATE TABLE rule_versions (
    rule_id {id} NOT NULL,
    version bigint NOT NULL,
    tenant_id {id} NOT NULL,
    definition text NOT NULL,
    created_by text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (rule_id, version)
);
