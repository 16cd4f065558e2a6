/** The daemon's scans (/map, /extents, /digest, /strings) as records of one version of a file, or a ReadFailure. */

import { type Api, ReadFailure, silenceLimit, type Version } from './api';
import { records } from './records';

export type Fields = Readonly<Record<string, unknown>>;

export interface ScanRecord {
  readonly type: string;
  readonly fields: Fields;
}

export interface ScanProgress {
  readonly scanned: number;
  readonly total: number;
  readonly bytesPerSecond: number;
  /** Undefined while it cannot be told. */
  readonly secondsLeft: number | undefined;
}

export type ScanName = 'map' | 'extents' | 'digest' | 'strings';

const malformed = (): ReadFailure => new ReadFailure('refused', 'The server answered with something else than records');

/** A number of a record. Sizes and offsets beyond 2^53 do not occur: such a file is refused when it is opened. */
export function numberOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw malformed();
  return value;
}

export function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw malformed();
  return value;
}

/** What a scan is faster than has passed holes by, unseen: no machine looks at so many bytes a second. */
export const passingRate = 32 * 2 ** 30;

export function progressOf(fields: Fields): ScanProgress {
  const bytesPerSecond = numberOf(fields, 'bytes_per_second');
  // How fast holes are passed by says nothing of the bytes to come.
  const untold = fields['eta_seconds'] === null || bytesPerSecond > passingRate;
  return {
    scanned: numberOf(fields, 'scanned'),
    total: numberOf(fields, 'total'),
    bytesPerSecond,
    secondsLeft: untold ? undefined : numberOf(fields, 'eta_seconds'),
  };
}

function checkEnd(fields: Fields): void {
  switch (fields['status']) {
    case 'complete':
      return;
    case 'stale':
      throw new ReadFailure('changed', 'The file changed while it was read');
    case 'stopped':
      throw new ReadFailure('busy', 'The server is stopping');
    default:
      throw new ReadFailure('refused', 'The file could not be read to its end');
  }
}

/**
 * The records of a scan: those found, `progress`, and `end` as the last, only if the scan is complete. All else throws
 * ReadFailure, also an answer of another version than `version`; `signal` throws AbortError. Ending the loop ends the scan.
 */
export async function* scan(
  api: Api,
  name: ScanName,
  version: Version,
  fields: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
): AsyncGenerator<ScanRecord> {
  const silence = new AbortController();
  const both = AbortSignal.any([signal, silence.signal]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Progress comes four times a second: a scan that says nothing for so long has lost its server.
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), silenceLimit);
  };
  const query = Object.entries(fields).map(([key, value]) => `&${key}=${encodeURIComponent(value)}`);
  try {
    const response = await api.stream(`/${name}?file=${version.path}${query.join('')}`, both);
    heard();
    for await (const record of records(response, both)) {
      heard();
      if (typeof record !== 'object' || record === null || !('type' in record) || typeof record.type !== 'string')
        throw malformed();
      const found: ScanRecord = { type: record.type, fields: record };
      if (found.type === 'begin' && found.fields['etag'] !== version.etag)
        throw new ReadFailure('changed', 'The file has changed');
      if (found.type === 'end') checkEnd(found.fields);
      if (found.type !== 'begin') yield found;
      if (found.type === 'end') return;
    }
    throw new ReadFailure('unreachable', 'The answer broke off');
  } catch (error) {
    if (error instanceof ReadFailure || signal.aborted) throw error;
    if (error instanceof SyntaxError) throw malformed();
    throw new ReadFailure(
      'unreachable',
      silence.signal.aborted ? 'The server does not answer' : 'The answer broke off',
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The time between two scans: resolves after it, or at once when `signal` is aborted. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
