/** Decorates a method, and its parameters by position, as TypeScript would. */
export function decorate(type, method, decorators, parameters = []) {
  const { prototype } = type;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, method);
  parameters.forEach((decorator, index) => decorator(prototype, method, index));
  for (const decorator of decorators) decorator(prototype, method, descriptor);
  Object.defineProperty(prototype, method, descriptor);
}
