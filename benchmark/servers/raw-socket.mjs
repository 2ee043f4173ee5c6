// As `raw`, below the response: the floor.
import { start as startRaw } from './raw.mjs';

export const start = (options) => startRaw({ ...options, isFramed: true });
