/** The module's options, checked. */
export const SSE_OPTIONS = Symbol('nestjs-eventstream:options');
