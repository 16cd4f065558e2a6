/**
 * Finding a pattern by reading on from a place, a window at a time, in fixed memory. It moves the bytes over the network, so
 * it tells its rate and can be stopped at any moment.
 */

import { encodeText, type TextEncoding } from './text_encodings';

/** Bytes and which of their bits count. */
export interface Pattern {
  readonly value: Uint8Array;
  readonly mask: Uint8Array;
}

export type PatternResult =
  | { readonly ok: true; readonly pattern: Pattern; readonly kind: 'hex' | 'text' }
  | { readonly ok: false; readonly message: string };

export const longestPattern = 256;

/**
 * `7f 45 4c 46`, `7f454c46`, `7f ?? 4? 46` are hex with wildcards; anything else, and anything in double quotes, is text in
 * the view's encoding.
 */
export function parsePattern(text: string, encoding: TextEncoding): PatternResult {
  const trimmed = text.trim();
  if (trimmed === '') return { ok: false, message: 'Type hex bytes or text' };
  const quoted = /^"(.*)"$/s.exec(trimmed);
  const digits = trimmed.replace(/\b0x/gi, '').replace(/[\s,]/g, '');
  if (!quoted && /^(?:[0-9a-f?]{2})+$/i.test(digits)) {
    const length = digits.length / 2;
    if (length > longestPattern) return { ok: false, message: `At most ${longestPattern} bytes` };
    const nibble = (index: number): number => parseInt(digits.charAt(index).replace('?', '0'), 16);
    const bits = (index: number): number => (digits.charAt(index) === '?' ? 0 : 15);
    const value = Uint8Array.from({ length }, (_, i) => nibble(2 * i) * 16 + nibble(2 * i + 1));
    const mask = Uint8Array.from({ length }, (_, i) => bits(2 * i) * 16 + bits(2 * i + 1));
    if (mask.every((byte) => byte === 0)) return { ok: false, message: 'The pattern matches everything' };
    return { ok: true, kind: 'hex', pattern: { value, mask } };
  }
  const value = encodeText(encoding, quoted ? quoted[1]! : trimmed);
  if (value === undefined) return { ok: false, message: 'A character has no byte in this encoding' };
  if (value.length === 0) return { ok: false, message: 'Type hex bytes or text' };
  if (value.length > longestPattern) return { ok: false, message: `At most ${longestPattern} bytes` };
  return { ok: true, kind: 'text', pattern: { value, mask: new Uint8Array(value.length).fill(255) } };
}

function matchesAt(bytes: Uint8Array, at: number, { value, mask }: Pattern): boolean {
  for (let i = 0; i < value.length; ++i) {
    // With whole-byte masks this is equality; half masks are rare, and cost a division.
    const byte = bytes[at + i]!;
    const bits = mask[i]!;
    if (bits === 255 ? byte !== value[i] : !nibblesMatch(byte, value[i]!, bits)) return false;
  }
  return true;
}

function nibblesMatch(byte: number, value: number, mask: number): boolean {
  const highCounts = mask >= 240;
  const lowCounts = mask % 16 === 15;
  return (!highCounts || Math.floor(byte / 16) === Math.floor(value / 16)) && (!lowCounts || byte % 16 === value % 16);
}

/** The first (or last) match that begins within bytes[from, to) and lies whole within `bytes`; -1 if there is none. */
export function findIn(bytes: Uint8Array, pattern: Pattern, from: number, to: number, backward: boolean): number {
  const last = Math.min(to - 1, bytes.length - pattern.value.length);
  // The engine's own indexOf is the fast path: it looks for one byte that has no wildcard.
  const anchor = pattern.mask.indexOf(255);
  if (anchor < 0) {
    if (backward) for (let at = last; at >= from; --at) if (matchesAt(bytes, at, pattern)) return at;
    if (!backward) for (let at = from; at <= last; ++at) if (matchesAt(bytes, at, pattern)) return at;
    return -1;
  }
  const byte = pattern.value[anchor]!;
  if (backward) {
    for (let at = last; at >= from; --at) {
      const found = bytes.lastIndexOf(byte, at + anchor);
      at = found - anchor;
      if (found < 0 || at < from) return -1;
      if (matchesAt(bytes, at, pattern)) return at;
    }
    return -1;
  }
  for (let at = from; at <= last; ++at) {
    const found = bytes.indexOf(byte, at + anchor);
    at = found - anchor;
    if (found < 0 || at > last) return -1;
    if (matchesAt(bytes, at, pattern)) return at;
  }
  return -1;
}

export interface FindProgress {
  readonly scanned: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft: number;
}

export interface FindRequest {
  readonly size: number;
  readonly pattern: Pattern;
  /** Matches that begin at or after it are looked for, or before it if backward. */
  readonly start: number;
  readonly backward: boolean;
  readonly read: (offset: number, length: number, signal: AbortSignal) => Promise<Uint8Array>;
  readonly signal: AbortSignal;
  readonly progress: (progress: FindProgress) => void;
  readonly now?: () => number;
}

/** Matches that begin in it are looked for at once; what is read is longer by the pattern less one. */
export const findWindow = 1024 * 1024;

/** The offset of the match, or undefined at the end (or the start) of the file. Throws what `read` throws. */
export async function find(request: FindRequest): Promise<number | undefined> {
  const { size, pattern, start, backward, read, progress, now = () => performance.now() } = request;
  // Ends the window that was read ahead when a match makes it needless.
  const ended = new AbortController();
  const signal = AbortSignal.any([request.signal, ended.signal]);
  const overlap = pattern.value.length - 1;
  const began = now();
  const total = backward ? Math.min(start, size) : Math.max(0, size - start);
  let scanned = 0;
  let next: Promise<Uint8Array> | undefined;
  const windowAt = (done: number): { from: number; length: number } => {
    const length = Math.min(findWindow, total - done);
    return { from: backward ? start - done - length : start + done, length };
  };
  const readWindow = (done: number): Promise<Uint8Array> => {
    const { from, length } = windowAt(done);
    return read(from, Math.min(length + overlap, size - from), signal);
  };
  try {
    while (scanned < total) {
      const { from, length } = windowAt(scanned);
      const bytes = await (next ?? readWindow(scanned));
      signal.throwIfAborted();
      // One window ahead: the network works while this one is searched.
      next = scanned + length < total ? readWindow(scanned + length) : undefined;
      next?.catch(() => undefined);
      const at = findIn(bytes, pattern, 0, length, backward);
      if (at >= 0) return from + at;
      scanned += length;
      const seconds = Math.max(0.001, (now() - began) / 1000);
      const bytesPerSecond = scanned / seconds;
      progress({ scanned, bytesPerSecond, secondsLeft: (total - scanned) / bytesPerSecond });
    }
    return undefined;
  } finally {
    ended.abort();
  }
}
