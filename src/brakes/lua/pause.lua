-- Lets no call go before an instant. ARGV: 14 the instant; an earlier one shortens nothing.

local brake = load()
brake.paused = math.max(brake.paused, tonumber(ARGV[OWN]))
save(brake)
return 1
