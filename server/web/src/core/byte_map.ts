/** What a file looks like from afar: entropy and classes of its bytes in bins, as far as they are known. */

import type { ExtentMap } from './extents';
import { type Fields, numberOf } from './scan';
import type { Span } from './view_link';

export const byteKinds = ['zero', 'printable', 'control', 'high', 'ones'] as const;
export type ByteKind = (typeof byteKinds)[number];

/** The daemon's most. */
export const mostBins = 4096;

export interface Bin {
  readonly offset: number;
  readonly length: number;
  /** Every byte was counted. */
  readonly exact: boolean;
  readonly counted: number;
  /** Bits for each byte, 0 to 8. */
  readonly entropy: number;
  /** Counts in the order of byteKinds. */
  readonly counts: readonly number[];
}

export function binOf(fields: Fields): Bin {
  return {
    offset: numberOf(fields, 'offset'),
    length: numberOf(fields, 'length'),
    exact: fields['exact'] === true,
    counted: numberOf(fields, 'counted'),
    entropy: numberOf(fields, 'entropy'),
    counts: byteKinds.map((kind) => numberOf(fields, kind)),
  };
}

/** A stretch of the file as it is drawn and told. */
export type Region =
  | { readonly kind: 'unknown' | 'hole' }
  | {
      readonly kind: 'bytes';
      /** The most frequent class. */
      readonly dominant: ByteKind;
      /** Parts of 1, in the order of byteKinds. */
      readonly shares: readonly number[];
      readonly entropy: number;
      readonly exact: boolean;
      /** Some of it is a hole; what is told is of the rest. */
      readonly partial: boolean;
    };

const unknown: Region = { kind: 'unknown' };
const hole: Region = { kind: 'hole' };

/** Bins of equal length over a file, those of one answer of the daemon. */
class Layer {
  readonly bins: (Bin | undefined)[];
  known = 0;

  constructor(
    readonly size: number,
    readonly count: number,
  ) {
    this.bins = new Array<Bin | undefined>(count).fill(undefined);
  }

  indexOf(offset: number): number {
    // As the daemon divides a file: the first bins are a byte longer than the others.
    const length = Math.max(1, Math.floor(this.size / this.count));
    const longer = this.size % this.count;
    const rest = offset - longer * (length + 1);
    const index = rest < 0 ? Math.floor(offset / (length + 1)) : longer + Math.floor(rest / length);
    return Math.max(0, Math.min(this.count - 1, index));
  }

  set(index: number, bin: Bin): void {
    const before = this.bins[index];
    if (index >= this.count || (before?.exact === true && !bin.exact)) return;
    if (!before) ++this.known;
    this.bins[index] = bin;
  }

  get whole(): boolean {
    return this.known === this.count;
  }
}

export class ByteMap {
  #coarse: Layer;
  #fine: Layer | undefined;
  /** Of bins that are hole and data: what the data is like, by the bin of the coarse layer. */
  readonly #stored = new Map<number, Bin>();

  constructor(
    readonly size: number,
    bins: number,
  ) {
    this.#coarse = new Layer(size, Math.max(1, Math.min(bins, mostBins, size)));
  }

  get count(): number {
    return this.#coarse.count;
  }

  get exact(): boolean {
    return this.#coarse.bins.every((bin) => bin?.exact === true);
  }

  /** The part of the file that was looked at. */
  get coverage(): number {
    const layer = this.#fine?.whole === true ? this.#fine : this.#coarse;
    const seen = layer.bins.reduce((sum, bin) => sum + (bin?.counted ?? 0), 0);
    return this.size === 0 ? 1 : seen / this.size;
  }

  set(index: number, bin: Bin): void {
    this.#coarse.set(index, bin);
  }

  /** More samples, in more bins: they count once all are there. */
  setFine(index: number, bin: Bin, count: number): void {
    this.#fine ??= new Layer(this.size, count);
    this.#fine.set(index, bin);
  }

  setStored(index: number, bin: Bin): void {
    this.#stored.set(index, bin);
  }

  /** Bins of which some is hole and some data, with the first of their data; at most `most`. */
  mixed(extents: ExtentMap, most: number): { readonly index: number; readonly data: Span }[] {
    const found: { index: number; data: Span }[] = [];
    for (let index = 0; index < this.count && found.length < most; ++index) {
      const bin = this.#coarse.bins[index];
      if (!bin) continue;
      const data = extents.dataWithin(bin.offset, Math.min(bin.offset + bin.length, extents.knownUntil));
      if (data && data.length < bin.length) found.push({ index, data });
    }
    return found;
  }

  /** What there is in [from, to). */
  region(from: number, to: number, extents: ExtentMap | undefined): Region {
    const known = extents !== undefined && to <= extents.knownUntil;
    const data = known ? extents.dataWithin(from, to) : undefined;
    if (known && !data) return hole;
    const partial = data !== undefined && data.length < to - from;
    const layer = this.#fine?.whole === true ? this.#fine : this.#coarse;
    const counts = byteKinds.map(() => 0);
    let weight = 0;
    let entropy = 0;
    let exact = true;
    for (let index = layer.indexOf(from); index < layer.count; ++index) {
      let bin = layer.bins[index];
      if (!bin || bin.offset >= to) break;
      const length = Math.min(to, bin.offset + bin.length) - Math.max(from, bin.offset);
      if (length <= 0) continue;
      // Of a bin that holes are part of, its data alone counts where there is data.
      const stored = known ? extents.dataWithin(bin.offset, bin.offset + bin.length) : undefined;
      if (data && (partial || stored?.length !== bin.length))
        bin = this.#stored.get(this.#coarse.indexOf(data.offset)) ?? bin;
      if (bin.counted === 0) continue;
      const each = length / bin.counted;
      bin.counts.forEach((count, kind) => (counts[kind]! += count * each));
      weight += length;
      entropy += bin.entropy * length;
      exact &&= bin.exact;
    }
    if (weight === 0) return unknown;
    const shares = counts.map((count) => count / weight);
    const dominant = byteKinds[shares.indexOf(Math.max(...shares))]!;
    return { kind: 'bytes', dominant, shares, entropy: entropy / weight, exact, partial };
  }
}
