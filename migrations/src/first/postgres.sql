-- What belongs to no month that was made.
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE bodies_default PARTITION OF bodies DEFAULT;
CREATE TABLE decisions_default PARTITION OF decisions DEFAULT;
CREATE TABLE deliveries_default PARTITION OF deliveries DEFAULT;
CREATE TABLE contents_default PARTITION OF contents DEFAULT;
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;
CREATE TABLE delivery_steps_default PARTITION OF delivery_steps DEFAULT;
CREATE TABLE receipts_default PARTITION OF receipts DEFAULT;

-- These are compressed already.
ALTER TABLE bodies ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE decisions ALTER COLUMN verdicts SET STORAGE EXTERNAL;

-- Room for new versions of a row on its page keeps them out of the index.
ALTER TABLE delivery_counts SET (fillfactor = 50);

-- Each server process of 64 counts in a part of its own, else transactions that run side by side would queue
-- for the row of an hour. New deliveries are counted by the statement, not by the row: making a month
-- moves rows between partitions, and that is no news.
CREATE FUNCTION count_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO delivery_counts AS had (tenant_id, hour, part, sent, failed)
    SELECT tenant_id, created_at / 3600000000, pg_backend_pid() % 64,
        COUNT(*) FILTER (WHERE state IN {sent}), COUNT(*) FILTER (WHERE state IN {failed})
    FROM made WHERE state IN {sent} OR state IN {failed}
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (tenant_id, hour, part) DO UPDATE SET
        sent = had.sent + excluded.sent, failed = had.failed + excluded.failed;
    RETURN NULL;
END $$;
CREATE TRIGGER deliveries_made AFTER INSERT ON deliveries
REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION count_made();

CREATE FUNCTION count_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO delivery_counts AS had (tenant_id, hour, part, sent, failed)
    VALUES (NEW.tenant_id, NEW.created_at / 3600000000, pg_backend_pid() % 64,
        (NEW.state IN {sent})::int - (OLD.state IN {sent})::int,
        (NEW.state IN {failed})::int - (OLD.state IN {failed})::int)
    ON CONFLICT (tenant_id, hour, part) DO UPDATE SET
        sent = had.sent + excluded.sent, failed = had.failed + excluded.failed;
    RETURN NULL;
END $$;
CREATE TRIGGER deliveries_moved AFTER UPDATE OF state ON deliveries FOR EACH ROW
WHEN ((NEW.state IN {sent}) <> (OLD.state IN {sent})
    OR (NEW.state IN {failed}) <> (OLD.state IN {failed}))
EXECUTE FUNCTION count_moved();
