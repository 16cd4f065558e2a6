/**
 * How fast a scan comes on, and how long it has to go. What is told of it is how far it is (`scanned`) and how much of that was
 * read. Holes are read by nobody: most scans pass them at once, so that a terabyte of them says nothing about the bytes to
 * come. Some look at every zero of a hole, as a search for zeros must. Which it is shows in the scan itself.
 */

import type { ExtentMap } from './extents';
import { passingRate } from './scan';
import type { Span } from './view_link';

/** Seconds after which what was measured counts for a third. */
const memory = 5;

export interface Pace {
  /** Bytes a second of those that take time; 0 while there were none. */
  readonly rate: number;
  /** Holes take their time, too. */
  readonly holesCost: boolean;
  /** Most of what was scanned was passed by. */
  readonly mostlyHoles: boolean;
}

export interface PacePoint {
  readonly scanned: number;
  readonly read: number;
  /** Since the request began, for all of it. */
  readonly bytesPerSecond: number;
}

interface Sums {
  time: number;
  scanned: number;
  read: number;
}

export class ScanPace {
  #last: Sums = { time: 0, scanned: 0, read: 0 };
  #sums: Sums = { time: 0, scanned: 0, read: 0 };
  #holesCost = false;

  /** Another request goes on where the last one ended. */
  begin(): void {
    this.#last = { time: 0, scanned: 0, read: 0 };
  }

  take({ scanned, read, bytesPerSecond }: PacePoint): Pace {
    // The server's own time: on the way, records may have waited for each other.
    const time = bytesPerSecond > 0 ? scanned / bytesPerSecond : 0;
    const step: Sums = {
      time: time - this.#last.time,
      scanned: scanned - this.#last.scanned,
      read: read - this.#last.read,
    };
    if (step.time > 0) {
      this.#last = { time, scanned, read };
      if (step.read === 0 && step.scanned > 0 && step.scanned / step.time < passingRate) this.#holesCost = true;
      const kept = Math.exp(-step.time / memory);
      for (const key of ['time', 'scanned', 'read'] as const) this.#sums[key] = this.#sums[key] * kept + step[key];
    }
    const sums = this.#sums;
    return {
      rate: sums.time > 0 ? (this.#holesCost ? sums.scanned : sums.read) / sums.time : 0,
      holesCost: this.#holesCost,
      mostlyHoles: sums.scanned - sums.read > sums.read,
    };
  }
}

function dataIn({ offset, length }: Span, extents: ExtentMap): number {
  const end = offset + length;
  let sum = 0;
  for (let at = offset; at < end;) {
    const data = extents.dataWithin(at, end);
    if (!data) break;
    sum += data.length;
    at = data.offset + data.length;
  }
  return sum;
}

/** Seconds until the stretches that are left are scanned; undefined where that cannot be told. */
export function secondsLeft(pace: Pace, left: readonly Span[], extents: ExtentMap | undefined): number | undefined {
  const known = extents !== undefined && left.every(({ offset, length }) => offset + length <= extents.knownUntil);
  if (pace.rate <= 0 || (!pace.holesCost && !known && pace.mostlyHoles)) return undefined;
  const bytes = left.map((span) => (known && !pace.holesCost ? dataIn(span, extents) : span.length));
  return bytes.reduce((sum, length) => sum + length, 0) / pace.rate;
}
