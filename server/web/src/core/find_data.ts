/** The way over holes to the data beyond: by what is known of them, or else by asking the server. */

import type { Api, Version } from './api';
import type { ExtentMap } from './extents';
import { numberOf, scan } from './scan';

/** Where data begins after `from`, beyond a hole, or before it; undefined: there is none. */
export async function findData(
  api: Api,
  version: Version,
  extents: ExtentMap | undefined,
  from: number,
  direction: 1 | -1,
  signal: AbortSignal,
): Promise<number | undefined> {
  const known = extents?.knownUntil ?? 0;
  if (extents && from < known) {
    const found = direction > 0 ? extents.nextData(from) : extents.previousData(from);
    if (found || direction < 0 || known === version.size) return found?.offset;
  }
  const ask = direction > 0 ? askNextData : askPreviousData;
  return ask(api, version, from, signal);
}

/** As ExtentMap.nextData, by asking. Reads no further than to what is looked for. */
export async function askNextData(
  api: Api,
  version: Version,
  offset: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  for await (const { type, fields } of scan(api, 'extents', version, { offset }, signal)) {
    if (type !== 'extent' || fields['kind'] !== 'data') continue;
    const begin = numberOf(fields, 'offset');
    // The first extent is cut off at the question's own offset: it is what we are in.
    if (begin > offset) return begin;
  }
  return undefined;
}

const firstReach = 1024 * 1024;

/** As ExtentMap.previousData, by asking for stretches before `offset`, each 16 times as long as the one after it. */
export async function askPreviousData(
  api: Api,
  version: Version,
  offset: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  let end = offset;
  /** Where data began that goes on at `end`: it may begin still earlier. */
  let open: number | undefined;
  for (let reach = firstReach; end > 0; reach *= 16) {
    const from = Math.max(0, end - reach);
    let last: number | undefined;
    let lastEnd = from;
    const fields = { offset: from, len: end - from };
    for await (const record of scan(api, 'extents', version, fields, signal)) {
      if (record.type !== 'extent' || record.fields['kind'] !== 'data') continue;
      last = numberOf(record.fields, 'offset');
      lastEnd = last + numberOf(record.fields, 'length');
    }
    if (open !== undefined && lastEnd !== end) return open;
    if (last !== undefined && (last > from || from === 0)) return last;
    open = last;
    end = from;
  }
  return open;
}
