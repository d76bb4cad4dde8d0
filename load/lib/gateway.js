// What all scripts share: where the gateway is, how a request is made, and when its answer is right.
//
// TARGET  address of the gateway            (http://127.0.0.1:8080)
// ADMIN   address of its admin listener     (http://127.0.0.1:9901)
// TOKENS  file that `yett demo --tokens-file` wrote

import http from 'k6/http';
import { check } from 'k6';

export const target = __ENV.TARGET || 'http://127.0.0.1:8080';
export const admin = __ENV.ADMIN || 'http://127.0.0.1:9901';
const tokens = JSON.parse(open(__ENV.TOKENS || '/dev/null') || '{}');

export const bearer = (name) => ({ Authorization: `Bearer ${tokens[name]}` });

// Sends one request `{ name, method, path, headers, body }` and holds its answer against what must come:
// `{ status, code }`, the code being that of the finding that refuses. `kind` names the group in thresholds.
//
// A wrong answer counts twice, on purpose: in `http_req_failed` (wrong status, or no answer at all) and in `checks`
// (the right status for the wrong reason, too).
export function send(kind, request, expected) {
  const response = http.request(request.method || 'GET', target + request.path, request.body || null, {
    headers: request.headers || {},
    tags: { kind, name: request.name },
    responseCallback: http.expectedStatuses(expected.status),
    timeout: '10s',
  });
  judge(kind, request, expected, response);
  return response;
}

function judge(kind, request, expected, response) {
  const right =
    response.status === expected.status && (expected.code === undefined || code(response) === expected.code);
  check(response, { 'the verdict is right': () => right }, { kind });
  if (!right) {
    console.error(
      `${kind}: ${request.name}: ${expected.status} ${expected.code || ''} expected, ` +
        `${response.status} ${code(response) || response.error} came`,
    );
  }
}

// The code of the finding in a problem answer (RFC 9457); undefined in any other.
function code(response) {
  try {
    return response.json('code');
  } catch (_) {
    return undefined;
  }
}

// Nothing is measured against a gateway that is not there, or that is another one.
export function ready() {
  if (tokens.full === undefined) {
    throw new Error('TOKENS must name the file that `yett demo --tokens-file FILE` wrote');
  }
  const response = http.get(`${target}/healthz`, { tags: { kind: 'ready' } });
  if (response.status !== 200) {
    throw new Error(`${target}/healthz answered ${response.status} ${response.error}; is a demo running there?`);
  }
}

// Thresholds that hold for every script: no wrong answer of any kind, and at least `counts[kind]` requests of each,
// so that a run in which nothing was sent does not pass.
export function thresholds(counts, p95_ms) {
  const all = { checks: ['rate==1'] };
  for (const [kind, count] of Object.entries(counts)) {
    all[`http_req_failed{kind:${kind}}`] = ['rate==0'];
    all[`checks{kind:${kind}}`] = ['rate==1'];
    all[`http_reqs{kind:${kind}}`] = [`count>=${count}`];
    // Scenarios with a rate have the name of their kind: what k6 itself was too slow to send was not measured.
    all[`dropped_iterations{scenario:${kind}}`] = [`count<=${Math.ceil(count / 20)}`];
    if (p95_ms) all[`http_req_duration{kind:${kind}}`] = [`p(95)<${p95_ms}`];
  }
  return all;
}

// One connection serves many requests, as clients and balancers do; names keep metrics apart, not addresses.
export const common = {
  discardResponseBodies: false,
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
  setupTimeout: '30s',
};
