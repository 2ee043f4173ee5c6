/** The injection token of the module's checked options. */
export const SSE_OPTIONS = Symbol('nestjs-eventstream:options');
