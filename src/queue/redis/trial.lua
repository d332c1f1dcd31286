-- ARGV: now. KEYS[1] is a corner in which no job ever stands.
-- Takes a job of nobody's the whole way with the commands of the other steps, and leaves nothing behind:
-- so the server would do those too. Answers whether it kept what it was told.

catch_up()
local tenant = string.rep('0', 32)
local job = tenant .. '..trial'
place(job, { lane = 'f', attempt = 0 }, now)
add(DELAYED, whole(now), 'trial')
note()
wake(readied)
local ring = call('ZRANGE', RING, 0, 0)
local waiting = call('ZCARD', LANE.f .. tenant)
local taken = call('ZPOPMIN', LANE.f .. tenant, 1)
remove(RING, tenant)
remove(DELAYED, 'trial')
add(LEASES, whole(now), 'trial')
lend_to('trial', next_number(), job)
call('HSETNX', ROW, tenant, 0)
note()
call('HDEL', LENT, 'trial')
call('DEL', JOBS, RING, ROW, DELAYED, LEASES, LENT, DEPTHS, LAST, WAKE, LANE.f .. tenant)
return #ring == 1 and waiting == 1 and #taken == 2 and 1 or 0
