// Every kind of request once, in order: is everything that the other scripts rely on as they expect it?

import { check } from 'k6';
import { common, send, thresholds } from './lib/gateway.js';
import { api, attacks, browse, burst, limited, rested } from './lib/requests.js';

export const options = {
  ...common,
  scenarios: { smoke: { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: '60s' } },
  thresholds: thresholds({ browse: browse.length, api: api.length, attack: attacks.length, burst: burst + 1 }),
};

export const setup = rested;

export default function () {
  for (const request of browse) send('browse', request, request.expected);
  for (const request of api) send('api', request, request.expected);
  for (const request of attacks) send('attack', request, request.expected);
  bodyArrivesWhole();
  for (let sent = 0; sent < burst; sent++) send('burst', limited, { status: 200 });
  const refused = send('burst', limited, { status: 429, code: 'ratelimit.exceeded' });
  check(refused, { 'says when to come back': (response) => Number(response.headers['Retry-After']) > 0 });
}

// The sample service says how long a body it got.
function bodyArrivesWhole() {
  const request = browse.find(({ name }) => name === 'long comment');
  const response = send('browse', request, request.expected);
  check(response, { 'the body arrives whole': () => response.json('body_bytes') === request.body.length });
}
