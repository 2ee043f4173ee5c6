import type { Stream } from '../connection/stream.js';
import { warnOfUnusedOption } from '../ground/warnings.js';
import { routeOf } from '../output/request.js';

/** Warns of an option of the stream that events of a hub ignore. */
export function warnOfUnused({ settings, request }: Stream): void {
  const unused = settings.unusedByHubs;
  if (unused !== undefined) warnOfUnusedOption(unused, routeOf(request));
}
