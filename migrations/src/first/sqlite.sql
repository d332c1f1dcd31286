CREATE TRIGGER deliveries_made AFTER INSERT ON deliveries
WHEN NEW.state IN {sent} OR NEW.state IN {failed}
BEGIN
    INSERT INTO delivery_counts (tenant_id, hour, part, sent, failed)
    VALUES (NEW.tenant_id, NEW.created_at / 3600000000, 0,
        NEW.state IN {sent}, NEW.state IN {failed})
    ON CONFLICT (tenant_id, hour, part) DO UPDATE SET
        sent = sent + excluded.sent, failed = failed + excluded.failed;
END;

CREATE TRIGGER deliveries_moved AFTER UPDATE OF state ON deliveries
WHEN (NEW.state IN {sent}) <> (OLD.state IN {sent})
    OR (NEW.state IN {failed}) <> (OLD.state IN {failed})
BEGIN
    INSERT INTO delivery_counts (tenant_id, hour, part, sent, failed)
    VALUES (NEW.tenant_id, NEW.created_at / 3600000000, 0,
        (NEW.state IN {sent}) - (OLD.state IN {sent}),
        (NEW.state IN {failed}) - (OLD.state IN {failed}))
    ON CONFLICT (tenant_id, hour, part) DO UPDATE SET
        sent = sent + excluded.sent, failed = failed + excluded.failed;
END;
