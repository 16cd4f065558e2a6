import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReadFailure } from '../src/core/api';
import { outwait, type Wait } from '../src/core/busy';

const refusal = (seconds?: number, status = 429): ReadFailure =>
  new ReadFailure('busy', 'Too many scans are running', seconds === undefined ? undefined : seconds * 1000, status);

interface Run {
  readonly result: Promise<string>;
  readonly controller: AbortController;
  readonly waits: (Wait | undefined)[];
  readonly asked: number[];
}

/** Work that fails as told, one failure after another, and then is done. */
function run(...failures: readonly unknown[]): Run {
  const controller = new AbortController();
  const waits: (Wait | undefined)[] = [];
  const asked: number[] = [];
  const work = (): Promise<string> => {
    const failure = failures[asked.length];
    asked.push(performance.now());
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- anything may be thrown
    return failure === undefined ? Promise.resolve('done') : Promise.reject(failure);
  };
  const result = outwait(work, controller.signal, (wait) => waits.push(wait));
  result.catch(() => undefined);
  return { result, controller, waits, asked };
}

describe('a server that is busy', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is asked again no sooner than it wishes', async () => {
    const { result, asked, waits } = run(refusal(7), refusal(7));
    await vi.advanceTimersByTimeAsync(6999);
    expect(asked).toHaveLength(1);
    expect(waits.at(-1)?.nextTry).toBe(asked[0]! + 7000);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(7000);
    expect(await result).toBe('done');
    expect(asked.map((at) => at - asked[0]!)).toEqual([0, 7000, 14_000]);
    expect(waits.map((wait) => wait?.failure.message)).toEqual([
      'Too many scans are running',
      undefined,
      'Too many scans are running',
      undefined,
    ]);
  });

  it('is asked later and later where it names no time, or a short one', async () => {
    const { result, asked } = run(...Array.from({ length: 6 }, () => refusal()), refusal(1));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await result).toBe('done');
    const pauses = asked.slice(1).map((at, index) => at - asked[index]!);
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });

  it('is left alone at once when nobody waits any more', async () => {
    const { result, asked, waits, controller } = run(refusal(3600));
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    await expect(result).rejects.toThrow('aborted');
    expect(waits.at(-1)).toBeUndefined();
    await vi.advanceTimersByTimeAsync(4_000_000);
    expect(asked).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is asked at once by who does not wait', async () => {
    const { result, asked, waits } = run(refusal(3600), refusal(3600));
    for (let tries = 1; tries <= 2; ++tries) {
      await vi.advanceTimersByTimeAsync(10);
      expect(asked).toHaveLength(tries);
      waits.at(-1)!.retry();
    }
    await vi.advanceTimersByTimeAsync(0);
    expect(await result).toBe('done');
    expect(waits.at(-1)).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is all that is waited for', async () => {
    for (const failure of [
      // Broken off midway: what was done is lost, and is not begun again unasked.
      new ReadFailure('busy', 'The server is stopping'),
      new ReadFailure('unreachable', 'The server cannot be reached'),
      new ReadFailure('changed', 'The file has changed', undefined, 412),
      new Error('anything else'),
    ]) {
      const { result, asked, waits } = run(failure);
      await expect(result).rejects.toBe(failure);
      expect(asked).toHaveLength(1);
      expect(waits).toEqual([]);
    }
  });
});
