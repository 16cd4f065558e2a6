/** A daemon in memory: one file whose bytes are a function of their offsets, and every way to fail. */

import type { Fetch } from '../src/core/api';

/** The byte at an offset, different for offsets that 32 bits would confuse. */
export function byteOf(offset: number): number {
  return (offset + 31 * Math.floor(offset / 256) + 17 * Math.floor(offset / 2 ** 31)) % 256;
}

export function contents(offset: number, length: number): Uint8Array<ArrayBuffer> {
  // A plain loop: the tests make hundreds of pages, and Uint8Array.from takes ten times as long.
  const out = new Uint8Array(length);
  for (let index = 0; index < length; ++index) out[index] = byteOf(offset + index);
  return out;
}

export interface Asked {
  readonly method: string;
  readonly address: string;
  readonly range: string | null;
  readonly ifMatch: string | null;
  readonly signal: AbortSignal;
}

export class FakeServer {
  size: number;
  etag = '"one"';
  readonly asked: Asked[] = [];
  /** Answers instead of the file, or undefined to let it answer. */
  intercept: ((asked: Asked) => Promise<Response | undefined> | Response | undefined) | undefined;
  #held: { resolve: () => void }[] | undefined;

  constructor(size: number) {
    this.size = size;
  }

  /** Requests from now on wait until `release`. */
  hold(): void {
    this.#held = [];
  }

  get held(): number {
    return this.#held?.length ?? 0;
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { resolve } of held) resolve();
  }

  readonly fetch: Fetch = async (address, init) => {
    const headers = new Headers(init.headers);
    const asked: Asked = {
      method: init.method ?? 'GET',
      address,
      range: headers.get('Range'),
      ifMatch: headers.get('If-Match'),
      signal: init.signal!,
    };
    this.asked.push(asked);
    if (this.#held) {
      await new Promise<void>((resolve, reject) => {
        this.#held!.push({ resolve });
        asked.signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      });
    }
    if (asked.signal.aborted) throw new DOMException('aborted', 'AbortError');
    return (await this.intercept?.(asked)) ?? this.#answer(asked);
  };

  #answer({ method, range, ifMatch }: Asked): Response {
    const common = { ETag: this.etag, 'Accept-Ranges': 'bytes' };
    if (ifMatch !== null && ifMatch !== this.etag) return problem(412, 'Precondition failed');
    if (method === 'HEAD') return new Response(null, { headers: common });
    const bounds = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
    if (!bounds) return new Response(contents(0, this.size), { headers: common });
    const first = Number(bounds[1]);
    const last = Math.min(Number(bounds[2]), this.size - 1);
    if (first > last) return problem(416, 'Range not satisfiable');
    return new Response(contents(first, last - first + 1), {
      status: 206,
      headers: { ...common, 'Content-Range': `bytes ${first}-${last}/${this.size}` },
    });
  }
}

export function problem(status: number, title: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ type: 'about:blank', title, status }), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  });
}

/** An answer whose body breaks off after `length` bytes of those it promised. */
export function broken(asked: Asked, size: number, etag: string, length: number): Response {
  const bounds = /^bytes=(\d+)-(\d+)$/.exec(asked.range ?? '')!;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(contents(Number(bounds[1]), length));
      controller.error(new TypeError('network error'));
    },
  });
  return new Response(body, {
    status: 206,
    headers: { ETag: etag, 'Content-Range': `bytes ${bounds[1]!}-${bounds[2]!}/${size}` },
  });
}
