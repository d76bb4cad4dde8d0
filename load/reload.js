// Constant traffic while the configuration is compiled and swapped again and again: nobody may notice.
//
// SECONDS  of reloads one after the other, at most 600    (20)
// RATE     requests per second, at most 800               (150)

import http from 'k6/http';
import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { admin, bearer, common, ready, send, thresholds } from './lib/gateway.js';
import { api, attacks, browse } from './lib/requests.js';

const seconds = Math.min(Number(__ENV.SECONDS || 20), 600);
const rate = Math.min(Number(__ENV.RATE || 150), 800);
// The traffic begins before the first reload and ends after the last.
const margin_s = 2;

export const options = {
  ...common,
  scenarios: {
    traffic: {
      executor: 'constant-arrival-rate',
      rate,
      timeUnit: '1s',
      duration: `${seconds + 2 * margin_s}s`,
      preAllocatedVUs: 20,
      maxVUs: 100,
      exec: 'traffic',
    },
    // One at a time, so that generations can be told to grow.
    reload: { executor: 'constant-vus', vus: 1, startTime: `${margin_s}s`, duration: `${seconds}s`, exec: 'reload' },
  },
  thresholds: {
    ...thresholds({ traffic: Math.floor(rate * seconds * 0.9) }),
    'http_req_failed{kind:reload}': ['rate==0'],
    'checks{kind:reload}': ['rate==1'],
    // How many there are is up to the machine; a reload that takes seconds is a fault.
    'http_reqs{kind:reload}': [`count>=${Math.ceil(seconds / 2)}`],
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
  sleep(0.05);
}
