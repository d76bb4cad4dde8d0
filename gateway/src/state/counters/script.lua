-- Counts up to `wanted` requests against all limits of a request, or against none: the greatest number that every
-- binding limit has room for. One call is atomic, and time is the server's, so gateways need no common clock.
--
-- KEYS  one per limit
-- ARGV  wanted, not_after, then per limit: kind, binding, unit, scale, cap, seed
--   not_after  server time in microseconds after which the caller no longer waits; 0: none
--   kind       0 rate (GCRA), 1 quota per hour, 2 per day, 3 per month (UTC)
--   binding    0: counted as far as it has room, never in the way of the others
--   unit       cost of one request, in 1/scale microseconds (rate) or requests (quota)
--   seed       what the caller knows to be spent at least: heals a store that lost its memory
-- Reply: granted, now, then per limit: room before, spent after. -1, now: too late, nothing was counted.
--
-- All numbers are integers below 2^53, where doubles are exact. They are printed with %.0f: `..` would round them.

local HOUR, DAY = 3600000000, 86400000000

local function div(a, b)
  local rest = math.fmod(a, b)
  return (a - rest) / b, rest
end

-- Months since January of year 0; years begin in March, so that the leap day comes last (Howard Hinnant,
-- "chrono-compatible low-level date algorithms").
local function month_of(day)
  local era, d = div(day + 719468, 146097)
  local year = math.floor((d - math.floor(d / 1460) + math.floor(d / 36524) - math.floor(d / 146096)) / 365)
  local day_of_year = d - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  return (era * 400 + year) * 12 + math.floor((5 * day_of_year + 2) / 153) + 2
end

local function first_day(month)
  local years, march_month = div(month - 2, 12)
  local era, year = div(years, 400)
  return era * 146097 + year * 365 + math.floor(year / 4) - math.floor(year / 100)
    + math.floor((153 * march_month + 2) / 5) - 719468
end

-- Number of the window and its end.
local function window(kind, now)
  if kind == 3 then
    local month = month_of(math.floor(now / DAY))
    return month, first_day(month + 1) * DAY
  end
  local length = kind == 1 and HOUR or DAY
  local number = math.floor(now / length)
  return number, (number + 1) * length
end

local function read(key)
  -- A key of another type says nothing, and is overwritten.
  local value = redis.pcall('GET', key)
  if type(value) ~= 'string' then return nil end
  local at, part = string.match(value, '^(%d+):(%d+)$')
  return tonumber(at), tonumber(part)
end

-- What is spent, and whether the stored value must be written even when nothing is granted. A clock that stepped back
-- leaves arrival times far ahead: they are brought back to one full bucket, or the key would stay locked for the step.
local function spent_rate(at, part, now, scale, cap)
  if part >= scale then at, part = at + 1, 0 end
  local ahead = at - now
  if ahead < 0 then return 0, false end
  if ahead > cap / scale + 1 then return cap, true end
  local spent = ahead * scale + part
  if spent > cap then return cap, true end
  return spent, false
end

local function spent_quota(number, count, current, cap)
  if number < current then return 0, false end
  return math.min(count, cap), number > current
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local wanted, not_after = tonumber(ARGV[1]), tonumber(ARGV[2])
if not_after > 0 and now > not_after then return {-1, now} end

local granted, limits = wanted, {}
for i = 1, #KEYS do
  local base = 2 + (i - 1) * 6
  local limit = {
    kind = tonumber(ARGV[base + 1]), binding = ARGV[base + 2] == '1', unit = tonumber(ARGV[base + 3]),
    scale = tonumber(ARGV[base + 4]), cap = tonumber(ARGV[base + 5]), spent = 0, dirty = false,
  }
  if limit.kind > 0 then limit.current, limit.ends = window(limit.kind, now) end
  local at, part = read(KEYS[i])
  if at and limit.kind == 0 then
    limit.spent, limit.dirty = spent_rate(at, part, now, limit.scale, limit.cap)
  elseif at then
    limit.spent, limit.dirty = spent_quota(at, part, limit.current, limit.cap)
  end
  local seed = math.min(tonumber(ARGV[base + 6]), limit.cap)
  if seed > limit.spent then limit.spent, limit.dirty = seed, true end
  limit.room = div(limit.cap - limit.spent, limit.unit)
  if limit.binding and limit.room < granted then granted = limit.room end
  limits[i] = limit
end

local reply = {granted, now}
for i = 1, #KEYS do
  local limit = limits[i]
  local taken = math.min(granted, limit.room)
  local spent = limit.spent + taken * limit.unit
  -- A refused request writes nothing: it costs no quota.
  if spent > 0 and (taken > 0 or limit.dirty) then
    local at, part, rest = limit.current, spent, 0
    if limit.kind == 0 then
      at, part = div(spent, limit.scale)
      rest = at + 1
      at = at + now
    else
      rest = limit.ends - now
    end
    -- The key goes when it says nothing any more.
    local ttl = string.format('%.0f', math.floor(rest / 1000) + 1)
    redis.call('SET', KEYS[i], string.format('%.0f:%.0f', at, part), 'PX', ttl)
  end
  reply[#reply + 1] = limit.room
  reply[#reply + 1] = spent
end
return reply
