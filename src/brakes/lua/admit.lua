-- Asks for one call. ARGV: 14 the permit's name.
-- Answers {1, pauses, probe, 0}, or {0, wait, reason, paused until}.

local PAUSED, BROKEN, CONCURRENCY, RATE = 0, 1, 2, 3
local id = ARGV[OWN]

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(now))
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now))
local brake = load()
brake.touched = now

-- From when on it is worth asking again, and why not now. Asked in this order, since only the rate
-- is spent by being asked.
local from, reason
local is_half_open = brake.open > 0 and brake.open <= now
if now < brake.paused then
  from, reason = brake.paused, PAUSED
elseif now < brake.open then
  from, reason = brake.open, BROKEN
elseif is_half_open and brake.probes_out >= math.max(limits.probes, 1) then
  from, reason = now + brake.call, BROKEN
elseif brake.in_flight >= math.max(limits.concurrency, 1) then
  from, reason = now + step(brake), CONCURRENCY
elseif limits.interval > 0 and now < brake.even - limits.ahead then
  from, reason = brake.even - limits.ahead, RATE
end

if reason then
  -- A place in the line of the refused; who finds it full gets one of them by jitter.
  local at = math.max(brake.line, from)
  if at <= from + LINE then
    brake.line = at + step(brake)
  else
    at = from + drawn(LINE)
  end
  save(brake)
  return { 0, math.max(at - now, 1000), reason, brake.paused }
end

local lost = text(now + limits.permit_life)
local ttl = text(math.ceil(limits.permit_life / 1000))
redis.call('ZADD', KEYS[2], lost, id)
redis.call('PEXPIRE', KEYS[2], ttl)
if is_half_open then
  redis.call('ZADD', KEYS[3], lost, id)
  redis.call('PEXPIRE', KEYS[3], ttl)
end
if limits.interval > 0 then
  brake.even = math.max(brake.even, now) + limits.interval
end
save(brake)
return { 1, brake.pauses, is_half_open and 1 or 0, 0 }
