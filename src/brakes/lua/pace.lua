-- Asks for a turn of a sender. Reckons as pace.rs does.
-- KEYS: 1 the sender's pace (hash). ARGV: 1 now, 2 how long the turn takes, 3 whether it has a place (1), 4 the
-- latest that is of use; in microseconds, which are exact up to 2^53.
-- Answers {1, 0} for now, {0, instant} for then, {2, 0} for too late.

local SLACK, VOID = 1000000, 10000000
local now, takes, latest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local has_place = tonumber(ARGV[3]) == 1

local kept = redis.call('HMGET', KEYS[1], 'free', 'line', 'again')
local free, line, again = tonumber(kept[1] or 0), tonumber(kept[2] or 0), tonumber(kept[3] or 0)

if line > now and now >= free + VOID then
  line = now
end
local from, at
if has_place then
  from, at = free - SLACK, math.max(free, again)
else
  from = math.max(free, line)
  at = math.max(from, again)
end
local answer
if now >= from then
  free = math.max(free, now) + takes
  line = math.max(line, free)
  answer = { 1, 0 }
elseif at > latest then
  return { 2, 0 }
else
  if has_place then
    again = at + takes
  else
    line = at + takes
  end
  answer = { 0, at }
end

local function text(number)
  return string.format('%.0f', number)
end
redis.call('HSET', KEYS[1], 'free', text(free), 'line', text(line), 'again', text(again))
local rest = math.max(free, line, again) - now + VOID
redis.call('PEXPIRE', KEYS[1], text(math.ceil(rest / 1000)))
return answer
