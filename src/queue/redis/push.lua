-- ARGV: now, then for each push: job, due.
-- A job that is known is put where its entry says unless it stands there, so that pushing again
-- mends whatever single key was lost.

catch_up()
local jobs = {}
for i = 2, #ARGV, 2 do
  jobs[#jobs + 1] = ARGV[i]
end
know(jobs)
for i = 2, #ARGV, 2 do
  local job, due = ARGV[i], tonumber(ARGV[i + 1])
  local entry = read(job)
  if not entry then
    place(job, { lane = 'f', attempt = 0 }, due)
  elseif entry.place == 'r' then
    stand(job, entry.lane, next_number())
  elseif entry.place == 'd' then
    if due < entry.at then
      remove(DELAYED, entry.number .. job)
      count(job, entry, -1)
      place(job, entry, due)
    else
      add(DELAYED, whole(entry.at), entry.number .. job)
    end
  else
    entry.again = math.min(entry.again or due, due)
    write(job, entry)
    add(LEASES, whole(entry.at), entry.number .. entry.token)
    call('HSETNX', LENT, entry.token, entry.number .. job)
  end
end
note()
wake(readied)
