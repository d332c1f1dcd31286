-- Ends a call. ARGV: 14 the permit's name, 15 the report, 16 when the call began, 17 how many pauses
-- there were then, 18 whether it was a probe (1), 19 the pause asked for, or -1.
-- Answers the pause that is left.

local NOTHING, SUCCEEDED, THROTTLED, FAILED = 0, 1, 2, 3
local id = ARGV[OWN]
local report = tonumber(ARGV[OWN + 1])
local began = tonumber(ARGV[OWN + 2])
local pauses = tonumber(ARGV[OWN + 3])
local is_probe = tonumber(ARGV[OWN + 4]) == 1
local asked = tonumber(ARGV[OWN + 5])

-- Before the permit is given back, for a brake with a call in flight is not idle.
local brake = load()
redis.call('ZREM', KEYS[2], id)
redis.call('ZREM', KEYS[3], id)
brake.touched = now

-- The provider answered. While the breaker is open only a probe's answer counts.
local function answered()
  brake.failures = 0
  if is_probe then
    brake.open = 0
    brake.openings = 0
  end
end

if report ~= NOTHING then
  local took = math.min(math.max(now - began, SHORTEST_CALL), LONGEST_CALL)
  brake.call = math.floor((7 * brake.call + took) / 8)
end

-- A call from before the last pause says nothing new. A number beyond ours is from before this
-- server lost its memory, and counts.
local is_recent = pauses >= brake.pauses

if report == SUCCEEDED then
  answered()
  if is_recent then
    brake.throttles = 0
  end
elseif report == THROTTLED then
  answered()
  if is_recent then
    brake.pauses = pauses + 1
    brake.throttles = brake.throttles + 1
    local pause = growth(limits.pause_first, limits.pause_cap, brake.throttles)
    brake.paused = math.max(brake.paused, now + pause)
  end
  if asked >= 0 then
    brake.paused = math.max(brake.paused, now + asked)
  end
elseif report == FAILED then
  local opens = false
  if brake.open == 0 then
    brake.failures = brake.failures + 1
    opens = brake.failures >= limits.failures
  elseif brake.open <= now then
    opens = is_probe
  end
  if opens then
    brake.failures = 0
    brake.openings = brake.openings + 1
    brake.open = now + growth(limits.open_first, limits.open_cap, brake.openings)
  end
end

save(brake)
return math.max(brake.paused - now, 0)
