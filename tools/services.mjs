// Before the tests: finds redis-server and chromium, installs them from the system's packages where it may (Debian or
// Ubuntu, as root), and otherwise says what is missing and what is skipped. With CI=true a missing one fails.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const SERVICES = [
  { names: ['redis-server'], package: 'redis-server', suites: 'the Redis suites' },
  {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    package: 'chromium',
    suites: 'the browser suites',
  },
];

const found = ({ names }) =>
  names.some((name) =>
    (process.env.PATH ?? '').split(delimiter).some((folder) => {
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

let missing = SERVICES.filter((service) => !found(service));
if (missing.length > 0 && process.getuid?.() === 0 && found({ names: ['apt-get'] })) {
  const packages = missing.map((service) => service.package);
  console.log(`Installing ${packages.join(' and ')} for the tests`);
  apt('update');
  apt('install', '-y', '--no-install-recommends', ...packages);
  missing = missing.filter((service) => !found(service));
}
for (const { package: name, suites } of missing) {
  console.log(`${name} is missing: install it to run ${suites}, which are skipped now`);
}
if (missing.length > 0 && process.env.CI === 'true') process.exit(1);
