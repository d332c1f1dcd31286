-- ARGV: now, then for each ack: token, how (done, retry, snooze), the next due time.
-- Answers how many were still held.

catch_up()
local tokens = {}
for i = 2, #ARGV, 3 do
  if held[ARGV[i]] == nil then
    tokens[#tokens + 1] = ARGV[i]
  end
end
know_leases(tokens)
local acked, gone = 0, false
for i = 2, #ARGV, 3 do
  local how, due = ARGV[i + 1], tonumber(ARGV[i + 2])
  local job, entry = take_back(ARGV[i])
  if job then
    acked = acked + 1
    local again = entry.again
    entry.again = nil
    if how == 'done' and not again then
      write(job, false)
      gone = true
    elseif how == 'done' then
      place(job, { lane = 'f', attempt = 0 }, again)
    else
      if how == 'retry' then
        entry.lane = 'r'
      else
        entry.attempt = math.max(entry.attempt - 1, 0)
      end
      place(job, entry, math.min(again or due, due))
    end
  end
end
note()
if gone and call('EXISTS', JOBS) == 0 then
  call('DEL', RING, ROW, DELAYED, LEASES, LENT, DEPTHS, LAST, WAKE)
else
  wake(readied)
end
return acked
