// A day at the gate in half a minute: visitors, programs with tokens, attackers and one who cannot wait, all at once.
// Not only speed is asked for but the right verdict on every single request.
//
// DURATION  of the whole run, at most 10m      (30s)
// RATE      requests per second, at most 800   (200)
// P95_MS    bound for each kind                (100)

import { sleep } from 'k6';
import { common, send, thresholds } from './lib/gateway.js';
import { api, attacks, browse, burst, limited, period_ms, refill_s, rested } from './lib/requests.js';

const seconds = Math.min(parse(__ENV.DURATION || '30s'), 600);
// The demo grants one client address 1,000 a second, and all of this comes from one.
const rate = Math.min(Number(__ENV.RATE || 200), 800);
const shares = { browse: 0.5, api: 0.35, attack: 0.15 };

const arrivals = (share, exec) => ({
  executor: 'constant-arrival-rate',
  rate: Math.ceil(rate * share),
  timeUnit: '1s',
  duration: `${seconds}s`,
  preAllocatedVUs: 20,
  maxVUs: 100,
  gracefulStop: '10s',
  exec,
});

export const options = {
  ...common,
  scenarios: {
    browse: arrivals(shares.browse, 'visit'),
    api: arrivals(shares.api, 'call'),
    attack: arrivals(shares.attack, 'attack'),
    burst: {
      executor: 'constant-vus',
      vus: 1,
      duration: `${seconds}s`,
      // A last burst may wait for its bucket to fill.
      gracefulStop: '20s',
      exec: 'hurry',
    },
  },
  thresholds: thresholds(
    {
      browse: Math.floor(rate * shares.browse * seconds * 0.9),
      api: Math.floor(rate * shares.api * seconds * 0.9),
      attack: Math.floor(rate * shares.attack * seconds * 0.9),
      burst: burst * 2,
    },
    Number(__ENV.P95_MS || 100),
  ),
};

export const setup = rested;

export const visit = () => any('browse', browse);
export const call = () => any('api', api);
export const attack = () => any('attack', attacks);

function any(kind, requests) {
  const request = requests[Math.floor(Math.random() * requests.length)];
  send(kind, request, request.expected);
}

// From a full bucket: the first five pass. After that each must be refused, unless time enough has gone by for the
// bucket to have gained one.
export function hurry() {
  const began = Date.now();
  for (let sent = 0; sent < burst; sent++) send('burst', limited, { status: 200 });
  for (let sent = 0; sent < burst; sent++) {
    if (Date.now() - began > period_ms * 0.8) break;
    send('burst', limited, { status: 429, code: 'ratelimit.exceeded' });
  }
  sleep(refill_s);
}

function parse(text) {
  const [, count, unit] = /^(\d+)(s|m)$/.exec(text) || [];
  if (count === undefined) throw new Error(`DURATION \`${text}\` is not a number with s or m`);
  return Number(count) * (unit === 'm' ? 60 : 1);
}
