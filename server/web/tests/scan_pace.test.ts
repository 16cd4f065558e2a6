import { describe, expect, it } from 'vitest';
import { ExtentMap } from '../src/core/extents';
import { progressOf } from '../src/core/scan';
import { type Pace, ScanPace, secondsLeft } from '../src/core/scan_pace';

const gigabyte = 2 ** 30;
const terabyte = 2 ** 40;

/** What the daemon tells four times a second of a scan at `speed` of data, where holes cost nothing or as much as data. */
function run(stretches: readonly (readonly ['data' | 'hole', number])[], speed: number, holesCost = false): Pace[] {
  const pace = new ScanPace();
  const told: Pace[] = [];
  const step = speed / 4;
  let scanned = 0;
  let read = 0;
  let time = 0;
  let rest = step;
  for (const [kind, length] of stretches) {
    if (kind === 'hole' && !holesCost) {
      scanned += length;
      continue;
    }
    for (let left = length; left > 0;) {
      const part = Math.min(left, rest);
      left -= part;
      rest -= part;
      scanned += part;
      if (kind === 'data') read += part;
      time += part / speed;
      if (rest > 0) continue;
      rest = step;
      told.push(pace.take({ scanned, read, bytesPerSecond: Math.round(scanned / time) }));
    }
  }
  return told;
}

function extentsOf(stretches: readonly (readonly ['data' | 'hole', number])[]): ExtentMap {
  const extents = new ExtentMap();
  for (const [kind, length] of stretches) extents.add(kind === 'hole', extents.knownUntil, length);
  return extents;
}

describe('how long a scan has to go', () => {
  it('is by the bytes that are read, where holes are passed at once', () => {
    const file = [
      ['data', gigabyte],
      ['hole', terabyte],
      ['data', gigabyte],
      ['hole', terabyte],
      ['data', 10 * gigabyte],
    ] as const;
    const extents = extentsOf(file);
    const told = run(file.slice(0, 3), gigabyte);
    for (const { rate, holesCost } of told) {
      expect(holesCost).toBe(false);
      expect(rate / gigabyte).toBeCloseTo(1, 1);
    }
    // In the midst of the second stretch of data: half of it, a hole, and ten more.
    const scanned = gigabyte + terabyte + gigabyte / 2;
    const left = [{ offset: scanned, length: extents.knownUntil - scanned }];
    expect(secondsLeft(told[5]!, left, extents)).toBeCloseTo(10.5, 0);
    // Where the holes ahead are not known, nothing can be told after so many.
    expect(told[5]!.mostlyHoles).toBe(true);
    expect(secondsLeft(told[5]!, left, undefined)).toBeUndefined();
    const cut = new ExtentMap();
    cut.add(false, 0, gigabyte);
    expect(secondsLeft(told[5]!, left, cut)).toBeUndefined();
  });

  it('is by all bytes, where every zero of a hole is looked at', () => {
    const file = [
      ['data', gigabyte],
      ['hole', 100 * gigabyte],
    ] as const;
    const told = run(file, 2 * gigabyte, true);
    const last = told.at(-1)!;
    expect(last.holesCost).toBe(true);
    expect(last.rate / gigabyte).toBeCloseTo(2, 1);
    const left = [{ offset: gigabyte, length: 100 * gigabyte }];
    expect(secondsLeft(last, left, extentsOf(file))).toBeCloseTo(50, 0);
    expect(secondsLeft(last, left, undefined)).toBeCloseTo(50, 0);
  });

  it('follows a disk that becomes slower, and goes on over requests', () => {
    const pace = new ScanPace();
    let told: Pace | undefined;
    let scanned = 0;
    let time = 0;
    for (const [seconds, speed] of [
      [20, 1000],
      [20, 100],
    ] as const) {
      for (let at = 0; at < seconds * 4; ++at) {
        scanned += speed * 1000;
        time += 0.25;
        told = pace.take({ scanned, read: scanned, bytesPerSecond: scanned / time });
      }
    }
    expect(told!.rate).toBeGreaterThan(100 * 4000);
    expect(told!.rate).toBeLessThan(130 * 4000);
    pace.begin();
    told = pace.take({ scanned: 100_000, read: 100_000, bytesPerSecond: 400_000 });
    expect(told.rate).toBeGreaterThan(100 * 4000 * 0.9);
    expect(told.rate).toBeLessThan(130 * 4000);
  });

  it('is not told before anything was read', () => {
    const pace = new ScanPace().take({ scanned: terabyte, read: 0, bytesPerSecond: 100 * terabyte });
    expect(pace).toEqual({ rate: 0, holesCost: false, mostlyHoles: true });
    expect(secondsLeft(pace, [{ offset: 0, length: 1 }], undefined)).toBeUndefined();
    expect(new ScanPace().take({ scanned: 0, read: 0, bytesPerSecond: 0 }).rate).toBe(0);
  });

  it('is left out of what the server tells of a scan that was faster than any', () => {
    const told = { scanned: terabyte, total: 2 * terabyte, eta_seconds: 0.5 };
    expect(progressOf({ ...told, bytes_per_second: 2 * terabyte }).secondsLeft).toBeUndefined();
    expect(progressOf({ ...told, bytes_per_second: gigabyte, eta_seconds: 1024 }).secondsLeft).toBe(1024);
    expect(progressOf({ ...told, bytes_per_second: 0, eta_seconds: null }).secondsLeft).toBeUndefined();
  });
});
