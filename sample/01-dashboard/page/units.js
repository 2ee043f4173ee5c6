// What a figure is written with, and the steps that read well on its axis.

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

function bytes(value, maxDigits = 2) {
  let [figure, index] = [value, 0];
  while (figure >= 1024 && index < BINARY.length - 1) {
    figure /= 1024;
    index += 1;
  }
  const digits = index === 0 || figure >= 100 ? 0 : figure >= 10 ? 1 : maxDigits;
  return [figure, digits, BINARY[index]];
}

const text = ([figure, digits, unit]) => `${figure.toFixed(digits)} ${unit}`;
/** On an axis the figures are round, so no digits are needed but those they have. */
const short = ([figure, digits, unit]) => `${Number(figure.toFixed(digits))} ${unit}`;

const powersOf2 = Array.from({ length: 45 }, (_, power) => 2 ** power);
const decimal = [0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap((power) =>
  [1, 2, 5].map((factor) => factor * power),
);

export const PERCENT = {
  format: (value) => `${value.toFixed(0)} %`,
  axis: (value) => `${value} %`,
  steps: [25],
  least: 100,
};

export const BYTES = {
  format: (value) => text(bytes(value)),
  axis: (value) => short(bytes(value)),
  steps: powersOf2,
  least: 1024,
};

export const BYTES_PER_SECOND = {
  format: (value) => `${text(bytes(value, 1))}/s`,
  axis: (value) => `${short(bytes(value))}/s`,
  steps: powersOf2,
  least: 4096,
};

export const MILLISECONDS = {
  format: (value) => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`,
  axis: (value) => `${Number(value.toFixed(2))} ms`,
  steps: decimal,
  least: 1,
};

export const PROCESSES = {
  format: (value) => value.toFixed(2),
  axis: (value) => `${Number(value.toFixed(2))}`,
  steps: decimal,
  least: 1,
};

export const PER_SECOND = {
  format: (value) => `${value.toFixed(0)}/s`,
  axis: (value) => `${value}/s`,
  steps: decimal.filter((step) => step >= 1),
  least: 4,
};

/** The top of the axis and its steps, at most four of them. */
export function scaleOf({ steps, least }, highest) {
  const wanted = Math.max(highest, least);
  const step = steps.find((one) => wanted / one <= 4) ?? steps.at(-1);
  return { step, top: Math.ceil(wanted / step) * step };
}
