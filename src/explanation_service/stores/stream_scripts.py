"""The steps on a stream that must not be torn apart, as scripts for Redis 7.0 and later."""

from __future__ import annotations

# XCLAIM hands an entry to whoever asks: a worker that slept past its lease would steal the entry
# back from the one that took over. So the owner is checked in the same step. JUSTID leaves the
# delivery count alone. KEYS: stream; ARGV: group, consumer, ids...
RENEW = """
local kept = {}
for i = 3, #ARGV do
  local own = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if #own > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    kept[#kept + 1] = ARGV[i]
  end
end
return kept
"""

# XACK asks nobody whose the entry is: a worker that lost its lease would take the entry away from
# the one that works on it now, and nobody would come back to it if that one died. KEYS: stream;
# ARGV: group, consumer, ids...
ACK_OWN = """
local done = 0
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
    done = done + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  end
end
return done
"""

# The entry looks as if nobody had touched it for IDLE, so that the next look for stale entries
# takes it. FORGIVE 1 takes this delivery off the count: it was no attempt. KEYS: stream; ARGV:
# group, consumer, idle in milliseconds, forgive (0 or 1), ids...
HAND_BACK = """
local handed = 0
for i = 5, #ARGV do
  local own = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if #own > 0 then
    local count = math.max(0, own[1][4] - ARGV[4])
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i],
      'IDLE', ARGV[3], 'RETRYCOUNT', count, 'JUSTID')
    handed = handed + 1
  end
end
return handed
"""

# A script and not MULTI: a repetition after a lost answer must not write a second dead letter.
# XACK comes last, so that an error of XADD leaves the entry pending. KEYS: stream, dead letters,
# the trace of the last failure; ARGV: group, id, what to say where there is no trace, field,
# value...
SET_ASIDE = """
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then
  return false
end
local trace = redis.call('GET', KEYS[3]) or ARGV[3]
local fields = {unpack(ARGV, 4)}
for _, text in ipairs({'deliveries', pending[1][4], 'consumer', pending[1][2], 'trace', trace}) do
  fields[#fields + 1] = text
end
local letter = redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('DEL', KEYS[3])
return letter
"""

# XACK frees no memory, and trimming by length drops entries that nobody has read. The border is
# the lowest id, over all groups, that is pending or was delivered last. One step: a group that is
# made anew from the first entry between the look and the cut would lose what it has not read.
# Ids are compared as text of one length, for Lua's numbers end at 2^53. KEYS: stream.
TRIM = """
local function order(id)
  local time, sequence = string.match(id, '^(%d+)-?(%d*)$')
  return string.rep('0', 20 - #time) .. time .. string.rep('0', 20 - #sequence) .. sequence
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local border
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #row, 2 do
    group[row[i]] = row[i + 1]
  end
  local needed = redis.call('XPENDING', KEYS[1], group['name'])[2] or group['last-delivered-id']
  if order(group['last-delivered-id']) < order(needed) then
    needed = group['last-delivered-id']
  end
  if not border or order(needed) < order(border) then
    border = needed
  end
end
return border and redis.call('XTRIM', KEYS[1], 'MINID', '~', border) or 0
"""

# XGROUP DELCONSUMER deletes what the consumer has pending, for everybody (redis 11567): whether
# there is anything is looked at in the same step. KEYS: stream; ARGV: group, idle in milliseconds,
# the prefix of the keys of heartbeats.
REMOVE_IDLE_CONSUMERS = """
local removed = {}
if redis.call('EXISTS', KEYS[1]) == 0 then
  return removed
end
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #row, 2 do
    consumer[row[i]] = row[i + 1]
  end
  if consumer['pending'] == 0 and consumer['idle'] >= tonumber(ARGV[2])
      and redis.call('EXISTS', ARGV[3] .. consumer['name']) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    removed[#removed + 1] = consumer['name']
  end
end
return removed
"""
