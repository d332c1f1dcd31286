-- Forgets pause and breaker; calls in flight count on.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local brake = load()
brake.paused = 0
brake.throttles = 0
brake.line = now
brake.failures = 0
brake.open = 0
brake.openings = 0
redis.call('DEL', KEYS[3])
save(brake)
return 1
