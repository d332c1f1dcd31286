-- What the scripts of the brakes share. They reckon as brake.rs and breaker.rs do.
--
-- Every number is in microseconds or a count; time and chance come from the caller, so that the same
-- arguments always give the same answer. Whole numbers up to 2^53 are exact here.
--
-- KEYS: 1 the brake (hash), 2 its calls in flight, 3 its probes (both sorted by when they are
-- thought lost). ARGV: 1 now, 2 the jitter in millionths, 3 to 13 the limits, from 14 on the script's.

local now = tonumber(ARGV[1])
local jitter = tonumber(ARGV[2])
local limits = {}
for at, name in ipairs({
  'concurrency', 'interval', 'ahead', 'pause_first', 'pause_cap', 'failures', 'open_first',
  'open_cap', 'probes', 'forget_after', 'permit_life',
}) do
  limits[name] = tonumber(ARGV[2 + at])
end
local OWN = 14

-- As in brake.rs.
local FIRST_GUESS = 250000
local SHORTEST_CALL = 10000
local LONGEST_CALL = 10000000
local LINE = 30000000

-- No key lives longer without being touched.
local LONGEST_TTL = 30 * 86400 * 1000000

-- Absent fields are 0: no pause, a closed breaker, a free line.
local FIELDS = {
  'paused', 'pauses', 'throttles', 'even', 'line', 'call', 'failures', 'open', 'openings', 'touched',
}

-- The text of a whole number; Lua's own would round it to 14 digits.
local function text(number)
  return string.format('%.0f', number)
end

local function fresh()
  local brake = { in_flight = 0, probes_out = 0 }
  for _, field in ipairs(FIELDS) do
    brake[field] = 0
  end
  brake.call = FIRST_GUESS
  brake.touched = now
  return brake
end

-- The brake as it stands; a new one when there is none or it was idle for long.
local function load()
  local values = redis.call('HMGET', KEYS[1], unpack(FIELDS))
  local brake = fresh()
  if values[1] then
    for at, field in ipairs(FIELDS) do
      brake[field] = tonumber(values[at] or 0)
    end
  end
  local living = '(' .. text(now)
  brake.in_flight = redis.call('ZCOUNT', KEYS[2], living, '+inf')
  brake.probes_out = redis.call('ZCOUNT', KEYS[3], living, '+inf')
  local is_idle = brake.in_flight == 0 and brake.paused <= now and brake.open <= now
    and brake.even <= now and now - brake.touched >= limits.forget_after
  if is_idle then
    return fresh()
  end
  return brake
end

-- Writes it down, to be forgotten by itself when nothing in it matters any more.
local function save(brake)
  local written = {}
  for _, field in ipairs(FIELDS) do
    written[#written + 1] = field
    written[#written + 1] = text(brake[field])
  end
  redis.call('HSET', KEYS[1], unpack(written))
  local busy = math.max(brake.paused, brake.open, brake.even, now) - now
  local ttl = math.min(busy + limits.forget_after + limits.permit_life, LONGEST_TTL)
  redis.call('PEXPIRE', KEYS[1], text(math.ceil(ttl / 1000)))
end

-- The part of `span` that was drawn.
local function drawn(span)
  return math.floor(span * jitter / 1000000)
end

-- A time that doubles from `first` up to `cap`, spread over its upper half.
local function growth(first, cap, times)
  local doublings = math.min(math.max(times - 1, 0), 31)
  local half = math.floor(math.min(first * 2 ^ doublings, cap) / 2)
  return half + drawn(half)
end

-- The time between two places in the line.
local function step(brake)
  local width = math.max(limits.concurrency, 1)
  return math.max(math.floor(4 * brake.call / (5 * width)), limits.interval)
end
