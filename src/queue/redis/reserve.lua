-- ARGV: now, how many, the end of the leases, the first 24 digits of their tokens.
-- Answers: whether there is more to catch up with; the leases as { token, job, attempt, lane }.

-- While retries wait, so many fresh jobs of the tenant go before one of them.
local FRESH_IN_A_ROW = 3

local want, over, salt = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local behind = catch_up()
local leases = {}

local function lend(job, lane)
  local entry = read(job)
  if not entry then
    entry = { lane = lane, attempt = 0 }
  elseif entry.place == 'r' then
    count(job, entry, -1)
  else
    return
  end
  entry.attempt = math.min(entry.attempt + 1, 4294967295)
  entry.place, entry.at, entry.number = 'l', over, next_number()
  entry.token = salt .. string.format('%08x', #leases)
  call('ZADD', LEASES, whole(over), entry.number .. entry.token)
  call('HSET', LENT, entry.token, entry.number .. job)
  write(job, entry)
  count(job, entry, 1)
  leases[#leases + 1] = { entry.token, job, entry.attempt, entry.lane }
end

-- Takes from the ring whose turn it is, and puts back who has more.
local function turn()
  local tenant = call('ZPOPMIN', RING)[1]
  if not tenant then
    return false
  end
  local fresh, retries = call('ZCARD', LANE.f .. tenant), call('ZCARD', LANE.r .. tenant)
  local lane = 'f'
  if retries > 0 then
    local row = tonumber(call('HGET', ROW, tenant) or 0)
    if fresh == 0 or row >= FRESH_IN_A_ROW then
      lane = 'r'
      call('HDEL', ROW, tenant)
    else
      call('HINCRBY', ROW, tenant, 1)
    end
  end
  if fresh + retries > 1 then
    call('ZADD', RING, next_number(), tenant)
  end
  local job = call('ZPOPMIN', LANE[lane] .. tenant)[1]
  if job then
    lend(job, lane)
  end
  return true
end

while #leases < want and turn() do end
note()
if call('EXISTS', RING) == 1 then
  -- Whoever leaves something calls another, so that no lost call delays it for long.
  wake(math.max(readied - #leases, 1))
elseif #leases == 0 then
  -- Calls that are still there are for jobs that are gone.
  call('DEL', WAKE)
end
return { behind and 1 or 0, leases }
