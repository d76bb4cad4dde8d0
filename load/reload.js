// Constant traffic while the configuration is compiled and swapped again and again: nobody may notice.
//
// RELOADS  how many, at most 1000    (100)
// RATE     requests per second       (150)

import http from 'k6/http';
import { check } from 'k6';
import exec from 'k6/execution';
import { admin, bearer, common, ready, send, thresholds } from './lib/gateway.js';
import { api, attacks, browse } from './lib/requests.js';

const reloads = Math.min(Number(__ENV.RELOADS || 100), 1000);
const rate = Math.min(Number(__ENV.RATE || 150), 800);
const reloads_per_s = 5;
const seconds = Math.ceil(reloads / reloads_per_s);

export const options = {
  ...common,
  scenarios: {
    traffic: {
      executor: 'constant-arrival-rate',
      rate,
      timeUnit: '1s',
      // The traffic begins before the first reload and ends after the last.
      duration: `${seconds + 4}s`,
      preAllocatedVUs: 20,
      maxVUs: 100,
      exec: 'traffic',
    },
    reload: {
      executor: 'constant-arrival-rate',
      rate: reloads_per_s,
      timeUnit: '1s',
      startTime: '2s',
      duration: `${seconds}s`,
      // One at a time, so that generations can be told to grow.
      preAllocatedVUs: 1,
      maxVUs: 1,
      exec: 'reload',
    },
  },
  thresholds: {
    ...thresholds({ traffic: Math.floor(rate * seconds * 0.9) }),
    'http_req_failed{kind:reload}': ['rate==0'],
    'checks{kind:reload}': ['rate==1'],
    'http_reqs{kind:reload}': [`count>=${Math.floor(reloads * 0.5)}`],
  },
};

export const setup = ready;

const requests = [...browse, ...api, ...attacks];

export function traffic() {
  const request = requests[exec.scenario.iterationInTest % requests.length];
  send('traffic', request, request.expected);
}

let generation = 0;

export function reload() {
  const response = http.post(`${admin}/config/reload`, '{}', {
    headers: { ...bearer('admin'), 'Content-Type': 'application/json' },
    tags: { kind: 'reload', name: 'reload' },
    responseCallback: http.expectedStatuses(200),
  });
  const next = response.status === 200 ? response.json('generation') : 0;
  check(response, { 'a new generation serves': () => next > generation }, { kind: 'reload' });
  if (next <= generation) console.error(`reload: ${response.status} ${response.body}`);
  generation = next;
}
