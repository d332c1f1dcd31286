-- What messages come from: numbers, names and services for texts, addresses with a name for e-mails.
CREATE TABLE senders (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    -- The API that sends from it.
    transport text NOT NULL,
    address text NOT NULL,
    -- By which addresses are compared.
    address_key text NOT NULL,
    name text NOT NULL,
    is_default boolean NOT NULL,
    -- For whom it is chosen, as JSON lists: countries of recipients, and customers by their ids in the books.
    countries text NOT NULL,
    customers text NOT NULL,
    -- How many segments of texts it sends in a second, if that is known.
    segments_per_second bigint,
    tested_at bigint,
    created_at bigint NOT NULL,
    UNIQUE (tenant_id, transport, address_key)
);

-- People whom rules write to, such as Finance.
CREATE TABLE groups (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    name text NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX groups_tenant ON groups (tenant_id, id);

-- One of these people, typed or of the team: then name, number and address are read from the user.
CREATE TABLE group_members (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    group_id {id} NOT NULL,
    user_id {id},
    name text NOT NULL,
    phone text NOT NULL,
    email text NOT NULL,
    is_on boolean NOT NULL
);
CREATE INDEX group_members_tenant ON group_members (tenant_id, group_id, id);

-- How a tenant's e-mails look; no row where nobody said.
CREATE TABLE brands (
    tenant_id {id} PRIMARY KEY,
    -- Empty for the tenant's own.
    name text NOT NULL,
    -- `#rrggbb`; empty for ours.
    accent text NOT NULL,
    postal_address text NOT NULL,
    footer text NOT NULL,
    -- Markdown.
    signature text NOT NULL,
    -- Which of its logos; empty for none.
    logo text NOT NULL,
    logo_width bigint NOT NULL,
    logo_height bigint NOT NULL
) {narrow};

-- Pictures that e-mails show, by the hash that is their address. Those of e-mails sent before stay; lists
-- never read them.
CREATE TABLE logos (
    tenant_id {id} NOT NULL,
    hash text NOT NULL,
    png {bytes} NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX logos_hash ON logos (hash);

-- Bank details that somebody asked for, by currency: the newest that is in force counts. Nothing is changed
-- but that a second owner agrees, or that one calls it off while it waits.
CREATE TABLE bank_details (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    currency text NOT NULL,
    -- Empty where there shall be none any more.
    text text NOT NULL,
    asked_by {id} NOT NULL,
    asked_by_name text NOT NULL,
    asked_at bigint NOT NULL,
    in_force_at bigint NOT NULL,
    agreed_by_name text NOT NULL DEFAULT '',
    called_off_at bigint
);
CREATE INDEX bank_details_tenant ON bank_details (tenant_id, currency, in_force_at);
