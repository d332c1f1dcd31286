-- How the connection stands; writes nothing.
-- Answers {in flight, paused until, open until}, 0 for none.

local brake = load()
return { brake.in_flight, brake.paused, brake.open }
