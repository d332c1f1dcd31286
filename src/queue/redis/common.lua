-- What all steps share. KEYS[1] is the prefix of the shard: every key below begins with it, so all
-- of them lie on one slot. ARGV[1] is the caller's time in microseconds; the server's is never asked.

local call = redis.call
local prefix = KEYS[1]
local now = tonumber(ARGV[1])

local JOBS, RING, ROW = prefix .. 'jobs', prefix .. 'ring', prefix .. 'row'
local DELAYED, LEASES, LENT = prefix .. 'delayed', prefix .. 'leases', prefix .. 'lent'
local DEPTHS, LAST, WAKE = prefix .. 'depths', prefix .. 'last', prefix .. 'wake'
local LANE = { f = prefix .. 'fresh:', r = prefix .. 'retry:' }

-- So much of the calendar is caught up with in one step, or the server would stand still for it.
local AT_ONCE = 500
-- So many sleepers one step wakes.
local CALLS = 8
-- Sleepers look by themselves after this long, in microseconds.
local LOOK_AGAIN = 5000000

-- Lua would write large numbers as 1.8e+15.
local function whole(number)
  return string.format('%.0f', number)
end

-- Numbers put in order what has the same time. As text of one width they sort in a set as well.
local last
local function next_number()
  last = (last or tonumber(call('GET', LAST) or 0)) + 1
  return string.format('%016.0f', last)
end

local depths = {}
local function count(job, entry, by)
  local field = string.sub(job, 1, 32) .. entry.lane .. entry.place
  depths[field] = (depths[field] or 0) + by
end

-- An entry is text: lane (f, r), place (r, d, l), attempt; then, unless ready, due or end, and
-- number; when lent, the token and, if pushed meanwhile, the instant of that push.
local function read(job)
  local text = call('HGET', JOBS, job)
  if not text then
    return nil
  end
  local lane, place, attempt, at, number, token, again =
    string.match(text, '^([fr])([rdl]) (%d+) ?(%d*) ?(%d*) ?(%x*) ?(%d*)$')
  if not lane then
    return nil
  end
  return {
    lane = lane, place = place, attempt = tonumber(attempt), at = tonumber(at),
    number = number, token = token, again = tonumber(again),
  }
end

local function write(job, entry)
  local text = entry.lane .. entry.place .. ' ' .. whole(entry.attempt)
  if entry.place ~= 'r' then
    text = text .. ' ' .. whole(entry.at) .. ' ' .. entry.number
  end
  if entry.place == 'l' then
    text = text .. ' ' .. entry.token
    if entry.again then
      text = text .. ' ' .. whole(entry.again)
    end
  end
  call('HSET', JOBS, job, text)
end

-- Puts a job into its lane, and its tenant into the ring, unless they stand there.
local in_ring = {}
local function stand(job, lane, number)
  local tenant = string.sub(job, 1, 32)
  call('ZADD', LANE[lane] .. tenant, 'NX', number, job)
  if not in_ring[tenant] then
    call('ZADD', RING, 'NX', number, tenant)
    in_ring[tenant] = true
  end
end

-- Puts a job, already taken from where it stood, into its lane or the calendar.
local readied, soonest = 0, nil
local function place(job, entry, due)
  entry.number = next_number()
  if due <= now then
    entry.place = 'r'
    stand(job, entry.lane, entry.number)
    readied = readied + 1
  else
    entry.place, entry.at = 'd', due
    call('ZADD', DELAYED, whole(due), entry.number .. job)
    soonest = math.min(soonest or due, due)
  end
  write(job, entry)
  count(job, entry, 1)
end

-- Ends a lease in the books; the job and its entry, or nil when the token proves nothing.
local function take_back(token)
  local held = call('HGET', LENT, token)
  if not held then
    return nil
  end
  local number, job = string.sub(held, 1, 16), string.sub(held, 17)
  call('HDEL', LENT, token)
  call('ZREM', LEASES, number .. token)
  local entry = read(job)
  if not entry then
    -- The key with the entries was lost, and nobody has pushed the job since.
    return job, { lane = 'f', attempt = 1 }
  end
  if entry.place ~= 'l' or entry.token ~= token then
    return nil
  end
  count(job, entry, -1)
  return job, entry
end

-- Delayed jobs whose time has come become ready, and leases that are over come back; whether
-- there is more of it than one step may do.
local function catch_up()
  local due = call('ZRANGEBYSCORE', DELAYED, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)
  if #due > 0 then
    call('ZREM', DELAYED, unpack(due))
  end
  for _, member in ipairs(due) do
    local number, job = string.sub(member, 1, 16), string.sub(member, 17)
    local entry = read(job)
    if not entry then
      place(job, { lane = 'f', attempt = 0 }, now)
    elseif entry.place == 'd' and entry.number == number then
      count(job, entry, -1)
      place(job, entry, now)
    end
  end
  local over = call('ZRANGEBYSCORE', LEASES, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)
  if #over > 0 then
    call('ZREM', LEASES, unpack(over))
  end
  for _, member in ipairs(over) do
    local job, entry = take_back(string.sub(member, 17))
    if job then
      entry.lane, entry.again = 'r', nil
      place(job, entry, now)
    end
  end
  return #due == AT_ONCE or #over == AT_ONCE
end

-- Wakes up to `sleepers` of those who block on the key. Calls that nobody has taken yet are enough.
local function wake(sleepers)
  if sleepers == 0 and soonest and soonest < now + LOOK_AGAIN then
    -- They sleep until what was the first due time; one must learn of the new one.
    local first = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')
    if first[2] and tonumber(first[2]) >= soonest then
      sleepers = 1
    end
  end
  if sleepers > 0 and call('EXISTS', WAKE) == 0 then
    call('RPUSH', WAKE, unpack({ 1, 1, 1, 1, 1, 1, 1, 1 }, 1, math.min(sleepers, CALLS)))
  end
end

-- Writes down what was only remembered so far; must be called once, after all moves.
local function note()
  if last then
    call('SET', LAST, whole(last))
  end
  for field, by in pairs(depths) do
    if by ~= 0 and call('HINCRBY', DEPTHS, field, by) <= 0 then
      call('HDEL', DEPTHS, field)
    end
  end
end

