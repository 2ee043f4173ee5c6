/** Below what test runners allow a test, so that the message comes from here. */
export const DEFAULT_TIMEOUT_MS = 2_000;
