/** The daemon's scans as the viewer reads them: streams of records, of one version of one file. */

import { type Api, failureOf, ReadFailure, type Version } from './api';
import { records } from './records';

export type ScanRecord =
  | { readonly type: 'begin'; readonly etag: string }
  | { readonly type: 'match'; readonly offset: number; readonly length: number }
  | {
      readonly type: 'progress';
      readonly scanned: number;
      /** Of that, what was read: holes were not. */
      readonly read: number;
      readonly bytesPerSecond: number;
      /** Matches in what was scanned, told or not yet. */
      readonly matches: number | undefined;
    }
  | { readonly type: 'end'; readonly status: string; readonly matches: number };

const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A record of a search; undefined for a kind that is not known, which a later daemon may send. Throws for one that is broken. */
export function readScanRecord(value: unknown): ScanRecord | undefined {
  const broken = (): never => {
    throw new ReadFailure('refused', 'The server sent a record that cannot be understood');
  };
  if (typeof value !== 'object' || value === null) return broken();
  const record = value as Record<string, unknown>;
  switch (record['type']) {
    case 'begin':
      return typeof record['etag'] === 'string' ? { type: 'begin', etag: record['etag'] } : broken();
    case 'match': {
      const { offset, length } = record;
      return isOffset(offset) && isOffset(length) && length > 0 ? { type: 'match', offset, length } : broken();
    }
    case 'progress': {
      const { scanned, read, bytes_per_second: rate, matches } = record;
      if (!isOffset(scanned) || !isOffset(read) || typeof rate !== 'number') return broken();
      const known = isOffset(matches) ? matches : undefined;
      return { type: 'progress', scanned, read, bytesPerSecond: rate, matches: known };
    }
    case 'end': {
      const { status, matches } = record;
      return typeof status === 'string' && isOffset(matches) ? { type: 'end', status, matches } : broken();
    }
    default:
      return undefined;
  }
}

/** What is silent for longer than the daemon's progress is (a quarter of a second) is looked after this often. */
const feedInterval = 1000;

/**
 * The records of a search of `version`, each handed to `take`, until the end record or until `take` returns false. Throws
 * `changed` where the answer is of another version or ends as stale, and `unreachable` where it breaks off.
 */
export async function scan(
  api: Api,
  version: Version,
  address: string,
  signal: AbortSignal,
  take: (record: ScanRecord) => boolean,
): Promise<void> {
  const headers = { Accept: 'application/x-ndjson' };
  const changed = (): ReadFailure => new ReadFailure('changed', 'The file changed while it was searched');
  await api.request(address, { headers }, signal, async (response, silence) => {
    if (!response.ok) throw await failureOf(response);
    let fed = performance.now();
    try {
      for await (const value of records(response, silence.signal)) {
        const now = performance.now();
        if (now - fed > feedInterval) {
          fed = now;
          silence.feed();
        }
        const record = readScanRecord(value);
        if (!record) continue;
        if (record.type === 'begin' && record.etag !== version.etag) throw changed();
        if (record.type === 'end') {
          if (record.status === 'stale') throw changed();
          if (record.status === 'stopped') throw new ReadFailure('unreachable', 'The server is being stopped');
          if (record.status !== 'complete') throw new ReadFailure('refused', 'The server could not read on');
        }
        if (!take(record) || record.type === 'end') return;
      }
    } catch (error) {
      if (error instanceof SyntaxError) throw new ReadFailure('unreachable', 'The answer broke off');
      throw error;
    }
    throw new ReadFailure('unreachable', 'The answer broke off');
  });
}
