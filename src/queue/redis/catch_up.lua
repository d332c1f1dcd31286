-- ARGV: now. Answers whether there is more to catch up with.

local behind = catch_up()
note()
wake(readied)
return behind and 1 or 0
