// What figures are written with.

const whole = new Intl.NumberFormat('en');

export const count = (value) => whole.format(Math.round(value));
export const rate = (value) => (value > 0 && value < 10 ? value.toFixed(1) : count(value));
export const plural = (value, one) => `${count(value)} ${one}${value === 1 ? '' : 's'}`;
export const clock = (at) => new Date(at).toLocaleTimeString('en-GB');
/** Without seconds. */
export const shortClock = (at) => clock(at).slice(0, 5);

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let index = 0;
  for (; value >= 1024 && index < units.length - 1; index++) value /= 1024;
  return `${index === 0 ? Math.round(value) : value.toPrecision(value < 1000 ? 3 : 4)} ${units[index]}`;
}

export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [days, hours, minutes] = [86_400, 3_600, 60].map((unit) => Math.floor(seconds / unit));
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} m`;
  return minutes > 0 ? `${minutes} m ${seconds % 60} s` : `${seconds} s`;
}

/** Most programs claim to be several others: the one that they are is the first of these. */
const PROGRAMS = ['Edg', 'OPR', 'Firefox', 'HeadlessChrome', 'Chrome', 'Version'];

export function agent(text) {
  for (const name of PROGRAMS) {
    const version = text.match(new RegExp(`\\b${name}/(\\d+)`))?.[1];
    if (version === undefined) continue;
    const called = { Edg: 'Edge', OPR: 'Opera', Version: 'Safari' }[name] ?? name;
    const system = text.match(/Android|iPhone|iPad|Windows|Mac OS|Linux/)?.[0];
    return `${called} ${version}${system === undefined ? '' : `, ${system}`}`;
  }
  return text === '' ? 'no user agent' : text.split(' ', 1)[0];
}

/** As people read it; what is not UTF-8 stays as it is. */
export function readablePath(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
