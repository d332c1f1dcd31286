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
  add(LEASES, whole(over), entry.number .. entry.token)
  lend_to(entry.token, entry.number, job)
  write(job, entry)
  count(job, entry, 1)
  leases[#leases + 1] = { entry.token, job, entry.attempt, entry.lane }
end

-- Those whose turn is next, with how much they have: a tenant that is served stands behind all others.
local function next_tenants(turns)
  local tenants = {}
  for i, name in ipairs(call('ZRANGE', RING, 0, turns - 1)) do
    tenants[i] = {
      name = name,
      f = call('ZCARD', LANE.f .. name),
      r = call('ZCARD', LANE.r .. name),
      taken = { f = 0, r = 0 },
    }
    if tenants[i].r > 0 then
      tenants[i].row = tonumber(call('HGET', ROW, name) or 0)
    end
  end
  return tenants
end

-- From which lane a tenant is served now.
local function lane_of(tenant)
  if tenant.r == 0 then
    return 'f'
  end
  if tenant.f == 0 or tenant.row >= FRESH_IN_A_ROW then
    tenant.row = 0
    return 'r'
  end
  tenant.row = tenant.row + 1
  return 'f'
end

-- Gives out turns, and writes down who stands in the ring now: the turns as { tenant, lane }.
local function turns_of(tenants, turns)
  local given, first, line = {}, 1, {}
  for i, tenant in ipairs(tenants) do
    line[i] = tenant
  end
  while #given < turns and line[first] do
    local tenant = line[first]
    first = first + 1
    if tenant.f + tenant.r > 0 then
      local lane = lane_of(tenant)
      tenant[lane] = tenant[lane] - 1
      tenant.taken[lane] = tenant.taken[lane] + 1
      given[#given + 1] = { tenant = tenant, lane = lane }
      if tenant.f + tenant.r > 0 then
        line[#line + 1] = tenant
      end
    end
    tenant.served = true
  end
  for _, tenant in ipairs(tenants) do
    if tenant.served then
      remove(RING, tenant.name)
    end
  end
  for i = first, #line do
    if line[i].served then
      add(RING, next_number(), line[i].name)
    end
  end
  return given
end

-- Takes the jobs of these tenants from their lanes, as many as they have turns.
local function take(tenants)
  local jobs = {}
  for _, tenant in ipairs(tenants) do
    for lane, number in pairs(tenant.taken) do
      local taken = {}
      if number > 0 then
        local members = call('ZPOPMIN', LANE[lane] .. tenant.name, number)
        for i = 1, #members, 2 do
          taken[#taken + 1], jobs[#jobs + 1] = members[i], members[i]
        end
      end
      tenant.taken[lane] = taken
    end
    if tenant.row == 0 then
      call('HDEL', ROW, tenant.name)
    elseif tenant.row and tenant.served then
      call('HSET', ROW, tenant.name, whole(tenant.row))
    end
  end
  know(jobs)
end

-- Until enough is lent, or nothing more is ready: a job that stands in a lane by mistake takes a turn.
repeat
  put()
  local tenants = next_tenants(want - #leases)
  local given = turns_of(tenants, want - #leases)
  take(tenants)
  for _, turn in ipairs(given) do
    lend(table.remove(turn.tenant.taken[turn.lane], 1), turn.lane)
  end
until #leases >= want or #tenants == 0
note()
if call('EXISTS', RING) == 1 then
  -- Whoever leaves something calls another, so that no lost call delays it for long.
  wake(math.max(readied - #leases, 1))
elseif #leases == 0 then
  -- Calls that are still there are for jobs that are gone.
  call('DEL', WAKE)
end
return { behind and 1 or 0, leases }
