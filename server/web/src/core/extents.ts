/** Where a file has data and where holes: what was told of it, in bounded memory. */

import type { Api, Version } from './api';
import { numberOf, scan } from './scan';
import type { Span } from './view_link';

/** Stretches of data that are kept: 1 MiB of Numbers. A file of more is known up to the last of them. */
export const mostExtents = 65_536;

/** What a page source asks of holes. */
export interface HoleLookup {
  /** The hole around an offset, or undefined where there is data or nothing is known. */
  holeAt: (offset: number) => Span | undefined;
  /** Those of at least so many bytes, in order. */
  holes: (least: number) => Iterable<Span>;
}

export class ExtentMap implements HoleLookup {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #knownUntil = 0;

  constructor(readonly limit = mostExtents) {}

  /** All before it is known. */
  get knownUntil(): number {
    return this.#knownUntil;
  }

  get full(): boolean {
    return this.#starts.length >= this.limit;
  }

  get count(): number {
    return this.#starts.length;
  }

  /** The next extent, adjoining the one before. False: there was no room for it. */
  add(hole: boolean, offset: number, length: number): boolean {
    if (offset !== this.#knownUntil || length <= 0) return false;
    const last = this.#ends.length - 1;
    if (!hole && last >= 0 && this.#ends[last] === offset) {
      this.#ends[last] = offset + length;
    } else if (!hole) {
      if (this.full) return false;
      this.#starts.push(offset);
      this.#ends.push(offset + length);
    }
    this.#knownUntil = offset + length;
    return true;
  }

  /** The first stretch of data that ends after `offset`. */
  #after(offset: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#ends[middle]! > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #span(index: number): Span {
    return { offset: this.#starts[index]!, length: this.#ends[index]! - this.#starts[index]! };
  }

  holeAt(offset: number): Span | undefined {
    if (offset < 0 || offset >= this.#knownUntil) return undefined;
    const next = this.#after(offset);
    const end = this.#starts[next] ?? this.#knownUntil;
    if (end <= offset) return undefined;
    const begin = this.#ends[next - 1] ?? 0;
    return { offset: begin, length: end - begin };
  }

  *holes(least: number): Generator<Span> {
    for (let next = 0; next <= this.#starts.length; ++next) {
      const offset = this.#ends[next - 1] ?? 0;
      const length = (this.#starts[next] ?? this.#knownUntil) - offset;
      if (length >= least && length > 0) yield { offset, length };
    }
  }

  /** The data that begins after `offset`, beyond a hole; undefined: none, as far as is known. */
  nextData(offset: number): Span | undefined {
    const at = this.#after(offset);
    const next = at < this.#starts.length && this.#starts[at]! <= offset ? at + 1 : at;
    return next < this.#starts.length ? this.#span(next) : undefined;
  }

  /** The data whose beginning lies before `offset`: of the stretch it is in, or else of the one before. */
  previousData(offset: number): Span | undefined {
    const at = this.#after(offset);
    if (at < this.#starts.length && this.#starts[at]! < offset) return this.#span(at);
    return at > 0 ? this.#span(at - 1) : undefined;
  }

  /** The first data within [from, to), cut to it. */
  dataWithin(from: number, to: number): Span | undefined {
    const at = this.#after(from);
    const begin = Math.max(from, this.#starts[at] ?? to);
    return begin < to ? { offset: begin, length: Math.min(to, this.#ends[at]!) - begin } : undefined;
  }
}

/** Reads the extents from the start. At the limit it stops. */
export async function readExtents(api: Api, version: Version, extents: ExtentMap, signal: AbortSignal): Promise<void> {
  for await (const { type, fields } of scan(api, 'extents', version, {}, signal)) {
    if (type !== 'extent') continue;
    if (!extents.add(fields['kind'] === 'hole', numberOf(fields, 'offset'), numberOf(fields, 'length'))) return;
  }
}
