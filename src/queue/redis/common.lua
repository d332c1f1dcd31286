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

-- A command costs as much as a hundred lines of Lua. So what a step needs is read in few of them, what it
-- changes is gathered, and `note` writes it down.
local WIDTH = 1000

-- Calls `give` with at most so many of a list's items at a time.
local function portions(list, give)
  for first = 1, #list, WIDTH do
    give(unpack(list, first, math.min(first + WIDTH - 1, #list)))
  end
end

-- The values of some fields of a hash, in their order; false for those that are not there.
local function values_of(key, fields)
  local values = {}
  portions(fields, function(...)
    for _, value in ipairs(call('HMGET', key, ...)) do
      values[#values + 1] = value
    end
  end)
  return values
end

-- Lua would write large numbers as 1.8e+15.
local function whole(number)
  return string.format('%d', number)
end

-- Numbers put in order what has the same time. As text of one width they sort in a set as well.
local last
local function next_number()
  last = (last or tonumber(call('GET', LAST) or 0)) + 1
  return string.format('%016d', last)
end

local depths = {}
local function count(job, entry, by)
  local field = string.sub(job, 1, 32) .. entry.lane .. entry.place
  depths[field] = (depths[field] or 0) + by
end

-- An entry is text: lane (f, r), place (r, d, l), attempt; then, unless ready, due or end, and
-- number; when lent, the token and, if pushed meanwhile, the instant of that push.
local function to_entry(text)
  local lane, place, attempt, at, number, token, again =
    string.match(text, '^([fr])([rdl]) (%d+) ?(%d*) ?(%d*) ?(%x*) ?(%d*)$')
  return lane and {
    lane = lane, place = place, attempt = tonumber(attempt), at = tonumber(at),
    number = number, token = token, again = tonumber(again),
  }
end

local function to_text(entry)
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
  return text
end

-- Entries as this step has read or changed them, by job; false where there is none.
local entries, changed = {}, {}

-- Reads the entries of jobs that are not known yet.
local function know(jobs)
  local unknown = {}
  for _, job in ipairs(jobs) do
    if entries[job] == nil then
      entries[job] = false
      unknown[#unknown + 1] = job
    end
  end
  for i, text in ipairs(values_of(JOBS, unknown)) do
    entries[unknown[i]] = text and to_entry(text) or false
  end
end

local function read(job)
  if entries[job] == nil then
    know({ job })
  end
  return entries[job] or nil
end

local function write(job, entry)
  entries[job], changed[job] = entry, true
end

-- What goes into sorted sets and out of them: by key, members with their scores. Members that are there
-- keep their score.
local added, removed = {}, {}
local function add(key, score, member)
  added[key] = added[key] or {}
  added[key][member] = added[key][member] or score
end

local function remove(key, member)
  if added[key] then
    added[key][member] = nil
  end
  removed[key] = removed[key] or {}
  table.insert(removed[key], member)
end

-- Writes down the places of jobs, for whoever has to look at them.
local function put()
  for key, members in pairs(removed) do
    portions(members, function(...) call('ZREM', key, ...) end)
  end
  for key, scores in pairs(added) do
    local list = {}
    for member, score in pairs(scores) do
      list[#list + 1], list[#list + 2] = score, member
    end
    portions(list, function(...) call('ZADD', key, 'NX', ...) end)
  end
  added, removed = {}, {}
end

-- Puts a job into its lane, and its tenant into the ring, unless they stand there.
local function stand(job, lane, number)
  local tenant = string.sub(job, 1, 32)
  add(LANE[lane] .. tenant, number, job)
  add(RING, number, tenant)
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
    add(DELAYED, whole(due), entry.number .. job)
    soonest = math.min(soonest or due, due)
  end
  write(job, entry)
  count(job, entry, 1)
end

-- Leases as this step has read or changed them, by token: number and job; false where there is none.
local held, lent = {}, {}

-- Reads what these tokens prove, and the entries of their jobs.
local function know_leases(tokens)
  local jobs = {}
  for i, text in ipairs(values_of(LENT, tokens)) do
    held[tokens[i]] = text
    if text then
      jobs[#jobs + 1] = string.sub(text, 17)
    end
  end
  know(jobs)
end

local function lend_to(token, number, job)
  held[token], lent[token] = number .. job, true
end

-- Ends a lease in the books; the job and its entry, or nil when the token proves nothing. The token is
-- known.
local function take_back(token)
  if not held[token] then
    return nil
  end
  local number, job = string.sub(held[token], 1, 16), string.sub(held[token], 17)
  held[token], lent[token] = false, true
  remove(LEASES, number .. token)
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
  local jobs = {}
  for i, member in ipairs(due) do
    jobs[i] = string.sub(member, 17)
  end
  know(jobs)
  for i, member in ipairs(due) do
    remove(DELAYED, member)
    local job, entry = jobs[i], read(jobs[i])
    if not entry then
      place(job, { lane = 'f', attempt = 0 }, now)
    elseif entry.place == 'd' and entry.number == string.sub(member, 1, 16) then
      count(job, entry, -1)
      place(job, entry, now)
    end
  end
  local over = call('ZRANGEBYSCORE', LEASES, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)
  local tokens = {}
  for i, member in ipairs(over) do
    remove(LEASES, member)
    tokens[i] = string.sub(member, 17)
  end
  know_leases(tokens)
  for _, token in ipairs(tokens) do
    local job, entry = take_back(token)
    if job then
      entry.lane, entry.again = 'r', nil
      place(job, entry, now)
    end
  end
  return #due == AT_ONCE or #over == AT_ONCE
end

-- Writes down all that was only remembered so far; must be called once, after all moves.
local function note()
  put()
  local texts, gone = {}, {}
  for job in pairs(changed) do
    if entries[job] then
      texts[#texts + 1], texts[#texts + 2] = job, to_text(entries[job])
    else
      gone[#gone + 1] = job
    end
  end
  portions(texts, function(...) call('HSET', JOBS, ...) end)
  portions(gone, function(...) call('HDEL', JOBS, ...) end)
  texts, gone = {}, {}
  for token in pairs(lent) do
    if held[token] then
      texts[#texts + 1], texts[#texts + 2] = token, held[token]
    else
      gone[#gone + 1] = token
    end
  end
  portions(texts, function(...) call('HSET', LENT, ...) end)
  portions(gone, function(...) call('HDEL', LENT, ...) end)
  if last then
    call('SET', LAST, whole(last))
  end
  for field, by in pairs(depths) do
    if by ~= 0 and call('HINCRBY', DEPTHS, field, by) <= 0 then
      call('HDEL', DEPTHS, field)
    end
  end
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
