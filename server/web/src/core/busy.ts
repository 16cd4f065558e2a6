/** Waiting out a server that is too busy to begin what it is asked for. */

import { ReadFailure } from './api';
import { pause } from './scan';

/** Milliseconds until the first further try, where the server names no time; each later one waits twice as long. */
const firstPause = 1000;
const longestPause = 10_000;

/** How long to wait after one failure and the next. */
export class Backoff {
  #least = firstPause;

  /** No sooner than the server asks for. */
  after({ retryAfter = 0 }: ReadFailure): number {
    const time = Math.max(retryAfter, this.#least);
    this.#least = Math.min(longestPause, 2 * this.#least);
    return time;
  }

  /** The server was there. */
  reset(): void {
    this.#least = firstPause;
  }
}

export interface Wait {
  readonly failure: ReadFailure;
  /** As performance.now(). */
  readonly nextTry: number;
  /** Tries at once. */
  readonly retry: () => void;
}

/**
 * Does `work`, and again for as long as the server refuses to begin it for being busy, no sooner than Retry-After asks. `waits`
 * is told of each wait and, with undefined, of its end. What fails in another way, or midway, fails here too, as does what is
 * aborted.
 */
export async function outwait<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  waits: (wait: Wait | undefined) => void,
): Promise<T> {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      // With a status it is an answer in place of the work, not one that broke off.
      const refused = error instanceof ReadFailure && error.kind === 'busy' && error.status !== undefined;
      if (!refused || signal.aborted) throw error;
      const time = backoff.after(error);
      const hurry = new AbortController();
      waits({ failure: error, nextTry: performance.now() + time, retry: () => hurry.abort() });
      await pause(time, AbortSignal.any([signal, hurry.signal]));
      waits(undefined);
      signal.throwIfAborted();
    }
  }
}
