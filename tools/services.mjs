// Before the tests: finds servers, a browser and clients in other languages, installs them from the
// system's packages where it may (Debian or Ubuntu, as root), and otherwise says what is missing
// and what is skipped. With CI=true a missing one fails.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const SERVICES = [
  { names: ['redis-server'], package: 'redis-server', suites: 'the Redis suites' },
  {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    package: 'chromium',
    suites: 'the browser suites',
  },
  { names: ['nginx'], package: 'nginx', suites: 'the suites with nginx' },
  // Without what would make a service of it.
  { names: ['apache2', 'httpd'], package: 'apache2-bin', suites: 'the suites with httpd' },
  { names: ['haproxy'], package: 'haproxy', suites: 'the suites with HAProxy' },
  { names: ['varnishd'], package: 'varnish', suites: 'the suites with Varnish' },
  { names: ['go'], package: 'golang-go', suites: 'the client in Go' },
  { names: ['python3'], package: 'python3', suites: 'the client in Python' },
  {
    // The system's, for which its package is.
    runs: ['/usr/bin/python3', '-c', 'import redis'],
    package: 'python3-redis',
    suites: 'the publisher in Python',
  },
  {
    runs: ['php', '-r', "exit(extension_loaded('redis') ? 0 : 1);"],
    package: 'php-redis',
    with: ['php-cli'],
    suites: 'the publisher in PHP',
  },
  { names: ['firefox-esr', 'firefox'], package: 'firefox-esr', suites: 'the client Firefox' },
  { names: ['curl'], package: 'curl', suites: 'the client curl' },
];

/** Servers are often not in the path of a user. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

const found = ({ names, runs }) =>
  runs !== undefined
    ? spawnSync(runs[0], runs.slice(1), { stdio: 'ignore' }).status === 0
    : names.some((name) =>
        FOLDERS.some((folder) => {
          try {
            accessSync(join(folder, name), constants.X_OK);
            return true;
          } catch {
            return false;
          }
        }),
      );

const apt = (...args) =>
  spawnSync('apt-get', ['-qq', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }).status === 0;

/**
 * Debian starts what it installs, unless this file says no.
 * https://www.debian.org/doc/debian-policy/ch-opersys.html
 */
function withoutStarting(install) {
  const policy = '/usr/sbin/policy-rc.d';
  let isOurs = false;
  try {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' });
    isOurs = true;
  } catch {
    // There is one already, as in most containers.
  }
  try {
    install();
  } finally {
    if (isOurs) rmSync(policy);
  }
}

let missing = SERVICES.filter((service) => !found(service));
if (missing.length > 0 && process.getuid?.() === 0 && found({ names: ['apt-get'] })) {
  const packages = missing.flatMap((service) => [service.package, ...(service.with ?? [])]);
  console.log(`Installing ${packages.join(' and ')} for the tests`);
  apt('update');
  withoutStarting(() => apt('install', '-y', '--no-install-recommends', ...packages));
  missing = missing.filter((service) => !found(service));
}
for (const { package: name, suites } of missing) {
  console.log(`${name} is missing: install it to run ${suites}, which are skipped now`);
}
if (missing.length > 0 && process.env.CI === 'true') process.exit(1);
