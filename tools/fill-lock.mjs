// Adds to the lockfile the optional platform packages that the registry in use could not serve, so
// that `npm ci` passes on every platform. Run it after each change of a dependency.
import { readFileSync, writeFileSync } from 'node:fs';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const OS = ['darwin', 'win32', 'freebsd', 'netbsd', 'openbsd', 'android', 'openharmony', 'linux'];
const CPU = ['arm64', 'x64', 'ia32', 'arm', 'ppc64', 's390x', 'riscv64', 'loong64'];

for (const [path, { optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`;
    const os = OS.find((known) => name.includes(known));
    const cpu = CPU.find((known) => name.includes(known));
    if (lock.packages[key] || lock.packages[`${path}/${key}`] || !os || !cpu) continue;
    const glibc = os === 'linux' && name.includes('gnu');
    const libc = name.includes('musl') ? ['musl'] : glibc ? ['glibc'] : undefined;
    lock.packages[key] = {
      version: version.replace(/^[\^~]/, ''),
      cpu: [cpu],
      dev: true,
      ...(libc && { libc }),
      optional: true,
      os: [os],
    };
  }
}
// npm rewrites the file if the order is not its own.
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)),
);
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
