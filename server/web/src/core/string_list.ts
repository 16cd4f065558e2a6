/** Strings found in a file, as many as are kept at once, and where to go on. */

import { type Fields, numberOf, textOf } from './scan';

export interface FoundString {
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  readonly encoding: string;
  readonly text: string;
  readonly truncated: boolean;
}

export type StringKind = 'all' | 'ascii' | 'utf-16';

export interface StringFilter {
  /** Found anywhere in the string, whatever the case. */
  readonly text: string;
  readonly kind: StringKind;
}

/** At 256 characters each at most, some 10 MiB; what a person goes through is less. */
export const mostStrings = 20_000;

export function stringOf(fields: Fields): FoundString {
  return {
    offset: numberOf(fields, 'offset'),
    length: numberOf(fields, 'length'),
    encoding: textOf(fields, 'encoding'),
    text: textOf(fields, 'text'),
    truncated: fields['truncated'] === true,
  };
}

export function passes(found: FoundString, { text, kind }: StringFilter): boolean {
  if (kind !== 'all' && found.encoding.startsWith('utf-16') !== (kind === 'utf-16')) return false;
  return text === '' || found.text.toLowerCase().includes(text.toLowerCase());
}

/** Whether all that passes `next` has passed `before`: then what was kept for the one does for the other. */
export function narrows(next: StringFilter, before: StringFilter): boolean {
  return (
    next.text.toLowerCase().includes(before.text.toLowerCase()) && (before.kind === 'all' || next.kind === before.kind)
  );
}

/** Within a run of this many bytes a scan that is taken up again may begin, and tell of its rest. */
const backUp = 4096;

export class StringList {
  readonly found: FoundString[] = [];
  /** Strings that were told of, kept or not. */
  seen = 0;
  /** Where the last of them ended. */
  #told: number;

  constructor(
    readonly filter: StringFilter,
    readonly begin: number,
    readonly limit = mostStrings,
  ) {
    this.#told = begin;
  }

  get full(): boolean {
    return this.found.length >= this.limit;
  }

  /** False: there is no room, and the string is not told of. */
  add(string: FoundString): boolean {
    if (this.full) return false;
    this.#told = Math.max(this.#told, string.offset + string.length);
    ++this.seen;
    if (passes(string, this.filter)) this.found.push(string);
    return true;
  }

  /** Where to go on: `scanned` is how far the scan had come, if it told. Nothing is told twice. */
  resumeAt(scanned: number): number {
    return this.full ? this.#told : Math.max(this.#told, scanned - backUp);
  }
}
