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

# A script and not MULTI: a repetition after a lost answer must not write a second dead letter.
# XACK comes last, so that an error of XADD leaves the entry pending. KEYS: stream, dead letters;
# ARGV: group, id, field, value...
SET_ASIDE = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then
  return false
end
local letter = redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return letter
"""
